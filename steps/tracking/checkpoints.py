"""The state of a candidate's fit as artifacts of its run, for as long as the fit is under way."""

from pathlib import Path

import mlflow
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from steps.tracking.reuse import fetch

FOLDER = "checkpoint"


class RunCheckpoints:
    """`steps.models.checkpoint.Checkpoints` on a run of the store in use."""

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
            get_artifact_repository(self._client.get_run(self._run_id).info.artifact_uri).delete_artifacts(FOLDER)  # type: ignore[no-untyped-call]
