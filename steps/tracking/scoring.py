"""Load a registered model to score reviews with: our own from its data alone, another's code only with the user's word."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import mlflow
import polars as pl
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from steps.errors import UserError
from steps.models.predictor import Predictor
from steps.tracking import registry
from steps.tracking.packaging import PREDICTOR

TRUST = "trust_model_code"


class Scorer(Protocol):
    """Answers reviews with the columns `text` and, if trained with it, `title`."""

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        """Columns `rating`, `probability_1..5`, `expected_rating`, in the same order."""


@dataclass(frozen=True)
class Loaded:
    """A registered model in memory, how large it is on disk, and whether it reads titles."""

    scorer: Scorer
    version: registry.Version
    megabytes: float
    uses_title: bool = False


@dataclass(frozen=True)
class _ForeignScorer:
    model: PyFuncModel

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        return pl.DataFrame(self.model.predict(reviews.to_pandas()))


def load(version: registry.Version, trust_model_code: bool = False) -> Loaded:
    """Load a version. One that this project logged is rebuilt from its weights: nothing in it is executed.

    Raises:
        UserError: it is another project's and would run its own code, or its files are gone or damaged.
    """
    with TemporaryDirectory() as temporary:
        try:
            stored = get_artifact_repository(version.uri)
            ours = any(item.path == PREDICTOR for item in stored.list_artifacts(str(Path(PREDICTOR).parent)))
            if not ours:
                return _load_foreign(version, trust_model_code)
            folder = Path(stored.download_artifacts(PREDICTOR, temporary))  # type: ignore[no-untyped-call]
            predictor = _read(folder, version)
            return Loaded(predictor, version, _megabytes(folder), predictor.uses_title)
        except (MlflowException, OSError) as error:
            raise UserError(f"model {version.uri}: its files cannot be read ({_first_line(error)})") from None


def _read(folder: Path, version: registry.Version) -> Predictor:
    try:
        return Predictor.load(folder)
    except Exception as error:  # whatever a damaged or a malicious file makes its reader say
        raise UserError(f"model {version.uri}: its files are damaged or unsafe ({_first_line(error)}); train it again") from None


def _load_foreign(version: registry.Version, trusted: bool) -> Loaded:
    if not trusted:
        raise UserError(
            f"model {version.uri} was not logged by starcast: loading it runs code that it brings; if you trust it, {TRUST}=true"
        )
    with TemporaryDirectory() as temporary:
        folder = mlflow.artifacts.download_artifacts(version.uri, dst_path=temporary)
        return Loaded(_ForeignScorer(mlflow.pyfunc.load_model(folder)), version, _megabytes(Path(folder)))


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
