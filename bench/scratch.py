"""Does a living process's temporary data outlast others', and is a dead one's removed?

    python -m bench.scratch [--others=20]

A process makes a scratch folder in a shared temporary folder; then so many others make one each, half of them
in PID namespaces of their own (where this machine lets a user make them), as containers are. Then the first
one is killed, and another one comes. Strange things lie in the shared folder all the while.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from starcast.cli.processes import LOCK, PREFIX
from starcast.reviews.sources import PROJECT

NAMESPACE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child")
HOLD = """
import sys
from starcast.cli.processes import scratch_folder
with scratch_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def hold(shared: Path, *within: str) -> tuple[subprocess.Popen, Path]:
    """Start a process that holds a scratch folder until its input ends; return it and the folder."""
    environment = {**os.environ, "TMPDIR": str(shared), "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [*within, sys.executable, "-c", HOLD],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def put_strange_things(shared: Path) -> int:
    """Put a pipe, a link and a pipe in the place of a lock into the shared folder; return how many."""
    os.mkfifo(shared / f"{PREFIX}pipe")
    (shared / f"{PREFIX}link").symlink_to("/")
    (shared / f"{PREFIX}folder").mkdir()
    os.mkfifo(shared / f"{PREFIX}folder" / LOCK)
    return 3


def main() -> None:
    """Hold, come and go, kill, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--others", type=int, default=20)
    asked = parser.parse_args()
    namespaces = not subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
    print(f"PID namespaces of their own: {'yes' if namespaces else 'this machine does not allow them'}")
    with tempfile.TemporaryDirectory(prefix="starcast-bench-") as temporary:
        shared, seconds, outcomes = Path(temporary), 0.0, Counter[str]()
        strange = put_strange_things(shared)
        first, folder = hold(shared)
        for number in range(asked.others):
            began = time.monotonic()
            other, _ = hold(shared, *(NAMESPACE if namespaces and number % 2 else ()))
            other.communicate()
            seconds = max(seconds, time.monotonic() - began)
            outcomes["kept" if folder.exists() else "DELETED"] += 1
        print(f"a living process's folder, after {asked.others} others: {dict(outcomes)}")
        print(f"the slowest of the others took {seconds:.1f} s from start to end")
        first.kill()
        first.wait()
        hold(shared)[0].communicate()
        print(
            f"after its process was killed and another one came: {'LEFT' if folder.exists() else 'removed'}"
        )
        print(
            f"what lies there now: {len(list(shared.iterdir()))} things, {strange} of them put there before"
        )


if __name__ == "__main__":
    main()
