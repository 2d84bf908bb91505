"""The files of a registered model: copied here, and held against the digests that they were saved with."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from starcast.cli.errors import UserError
from starcast.models.digests import SUMS, changes, digest, read_sums, shown
from starcast.tracking.access import explained, missing_allowed

DIGEST = "starcast_digest"  # tag of a version: the digest of its file of digests
PREDICTOR = "artifacts/predictor"  # where MLflow puts the folder of a predictor
SERVED = ("code", "review_model.py")  # what `mlflow models serve` runs
MODEL_CONFIG = {"answer": "all"}  # by default; with `rating`, a model answers that alone
RESTORE = "put back what was saved, or train it again"


def digest_tag(model_uri: str) -> dict[str, str]:
    """Return the tag that lets a version vouch for the files of its model; none if these have no digests."""
    with missing_allowed(), tempfile.TemporaryDirectory() as temporary:
        stored: Any = get_artifact_repository(model_uri)
        return {DIGEST: digest(Path(stored.download_artifacts(SUMS, dst_path=temporary)))}
    return {}


@dataclass(frozen=True)
class ModelFiles:
    """The files of a version: its address, its tags, and the folder for copies of them."""

    uri: str
    tags: Mapping[str, str]
    folder: Path

    @property
    def named(self) -> str:
        """Return how the model is called in messages."""
        return f"model {self.uri}"

    @cached_property
    def _stored(self) -> Any:
        return get_artifact_repository(self.uri)

    def fetch(self, *paths: str) -> Path:
        """Copy files or folders without what Python compiled, which no digest covers; return the last."""
        with explained(f"{self.named}: its files cannot be read ({{reason}})"):
            for path in paths:
                self._stored.download_artifacts(path, dst_path=str(self.folder))
        for compiled in list(self.folder.rglob("__pycache__")):
            shutil.rmtree(compiled)
        return self.folder / paths[-1]

    def described(self) -> Model:
        """Return MLflow's description of the model.

        Raises:
            UserError: it is gone, and so is the model, or damaged.
        """
        where = getattr(getattr(self._stored, "repo", self._stored), "artifact_uri", self.uri)
        gone = f"{self.named}: its files are not at {where} any more; {RESTORE}"
        with explained(gone):
            self._stored.download_artifacts("MLmodel", dst_path=str(self.folder))
        with explained(f"{self.named}: its file MLmodel is damaged ({{reason}}); {RESTORE}", Exception):
            return Model.load(str(self.folder / "MLmodel"))

    def sums(self) -> dict[str, str]:
        """Return the digests that the model was saved with; none if an earlier version of starcast saved it.

        Raises:
            UserError: they are not those that the version's tag tells.
        """
        with missing_allowed():
            self._stored.download_artifacts(SUMS, dst_path=str(self.folder))
        file = self.folder / SUMS
        if DIGEST in self.tags and not (file.is_file() and digest(file) == self.tags[DIGEST]):
            what = "was changed" if file.is_file() else "is missing"
            raise UserError(f"{self.named}: {SUMS} {what} since the version was registered; {RESTORE}")
        return read_sums(file.read_text(encoding="utf-8", errors="replace")) if file.is_file() else {}

    def fetch_checked(self, sums: Mapping[str, str], *parts: str) -> None:
        """Copy files or folders; raise a UserError if there is one that differs from its digest."""
        try:
            self.fetch(*parts)
        except UserError:
            if not changes(self.folder, sums, parts):  # then what is missing can be named
                raise
        if differing := changes(self.folder, sums, parts):
            raise UserError(f"{self.named}: {shown(differing)} since it was saved; {RESTORE}")

    def refuse_another_loader(self, described: Model) -> None:
        """Raise a UserError if `mlflow models serve` would run something else than the stored code."""
        flavor = described.flavors.get("python_function", {})
        runs = flavor.get("loader_module"), flavor.get("code"), Path(flavor.get("model_code_path", "")).name
        if runs != ("mlflow.pyfunc.loaders.code_model", *SERVED):
            said = f"its file MLmodel was changed: `mlflow models serve` would run {runs}"
            raise UserError(f"{self.named}: {said}; {RESTORE}")
        if flavor.get("config") not in (None, MODEL_CONFIG):  # none: saved before version 0.10
            said = f"its file MLmodel was changed: it would answer by {flavor['config']}"
            raise UserError(f"{self.named}: {said}; {RESTORE}")
