"""What does a killed `predict` leave? Scored again and again, killed by SIGKILL at random moments; and a file
larger than memory.

    NLTK_DATA=... python -m bench.kill_predict [--kills=20] [--seed=0] [--format=csv]
    NLTK_DATA=... python -m bench.kill_predict --kills=0 --copies=2000

Every other process is killed at any moment, the others at one at which they write; then one is let run to its
end. Prints what was found beside the input after each: no output, or a whole one, and whether a hidden part
file was left. At the end: the runs by status, and the last process's memory at its peak beside the size of
the file it read.
"""

import argparse
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
from mlflow import MlflowClient

from starcast.reviews.sources import PROJECT, SAMPLE
from starcast.reviews.stream import read_chunks

LOOK_EVERY = 0.02  # seconds


@dataclass
class Ran:
    """A process that ended.

    Whether it was killed, its seconds, those of them it wrote in, its memory at its peak in MB.
    """

    killed: bool = False
    seconds: float = 0.0
    writing: float = 0.0
    peak: float = 0.0


def run(step: str, folder: Path, seconds: float | None = None, writing: float | None = None) -> Ran:
    """Run a step to its end, or kill it after so many seconds in all, or of writing.

    Raises:
        ChildProcessError: it failed.
    """
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PYTHONPATH": str(PROJECT),
    }
    began, ran = time.monotonic(), Ran()
    command = [sys.executable, "-m", *step.split()]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    watched = psutil.Process(process.pid)
    for part in folder.glob(".*.part"):
        part.unlink()
    while process.poll() is None and not ran.killed:
        time.sleep(LOOK_EVERY)
        ran.peak = max(ran.peak, watched.memory_info().rss / 1e6)
        ran.seconds = time.monotonic() - began
        ran.writing += LOOK_EVERY if any(folder.glob(".*.part")) else 0
        if ran.seconds > (seconds or math.inf) or ran.writing > (writing or math.inf):
            os.killpg(process.pid, signal.SIGKILL)
            ran.killed = True
    code = process.wait()
    if code and not ran.killed:
        raise ChildProcessError(f"{step} ended with {code}")
    return ran


def rows_of(file: Path) -> int:
    """Reviews in a file that is read to its end."""
    return sum(chunk.table.height for chunk in read_chunks(file))


def make_input(file: Path, copies: int) -> int:
    """Return the sample so many times over; its rows."""
    header, _, reviews = SAMPLE.read_bytes().partition(b"\n")
    with file.open("wb") as written:
        written.write(header + b"\n")
        for _ in range(copies):
            written.write(reviews)
    return rows_of(SAMPLE) * copies


def main() -> None:
    """Train, kill, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--copies", type=int, default=60, help="of the sample's 3,050 reviews in the input")
    parser.add_argument("--format", choices=("csv", "jsonl", "parquet"), default="csv")
    asked = parser.parse_args()
    chance, found = random.Random(asked.seed), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="starcast-kill-") as temporary:
        folder = Path(temporary)
        output = folder / f"out.{asked.format}"
        run("steps.train", folder)
        rows = make_input(folder / "in.csv", asked.copies)
        predict = f"steps.predict --input=in.csv --output={output.name}"
        whole = run(predict, folder)
        for number in range(asked.kills):
            output.unlink(missing_ok=True)
            anywhere, in_writing = chance.uniform(0, whole.seconds), chance.uniform(0, whole.writing)
            ran = run(predict, folder, anywhere) if number % 2 else run(predict, folder, writing=in_writing)
            left = (
                "nothing"
                if not output.exists()
                else "a whole output"
                if rows_of(output) == rows
                else "HALF AN OUTPUT"
            )
            found[f"{'killed' if ran.killed else 'ended before the kill'}: {left}"] += 1
            found["hidden part file left"] += any(folder.glob(".*.part"))
        last = run(predict, folder)
        client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
        for what, count in found.items():
            print(f"{what}: {count}")
        print(
            f"in the end: {rows_of(output):,} of {rows:,} reviews, part file left: "
            f"{any(folder.glob('.*.part'))}"
        )
        print(f"runs: {dict(Counter(each.info.status for each in runs))}")
        megabytes = (folder / "in.csv").stat().st_size / 1e6
        print(
            f"{megabytes:,.0f} MB read in {last.seconds:.0f} s with start and end; memory at most "
            f"{last.peak:,.0f} MB"
        )


if __name__ == "__main__":
    main()
