"""Commands and tracking servers as real processes, watched and ended by tests."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil
import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Run

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LONG = 300.0  # seconds that nothing of this takes, on a busy machine either
TUNE = (sys.executable, "-m", "steps.tune", "--families=logistic_regression", "--workers=1", "--epochs=1")


def environment(**more: str) -> dict[str, str]:
    """A user's environment: none of what MLflow leaves for its children; `steps` is found from any folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    found = {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
    }
    return {**clean, **found, "CUDA_VISIBLE_DEVICES": "", **more}


class Watched:
    """A command in a process group of its own; its output is read while it runs, its rest killed."""

    def __init__(self, command: Sequence[str], folder: Path, tracking: str, **more: str) -> None:
        self._process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment(MLFLOW_TRACKING_URI=tracking, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Watched":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        """Everything it has printed."""
        return "".join(self._lines)

    def until(self, pattern: str) -> None:
        """Wait until the output holds a pattern."""
        end = time.monotonic() + LONG
        while not re.search(pattern, self.output):
            if time.monotonic() > end or not self._reader.is_alive():
                pytest.fail(f"{pattern!r} was not printed:\n{self.output}")
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        """Send a signal to every process of the group, as a terminal does."""
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return

    def end(self, seconds: float = LONG) -> int:
        """The exit code."""
        code = self._process.wait(seconds)
        self._reader.join(10)
        return code

    def left(self) -> list[str]:
        """Commands of the processes that are left of it."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            try:
                if (
                    os.getsid(process.pid) == self._process.pid
                    and process.info["status"] != psutil.STATUS_ZOMBIE
                ):
                    found.append(" ".join(process.info["cmdline"]))
            except ProcessLookupError:
                continue
        return found

    def search_id(self) -> str:
        """The run id that an interrupted or lost search is gone on with."""
        [found] = set(re.findall(r"resume=([0-9a-f]{32})", self.output))
        return str(found)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A tracking server that can be killed and started again at its address; on SQLite by default."""

    def __init__(
        self,
        folder: Path,
        empty_database: Path | None = None,
        options: Sequence[str] = ("--workers=1",),
        **more: str,
    ) -> None:
        if empty_database:
            shutil.copy(empty_database, folder / "server.db")
        self._port, self.folder, self._options = free_port(), folder, options
        own = {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder / 'server.db'}",
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / "artifacts"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its job workers outlive a killed server
        }
        self._environment = environment(**{**own, **more})
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start unless it runs; returns at once."""
        if self._process:
            return
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(BIN / "mlflow"), "server", "--port", str(self._port), *self._options],
                cwd=self.folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + LONG
        while time.monotonic() < end:
            try:
                if requests.get(f"{self.address}/health", timeout=2).ok:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        pytest.fail(self.log)

    def kill(self) -> None:
        """Kill it with its children."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It neither answers nor refuses within this context."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def log(self) -> str:
        """Everything it has printed."""
        return (self.folder / "server.log").read_text()

    def client(self) -> MlflowClient:
        """Reads its database, whether it runs or not."""
        return MlflowClient(self._environment["MLFLOW_BACKEND_STORE_URI"])


def trials_of(client: MlflowClient, search_id: str) -> dict[int, Run]:
    """The trials of a search by number; a number twice is an error."""
    experiment = client.get_run(search_id).info.experiment_id
    found = client.search_runs(
        [experiment], f"tags.`mlflow.parentRunId` = '{search_id}' and tags.trial_number != ''"
    )
    numbered = {int(run.data.tags["trial_number"]): run for run in found}
    assert len(numbered) == len(found), "a trial's number was given twice"
    return numbered


def ended_trials(client: MlflowClient, search_id: str) -> dict[int, Run]:
    """Those that count as trials of the search."""
    ended = {n: run for n, run in trials_of(client, search_id).items() if run.info.status != "RUNNING"}
    return {
        n: run for n, run in ended.items() if run.data.tags.get("outcome") in ("complete", "pruned", "failed")
    }


def until_stored(client: MlflowClient) -> None:
    """Wait until the running search has a stored trial: its line is printed before it is written."""
    end = time.monotonic() + LONG
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    [search] = client.search_runs(experiments, "tags.step = 'tune' and attributes.status = 'RUNNING'")
    while not ended_trials(client, search.info.run_id):
        assert time.monotonic() < end, "no trial reached the store"
        time.sleep(0.1)


def contents(client: MlflowClient, trials: Mapping[int, Run]) -> dict[int, object]:
    """What the store holds of trials, in full."""
    return {
        number: (
            {**vars(run.info)},
            run.data.params,
            run.data.tags,
            {
                name: sorted(
                    (m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, name)
                )
                for name in run.data.metrics
            },
        )
        for number, run in trials.items()
    }


def assert_is_done(client: MlflowClient, search_id: str, trials: int) -> None:
    """A search that ended as it should: so many ended trials, no run left RUNNING, a candidate."""
    parent = client.get_run(search_id)
    assert parent.info.status == "FINISHED"
    assert len(ended_trials(client, search_id)) == trials
    assert {run.info.status for run in ended_trials(client, search_id).values()} == {"FINISHED"}
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{search_id}'")
    assert "RUNNING" not in {run.info.status for run in children}
    [candidate] = [
        run for run in children if run.data.tags.get("role") == "candidate" and run.info.status == "FINISHED"
    ]
    assert client.get_model_version_by_alias("review-rating", "challenger").run_id == candidate.info.run_id
    assert parent.data.metrics["trials_complete"] == trials
    assert parent.data.tags["best_run_id"] in {
        run.info.run_id for run in ended_trials(client, search_id).values()
    }
