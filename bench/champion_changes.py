"""Does any change of champion fail on PostgreSQL? Promotions and rollbacks with the longest reasons.

    python -m bench.champion_changes [--changes=25]

Debian's PostgreSQL with its own settings, used directly and through `mlflow server`; every fifth change is a
rollback, reasons have 500 letters, pages and verdicts are longer than what a page holds. Prints a row per
change: the aliases, how many changes the history holds, the lengths of what people see in bytes (PostgreSQL
refuses more than 5,000 letters), and the seconds it took (one of them is waited for another promotion).
"WRONG" is a champion that was not asked for, or a change that the history lacks.
"""

import argparse
import tempfile
import time
from pathlib import Path

import mlflow

from tests.workflow.champion_changes import Changed, changes
from tests.workflow.postgres import postgres
from tests.workflow.processes import Server

HEAD = ("change", "champion", "previous", "history", "description", "page", "longest tag", "seconds", "")


def row(number: int, done: Changed, seconds: float) -> str:
    """Return the row of a change."""
    champion, previous = (done.aliases.get(name, "-") for name in ("champion", "previous_champion"))
    right = (champion, len(done.state.events)) == (done.target, number)
    cells = (f"{number} {done.kind}", champion, previous, len(done.state.events), done.description, done.page)
    return f"| {' | '.join(map(str, (*cells, done.tag, f'{seconds:.1f}', 'right' if right else 'WRONG')))} |"


def main() -> None:
    """Change, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--changes", type=int, default=25)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres(settings="") as (database, _):
        server = Server(Path(folder), MLFLOW_BACKEND_STORE_URI=database)
        server.start()
        try:
            server.wait()
            for name, uri in {"through a server": server.address, "directly": database}.items():
                print(f"\nPostgreSQL {name}\n\n| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
                mlflow.set_tracking_uri(uri)
                began = time.monotonic()
                for number, done in enumerate(changes(mlflow.MlflowClient(), name, asked.changes), 1):
                    print(row(number, done, time.monotonic() - began), flush=True)
                    began = time.monotonic()
        finally:
            server.kill()


if __name__ == "__main__":
    main()
