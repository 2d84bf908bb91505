"""Does a search's memory stay flat? Many small trials of a network, then the memory of the workers after
each.

    python -m bench.memory [--trials=200] [--out=bench/results/memory.png]

A worker is replaced once it has grown by `starcast.search.workers.GROWTH` beyond its first trial: the line
falls there.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from mlflow import MlflowClient

from starcast.reviews.sources import PROJECT

SEARCH = (
    "--families=gru_1",
    "--sampling=none",
    "--start=random",
    "--pruner=none",
    "--sample_size=400",
    "--max_epochs=1",
)


def memories(trials: int) -> np.ndarray:
    """Memory of the worker after each trial in MB, in the order in which trials ended."""
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/mlflow.db"
        environment = {**os.environ, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(PROJECT)}
        command = [
            sys.executable,
            "-m",
            "steps.tune",
            *SEARCH,
            "--epochs=1",
            "--register=false",
            f"--max_trials={trials}",
        ]
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)
        client = MlflowClient(store)
        runs = client.search_runs(
            ["0"], "tags.outcome = 'complete'", max_results=50_000, order_by=["attributes.end_time"]
        )
        return np.array([run.data.metrics["worker_memory_mb"] for run in runs])


def main() -> None:
    """Run the search, draw the memory, print its ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--out", type=Path, default=PROJECT / "bench" / "results" / "memory.png")
    asked = parser.parse_args()
    values = memories(asked.trials)
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(1, len(values) + 1), values, ".")
    axes.set(
        xlabel="trials ended", ylabel="MB", title="Memory of the worker after each trial", ylim=(0, None)
    )
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(asked.out, dpi=90)
    print(
        f"trials {len(values)}; MB at most in the first 10: {values[:10].max():.0f}, in the last 10: "
        f"{values[-10:].max():.0f}"
    )
    print(f"drawn: {asked.out}")


if __name__ == "__main__":
    main()
