"""What does one tracking server carry? Clients that write trials as a search does, and nothing else, as fast
as they can.

    python -m bench.tracking_limit [--seconds=6] [--clients=1,4,16] [--workers=1,2]

Against a local SQLite file without a server, and `mlflow server` with so many worker processes on SQLite and
on PostgreSQL (Debian's, with its own settings: what is committed is on the disk). Clients are processes of
this machine and take their part of its cores, so the columns of CPU say what the server alone needs:
milliseconds of one core for a trial's run and for its files, database included.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from mlflow import MlflowClient

from bench.tracking_client import METRICS, Work, make_files, work_for, write_files, write_trial
from tests.workflow.postgres import postgres
from tests.workflow.processes import Server

ALONE, ON_SQLITE, ON_POSTGRES = STORES = ("SQLite, no server", "server on SQLite", "server on PostgreSQL")
EXPERIMENT = "trials"
PREPARATION = 60.0  # seconds that so many clients may take to import MLflow
COLUMNS = (
    *(
        "store",
        "workers",
        "clients",
        "runs/s",
        "metrics/s",
        "p50, ms",
        "p95, ms",
        "failed",
        "server CPU, ms/run",
    ),
    *("trials' files/s", "p50, ms", "p95, ms", "failed", "server CPU, ms/trial"),
)


@dataclass(frozen=True)
class Load:
    """What clients did: works done, failed calls, seconds of the others.

    The seconds of it all, CPU seconds of the server.
    """

    done: int
    failed: int
    calls: np.ndarray
    seconds: float
    cpu: float

    def cells(self) -> list[str]:
        """Median and 95th percentile of a call in ms, failed calls, the server's CPU for one work in ms."""
        middle, slow = np.percentile(self.calls, [50, 95]) * 1000
        return [
            f"{middle:.0f}",
            f"{slow:.0f}",
            str(self.failed),
            f"{self.cpu / self.done * 1000:.0f}" if self.cpu else "-",
        ]

    @property
    def rate(self) -> float:
        """Times a second that the work was done."""
        return self.done / self.seconds


@dataclass(frozen=True)
class OpenedStore:
    """A store that was opened: its tracking URI, and the processes that serve it with their children."""

    uri: str
    serving: list[psutil.Process]

    def cpu(self) -> float:
        """CPU seconds that its processes have used, those that have ended included."""
        everyone = set[psutil.Process]()
        for root in self.serving:
            with suppress(psutil.NoSuchProcess):
                everyone |= {root, *root.children(recursive=True)}
        return sum(map(_cpu_of, everyone))

    def new_run(self) -> str:
        """Create a run for the trials to stand below."""
        client = MlflowClient(self.uri, self.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None, "made when the store was opened"
        return str(client.create_run(experiment.experiment_id).info.run_id)


@contextmanager
def opened(name: str, folder: Path, workers: int) -> Iterator[OpenedStore]:
    """Open an empty store, in an empty folder."""
    before = set(psutil.pids())
    with ExitStack() as stack:
        if name == ALONE:
            uri = f"sqlite:///{folder / 'local.db'}"
            MlflowClient(uri, uri).create_experiment(EXPERIMENT, artifact_location=str(folder / "artifacts"))
            yield OpenedStore(uri, [])
            return
        database = {}
        if name == ON_POSTGRES:
            database["MLFLOW_BACKEND_STORE_URI"] = stack.enter_context(postgres(settings=""))[0]
        server = Server(folder, None, (f"--workers={workers}",), **database)
        server.start()
        stack.callback(server.kill)
        server.wait()
        MlflowClient(server.address, server.address).create_experiment(EXPERIMENT)
        started = [psutil.Process(pid) for pid in set(psutil.pids()) - before]
        yield OpenedStore(server.address, [process for process in started if _serves(process, folder)])


def _cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and of its children that have ended; 0 if it has ended itself."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _serves(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.name() == "postgres" or process.cwd() == str(folder)
    except psutil.Error:  # it has ended
        return False


def load(store: OpenedStore, clients: int, work: Work, files: Path, seconds: float) -> Load:
    """Let so many clients do the work at once."""
    context = multiprocessing.get_context("forkserver")
    start, parent = context.Barrier(clients + 1), store.new_run()
    ends = []
    for number in range(clients):
        ours, theirs = context.Pipe()
        context.Process(
            target=work_for,
            args=(store.uri, parent, files, work, seconds, number, start, theirs),
            daemon=True,
        ).start()
        theirs.close()
        ends.append(ours)
    start.wait(PREPARATION)
    before = store.cpu()
    answers = [end.recv() for end in ends]
    cpu = store.cpu() - before
    calls = np.array([took for answer in answers for took in answer.calls])
    return Load(
        sum(a.done for a in answers),
        sum(a.failed for a in answers),
        calls,
        max(a.seconds for a in answers),
        cpu,
    )


def measure(name: str, clients: list[int], workers: int, seconds: float) -> Iterator[list[str]]:
    """Return the rows of one store."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, files = Path(temporary) / "store", Path(temporary) / "files"
        folder.mkdir()
        files.mkdir()
        make_files(files)
        with opened(name, folder, workers) as store:
            for count in clients:
                runs = load(store, count, write_trial, files, seconds)
                written = load(store, count, write_files, files, seconds)
                rates = [f"{runs.rate:.1f}", f"{runs.rate * METRICS:,.0f}"]
                yield [
                    name,
                    "-" if name == ALONE else str(workers),
                    str(count),
                    *rates,
                    *runs.cells(),
                    f"{written.rate:.1f}",
                    *written.cells(),
                ]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=6.0,
        help="of each measurement; a store and a number of clients has two",
    )
    parser.add_argument("--clients", type=_numbers, default=[1, 4, 16])
    parser.add_argument("--workers", type=_numbers, default=[1, 2], help="processes of the server")
    asked = parser.parse_args()
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"  # as every step does: it is a request more
    multiprocessing.get_context("forkserver").set_forkserver_preload(["bench.tracking_client"])
    print(
        f"a trial: 7 requests, {METRICS} metrics; its files: 5\n\n| {' | '.join(COLUMNS)} "
        f"|\n|{'---|' * len(COLUMNS)}",
        flush=True,
    )
    for name in STORES:
        for workers in asked.workers[:1] if name == ALONE else asked.workers:
            for row in measure(name, asked.clients, workers, asked.seconds):
                print(f"| {' | '.join(row)} |", flush=True)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
