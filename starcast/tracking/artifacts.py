"""The state of a candidate's fit as artifacts of its run, for as long as the fit is under way."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from starcast.cli.errors import UserError

FOLDER = "checkpoint"


class RunCheckpoints:
    """`starcast.models.checkpoint.Checkpoints` on a run of the store in use."""

    def __init__(self, run_id: str) -> None:
        self._run_id, self._client = run_id, mlflow.MlflowClient()

    def keep(self, folder: Path) -> None:
        """Put the files in place of those of the epoch before."""
        self._client.log_artifacts(self._run_id, str(folder), FOLDER)

    def kept(self) -> Path | None:
        """The files of the last epoch of an earlier process."""
        return fetch(self._run_id, FOLDER) if self._client.list_artifacts(self._run_id, FOLDER) else None

    def remove(self) -> None:
        """The fit is done: what is left is its model."""
        if self._client.list_artifacts(self._run_id, FOLDER):
            get_artifact_repository(self._client.get_run(self._run_id).info.artifact_uri).delete_artifacts(
                FOLDER
            )  # type: ignore[no-untyped-call]


def fetch(run_id: str, artifact: str) -> Path:
    """A local path of a run's artifact: the store itself where it is local, else a copy."""
    root = str(mlflow.get_run(run_id).info.artifact_uri).rstrip("/")
    return Path(mlflow.artifacts.download_artifacts(f"{root}/{artifact}"))


@dataclass(frozen=True)
class Uploads:
    """Files become artifacts of one run; holds only plain values, so that it can be sent to another machine."""

    artifact_uri: str
    tracking_uri: str

    def upload(self, file: Path, folder: str) -> None:
        """Put a file into a folder of the run's artifacts, in place of one of its name."""
        repository: Any = get_artifact_repository(self.artifact_uri, tracking_uri=self.tracking_uri)
        repository.log_artifact(str(file), folder)

    def check(self, files: Mapping[str, int]) -> None:
        """See that folders hold at least so many files.

        Raises:
            UserError: one does not.
        """
        repository = get_artifact_repository(self.artifact_uri, tracking_uri=self.tracking_uri)
        for folder, least in files.items():
            if len(repository.list_artifacts(folder)) < least:
                raise UserError(
                    f"{folder}: what executors wrote is not among the run's artifacts at {self.artifact_uri}; use a tracking "
                    "server with an artifact store that all machines reach"
                )


def uploads_of_run() -> Uploads:
    """Uploads to the active run."""
    run = mlflow.active_run()
    assert run is not None, "files become artifacts of a run"
    return Uploads(str(run.info.artifact_uri), mlflow.get_tracking_uri())
