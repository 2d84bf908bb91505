"""What is lost when a search is killed? A small search on the sample, killed again and again at random
moments.

    NLTK_DATA=... python -m bench.kill [--kills=20] [--seed=0]

Each process of a search is killed, with its workers, by SIGKILL after a random time, and the search is then
gone on with (`resume=latest`) until one process reaches its end unkilled; then a new search begins, until so
many kills are done. Prints a table: a row per search with what its store then says. "Lost": trials that had
ended on the store before a kill and are missing or otherwise after it. "Printed, not stored": trials whose
line was printed, and which the kill kept from the store; they are trained again. `--families` and `--trials`
choose the search.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from starcast.reviews.sources import PROJECT
from starcast.tracking.resumption import OUTCOMES

COLUMNS = (
    "kills",
    "before its run",
    "ended",
    "lost",
    "doubled",
    "interrupted",
    "printed, not stored",
    "left RUNNING",
    "end",
)
LOOK_EVERY = 0.05  # seconds
Contents = dict[int, object]


@dataclass
class SearchStore:
    """What the searches of a folder left."""

    folder: Path

    @property
    def uri(self) -> str:
        """Return its tracking URI."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def runs(self) -> list[Run]:
        """Return all runs."""
        client = MlflowClient(self.uri)
        return list(
            client.search_runs([e.experiment_id for e in client.search_experiments()], max_results=50_000)
        )

    def search_id(self) -> str | None:
        """Return the search that `resume=latest` goes on with, if it has come so far as to have a run."""
        found = [run for run in self.runs() if run.data.tags.get("step") == "tune"]
        return str(max(found, key=lambda run: run.info.start_time).info.run_id) if found else None

    def status(self, search_id: str) -> str:
        """Return the status of a search's run."""
        return str(MlflowClient(self.uri).get_run(search_id).info.status)

    def trials(self, search_id: str) -> list[Run]:
        """Return the runs of a search's trials."""
        below = [run for run in self.runs() if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == search_id]
        return [run for run in below if "trial_number" in run.data.tags]

    def ended(self, search_id: str) -> Contents:
        """Everything about the trials that ended."""
        client = MlflowClient(self.uri)
        runs = [
            run
            for run in self.trials(search_id)
            if run.info.status != "RUNNING" and run.data.tags["outcome"] in OUTCOMES
        ]
        return {int(run.data.tags["trial_number"]): _contents(client, run) for run in runs}


def _contents(client: MlflowClient, run: Run) -> object:
    histories = {
        name: sorted(
            (metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, name)
        )
        for name in run.data.metrics
    }
    files = sorted(item.path for item in client.list_artifacts(run.info.run_id))
    return (
        run.info.run_id,
        run.info.status,
        run.info.end_time,
        dict(run.data.tags),
        dict(run.data.params),
        histories,
        files,
    )


@dataclass
class Tally:
    """What came of one search."""

    kills: int = 0
    before_its_run: int = 0
    printed: Counter[int] = field(default_factory=Counter)
    known: Contents = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    unstored: int = 0
    end: str = ""

    def compare(self, now: Mapping[int, object], printed: set[int]) -> None:
        """After a kill, or the end: is everything there that was there before, and what was printed since?"""
        self.lost |= {number for number, contents in self.known.items() if now.get(number) != contents}
        self.unstored += len(printed - now.keys())
        self.known.update(now)


def run_once(store: SearchStore, given: list[str], seconds: float | None) -> tuple[bool, set[int], str]:
    """Run a process of the search.

    Whether it was killed after so many seconds, numbers of the trials it printed, its output.
    """
    command = [sys.executable, "-m", "steps.tune", *given]
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": store.uri,
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
    }
    with (store.folder / "output.txt").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(
            command,
            cwd=store.folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        began = time.monotonic()
        while process.poll() is None and (seconds is None or time.monotonic() - began < seconds):
            time.sleep(LOOK_EVERY)
        killed = process.poll() is None
        if killed:
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        output.seek(0)
        text = output.read()
    if not killed and code:
        text += f"\nexit code {code}"
    return killed, {int(number) for number in re.findall(r"\]  trial (\d+) ", text)}, text


def run_search(store: SearchStore, asked: argparse.Namespace, chance: random.Random, kills: int) -> Tally:
    """Run one search from beginning to end, killed at most so many times."""
    tally = Tally()
    new = [
        f"--families={asked.families}",
        f"--max_trials={asked.trials}",
        "--epochs=1",
        f"--workers={asked.workers}",
    ]
    while not tally.end:
        search_id = store.search_id()
        given = ["--resume=latest"] if search_id else new
        seconds = chance.uniform(0, asked.seconds) if tally.kills < kills else None
        killed, printed, output = run_once(store, given, seconds)
        search_id = store.search_id()
        tally.kills += killed
        tally.before_its_run += killed and search_id is None
        if search_id:
            tally.compare(store.ended(search_id), printed)
        if not killed:
            tally.end = "error" if "exit code" in output else "finished"
            print(output if tally.end == "error" else "", end="", file=sys.stderr, flush=True)
        elif search_id and store.status(search_id) == "FINISHED":
            tally.end = "finished"  # the kill hit a process that was done but for its exit
    return tally


def row(store: SearchStore, tally: Tally) -> list[str]:
    """Return a line of the table."""
    search_id = store.search_id()
    trials = store.trials(search_id) if search_id else []
    numbers = Counter(run.data.tags["trial_number"] for run in trials)
    interrupted = sum(run.data.tags.get("outcome") == "interrupted" for run in trials)
    running = Counter(
        run.data.tags.get("step", "no step yet") for run in store.runs() if run.info.status == "RUNNING"
    )
    left = ", ".join(f"{count} {step}" for step, count in running.items()) or "0"
    doubled = sum(count > 1 for count in numbers.values())
    counts = (
        tally.kills,
        tally.before_its_run,
        len(tally.known),
        len(tally.lost),
        doubled,
        interrupted,
        tally.unstored,
    )
    return [*map(str, counts), left, tally.end]


def main() -> None:
    """Kill, resume, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--families", default="logistic_regression")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--seconds", type=float, default=30, help="a process is killed before this; about what a search takes"
    )
    asked = parser.parse_args()
    chance, kills, number = random.Random(asked.seed), 0, 0
    print(f"| search | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}", flush=True)
    while kills < asked.kills:
        with tempfile.TemporaryDirectory(prefix="starcast-kill-") as folder:
            store, number = SearchStore(Path(folder)), number + 1
            MlflowClient(store.uri).search_experiments()  # making a store takes seconds
            tally = run_search(store, asked, chance, min(asked.kills - kills, asked.kills // 4 or 1))
            kills += tally.kills
            print(f"| {number} | {' | '.join(row(store, tally))} |", flush=True)


if __name__ == "__main__":
    main()
