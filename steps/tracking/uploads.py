"""How a process without a run of its own hands files to a run's artifacts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from steps.errors import UserError


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
