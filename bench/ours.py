"""`tune` as a contestant, measured from outside: run it on a new store, write what the store saw as a
journal.

    NLTK_DATA=... python -m bench.ours ours --out=FILE [--minutes=0] [--trials=50] [--seed=42]

The search's clock ends with the last trial, before the candidate is fitted; it begins `search_seconds` (a
metric of the search's run) earlier, or, where that is not there, with the first trial.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import Metric, Run

from starcast.models.recurrent_families import LSTM_2
from starcast.reviews.sources import PROJECT
from starcast.tracking.store import answers

EPOCHS = 3
UNLIMITED = 100_000
VARIANTS: dict[str, tuple[str, ...]] = {  # what each contestant asks for beside HOW
    "ours": (),
    "ours_by_time": (),  # for as many minutes as the peers have
    "ours_server": (),  # on a tracking server, all others on a SQLite file
    "ours_unpruned": ("--pruner=none",),
    "ours_one_worker": ("--workers=1",),
    "ours_four_workers": ("--workers=4",),
}
WHAT = (
    "--data=clothing",
    "--split=study_a",
    "--cleaning=study_a",
    "--families=lstm_2",
    "--sampling=none",
    "--register=false",
)
HOW = ("--engine=hyperopt", "--algorithm=tpe", "--pruner=asha", "--start=random", f"--max_epochs={EPOCHS}")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a tracking server on the folder's SQLite file; its address.

    Raises:
        ChildProcessError: it ended before it answered.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    stores = (
        "--backend-store-uri",
        "sqlite:///mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    )
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        *stores,
        "--host=127.0.0.1",
        f"--port={port}",
        "--workers=1",
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        while not answers(address):  # its first start makes the database
            if server.poll() is not None:
                raise ChildProcessError(f"the tracking server ended with {server.returncode}")
            time.sleep(0.5)
        yield address
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def tune(store: str, folder: Path, options: Sequence[str]) -> None:
    """Run the search in a process of its own; what it writes besides the store lands in `folder`.

    Raises:
        CalledProcessError: the search failed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {**kept, "MLFLOW_TRACKING_URI": store, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "steps.tune", *WHAT, *HOW, *options]
    subprocess.run(command, cwd=folder, env=environment, check=True)


def read_store(store: str) -> list[dict[str, Any]]:
    """Return the journal's lines, without contestant and seed, in the order of time."""
    client = mlflow.MlflowClient(store)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(experiments, max_results=50_000)
    trials = sorted(
        (run for run in runs if "trial_number" in run.data.tags), key=lambda run: run.info.start_time
    )
    epochs = {run.info.run_id: client.get_metric_history(run.info.run_id, "val_auc") for run in trials}
    ends = {run.info.run_id: _end(run, epochs[run.info.run_id]) for run in trials}
    told = [run.data.metrics["search_seconds"] for run in runs if "search_seconds" in run.data.metrics]
    [search] = [run for run in runs if run.data.tags.get("step") == "tune"]
    tracking = {name: value for name, value in search.data.metrics.items() if name.startswith("tracking")}
    end = max(ends.values())
    begin = end - told[0] * 1000 if told else trials[0].info.start_time
    lines: list[dict[str, Any]] = []
    for run in trials:
        run_id = run.info.run_id
        lines += _lines(run, epochs[run_id], ends[run_id], begin)
    lines.sort(key=lambda line: line["seconds"])
    seconds = (end - begin) / 1000
    return [*lines, {"seconds": seconds, "trial": len(trials), "search_seconds": seconds, **tracking}]


def _end(run: Run, epochs: list[Metric]) -> int:
    return run.info.end_time or max([run.info.start_time, *(metric.timestamp for metric in epochs)])


def _lines(run: Run, epochs: list[Metric], end: int, begin: float) -> list[dict[str, Any]]:
    trial = int(run.data.tags["trial_number"])
    # The step after the last epoch repeats the epoch whose weights were kept.
    seen = [metric for metric in epochs if 1 <= metric.step <= EPOCHS]
    lines: list[dict[str, Any]] = [
        {
            "seconds": (metric.timestamp - begin) / 1000,
            "trial": trial,
            "epoch": metric.step,
            "epochs_of_trial": EPOCHS,
            "val_auc": metric.value,
        }
        for metric in seen
    ]
    summary = {
        "seconds": (end - begin) / 1000,
        "trial": trial,
        "trial_seconds": (end - run.info.start_time) / 1000,
        "epochs_run": len(seen),
        "best_val_auc": max((metric.value for metric in seen), default=None),
        "settings": {name: json.loads(run.data.params.get(name, "null")) for name in LSTM_2.space},
    }
    return [*lines, summary]


def main() -> None:
    """Run one search of ours."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=VARIANTS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=0)
    for option, default in (("--trials", 50), ("--seed", 42)):
        parser.add_argument(option, type=int, default=default)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        store = f"sqlite:///{temporary}/mlflow.db"
        limits = (
            f"--max_trials={asked.trials or UNLIMITED}",
            f"--timeout_minutes={asked.minutes:g}",
            f"--seed={asked.seed}",
        )
        with served(Path(temporary)) if asked.name == "ours_server" else nullcontext(store) as tracked:
            tune(tracked, Path(temporary), (*VARIANTS[asked.name], *limits))
        lines = read_store(store)
    common = {"contestant": asked.name, "seed": asked.seed}
    asked.out.write_text("".join(json.dumps({**common, **line}) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
