"""What a search does to a tracking server, and nothing else: one client in a process of its own, for
`bench.tracking_limit`.

The calls are those of `starcast.tracking.trial_log`, in its order, with values as many and as large as a
trial's.
"""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME
from requests import RequestException

from starcast.evaluation.scores import val_scores
from starcast.models.recurrent_families import GRU_1
from starcast.reports.files import write_class_counts, write_json, write_split_files
from starcast.tracking.patience import quick_failures

EPOCHS = 3
FACTS = ("best_epoch", "epochs_run", "parameters", "rows_used", "worker_memory_mb")
APART = 1_000_000  # between the numbers of two clients' trials


@dataclass
class Client:
    """One writer, the search's run it writes below, a trial's files, and what it noted.

    Seconds of calls, calls that failed.
    """

    store: MlflowClient
    experiment: str
    parent: str
    files: Path
    calls: list[float] = field(default_factory=list)
    failed: int = 0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Note how long a call took, or that it failed."""
        begin = time.perf_counter()
        try:
            yield
        except (MlflowException, RequestException):
            self.failed += 1
            raise
        self.calls.append(time.perf_counter() - begin)


@dataclass(frozen=True)
class Answer:
    """What a client did: works done, calls that failed, seconds of every other call, seconds it took."""

    done: int
    failed: int
    calls: list[float]
    seconds: float


Work = Callable[[Client, int], None]


def write_trial(client: Client, number: int) -> None:
    """Write a trial's run without its files: begun, its parameters, its epochs, its kept scores, ended."""
    tags = {
        MLFLOW_PARENT_RUN_ID: client.parent,
        MLFLOW_RUN_NAME: f"trial {number:03d} gru_1",
        "family": "gru_1",
        "engine": "hyperopt",
        "trial_number": str(number),
    }
    with client.timed():
        run_id = client.store.create_run(client.experiment, _now(), tags).info.run_id
    with client.timed():
        client.store.log_batch(run_id, params=[Param(name, str(value)) for name, value in PARAMETERS.items()])
    for epoch in range(1, EPOCHS + 1):
        with client.timed():
            client.store.log_batch(run_id, metrics=_metrics(("train_loss", "train_accuracy", *SCORES), epoch))
    with client.timed():
        kept = _metrics((*SCORES, *FACTS), EPOCHS + 1)
        client.store.log_batch(run_id, metrics=kept, tags=[RunTag("outcome", "complete")])
    with client.timed():
        client.store.set_terminated(run_id, "FINISHED", _now())


def write_files(client: Client, number: int) -> None:
    """Write the files of one trial into the search's own run."""
    with client.timed():
        # Written over after a while: a disk full of small files would be measured, and cleared, in the end.
        client.store.log_artifacts(client.parent, str(client.files), f"{number % APART % 100}")


def work_for(
    uri: str,
    parent: str,
    files: Path,
    work: Work,
    seconds: float,
    number: int,
    start: Barrier,
    pipe: Connection,
) -> None:
    """Do the work again and again, for so many seconds from the common start on, and send an `Answer`."""
    store = MlflowClient(uri, uri)
    client, done = Client(store, store.get_run(parent).info.experiment_id, parent, files), 0
    start.wait()
    begin = time.perf_counter()
    with quick_failures():
        for trial in itertools.count(number * APART):
            if time.perf_counter() - begin >= seconds:
                break
            with suppress(MlflowException, RequestException):  # counted by the client
                work(client, trial)
                done += 1
    pipe.send(Answer(done, client.failed, client.calls, time.perf_counter() - begin))


def make_files(folder: Path) -> None:
    """Return a trial's files, as `starcast.tracking.trial_log` makes them."""
    random = np.random.default_rng(0)
    ratings, predicted = random.integers(0, 5, (2, 4_000))
    write_json(folder / "settings.json", GRU_1.published)
    write_class_counts(folder, np.bincount(ratings, minlength=5), np.bincount(ratings, minlength=5))
    write_split_files(folder, "val", ratings, predicted)


def _scores() -> tuple[str, ...]:
    ratings = np.arange(10) % 5
    return tuple(val_scores(ratings, np.eye(5)[ratings] * 0.9 + 0.02))


def _metrics(names: tuple[str, ...], step: int) -> list[Metric]:
    now = _now()
    return [Metric(name, 0.123456789 * step, now, step) for name in names]


def _now() -> int:
    return int(time.time() * 1000)


SCORES = _scores()
TRAINING = {"sampling": "none", "batch_size": 128, "schedule": "linear", "epochs": EPOCHS, "executions": 1}
PARAMETERS = {"family": GRU_1.name, **GRU_1.published, **TRAINING}
METRICS = EPOCHS * (2 + len(SCORES)) + len(SCORES) + len(FACTS)  # of a trial
