"""Artifacts of runs, and what a running fit or a remote executor writes to its run."""

import atexit
import tempfile
import time
import zipfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.entities import Metric, Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.uri import is_local_uri

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.evaluation.names import MAIN
from starcast.evaluation.scale import STARS, Scale
from starcast.models.fit_report import FitReport
from starcast.tracking.access import explained, missing_allowed
from starcast.tracking.liveness import check_own
from starcast.tracking.store import active_run, place, shown_store

FOLDER = "checkpoint"


def fetch(run_id: str, artifact: str) -> Path:
    """Return a local path of a run's artifact: in the store itself if that is local, else of a copy.

    Raises:
        UserError: the run or the artifact is gone.
    """
    with explained(f"there is no run {run_id} in {shown_store()} any more ({{reason}})"):
        address = _address(mlflow.get_run(run_id), artifact)
    with explained(
        f"{artifact} of run {run_id} is gone: it is not at {place(address)}, where the store has it"
    ):
        local = is_local_uri(address)  # type: ignore[no-untyped-call]
        into = None if local else tempfile.mkdtemp(dir=_scratch())
        path = mlflow.artifacts.download_artifacts(address, dst_path=into)
    return Path(path)


@cache
def _scratch() -> Path:
    """Return a folder that is removed when this process ends; those that MLflow makes would stay."""
    kept = ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(scratch_folder())


def download(run: Run, names: Iterable[str], folder: str) -> dict[str, Path]:
    """Copy artifacts of a run into a folder; return their paths there by name."""
    download_one = mlflow.artifacts.download_artifacts
    return {name: Path(download_one(_address(run, name), dst_path=folder)) for name in names}


def artifacts_of(run_id: str, folder: str | None = None) -> list[str]:
    """Return the paths of artifacts in a folder of a run, or at the top; none if they are gone."""
    with missing_allowed():
        return [item.path for item in mlflow.MlflowClient().list_artifacts(run_id, folder)]
    return []


def _address(run: Run, artifact: str) -> str:
    return f"{str(run.info.artifact_uri).rstrip('/')}/{artifact}"


@dataclass(frozen=True)
class RunRecorder:
    """Logs epochs of one run; holds only plain values, so that it can be sent to another process.

    Of an epoch, only the main scores are logged; scores per rating are logged once, for the kept model.
    """

    run_id: str
    validation_ratings: np.ndarray
    scale: Scale = STARS
    tracking_uri: str = field(default_factory=mlflow.get_tracking_uri)

    def report(self, report: FitReport) -> None:
        """Log the metrics and the main `val_` scores of the probabilities, in one request."""
        check_own(self.run_id)
        now = int(time.time() * 1000)
        scored = report.scores(self.validation_ratings, self.scale)
        wanted = [name for name in scored if name in report.metrics or name.removeprefix("val_") in MAIN]
        batch = [Metric(name, scored[name], now, report.number) for name in wanted]
        mlflow.MlflowClient(self.tracking_uri).log_batch(self.run_id, metrics=batch)


class RunCheckpoints:
    """Stores checkpoints of a fit (`starcast.models.family.Checkpoints`) as artifacts of its run."""

    def __init__(self, run_id: str) -> None:
        self._run_id, self._client, self._number = run_id, mlflow.MlflowClient(), 0

    def keep(self, folder: Path) -> None:
        """Store a folder as one file, in turn under two names: the one before is there until this one is."""
        self._number += 1
        with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
            packed = Path(scratch) / f"{self._number % 2}.zip"
            with zipfile.ZipFile(packed, "w") as archive:
                archive.comment = str(self._number).encode()
                for file in sorted(each for each in folder.rglob("*") if each.is_file()):
                    archive.write(file, file.relative_to(folder))
            self._client.log_artifact(self._run_id, str(packed), FOLDER)

    def kept(self) -> Path | None:
        """Return the files of the last checkpoint of an earlier process that is whole, if there is any."""
        if not self._client.list_artifacts(self._run_id, FOLDER):
            return None
        place, whole = Path(tempfile.mkdtemp(dir=_scratch())), dict[int, Path]()
        for packed in fetch(self._run_id, FOLDER).glob("*.zip"):
            with suppress(zipfile.BadZipFile, EOFError, ValueError), zipfile.ZipFile(packed) as archive:
                archive.extractall(place / packed.stem)  # checks what each file holds
                whole[int(archive.comment)] = place / packed.stem
        if not whole:
            print("the checkpoint is damaged, or of an earlier version: the fit begins anew", flush=True)
            return None
        self._number = max(whole)
        return whole[self._number]

    def remove(self) -> None:
        """Remove the files once the fit is done."""
        check_own(self._run_id)
        if self._client.list_artifacts(self._run_id, FOLDER):
            repository: Any = get_artifact_repository(self._client.get_run(self._run_id).info.artifact_uri)
            repository.delete_artifacts(FOLDER)


@dataclass(frozen=True)
class Uploads:
    """Uploads files as artifacts of one run; holds only plain values, to be sent to another machine."""

    artifact_uri: str
    tracking_uri: str

    def upload(self, file: Path, folder: str) -> None:
        """Put a file into a folder of the run's artifacts, replacing any file of the same name."""
        repository: Any = get_artifact_repository(self.artifact_uri, tracking_uri=self.tracking_uri)
        repository.log_artifact(str(file), folder)

    def check(self, files: Mapping[str, int]) -> None:
        """Check that each folder holds at least this many files.

        Raises:
            UserError: a folder holds fewer.
        """
        repository = get_artifact_repository(self.artifact_uri, tracking_uri=self.tracking_uri)
        for folder, least in files.items():
            if len(repository.list_artifacts(folder)) < least:
                lost = f"what executors wrote is not among the run's artifacts at {self.artifact_uri}"
                advice = "use a tracking server with an artifact store that all machines reach"
                raise UserError(f"{folder}: {lost}; {advice}")


def uploads_of_run() -> Uploads:
    """Return an `Uploads` for the active run."""
    return Uploads(str(active_run().info.artifact_uri), mlflow.get_tracking_uri())
