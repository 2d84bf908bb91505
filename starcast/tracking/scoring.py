"""Load a registered model to score reviews with: our own from its data alone, another's code only with the user's word."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import mlflow
import polars as pl
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from starcast.cli.errors import UserError
from starcast.cli.progress import ReviewLines
from starcast.models.predictor import Predictor
from starcast.models.scored_table import ScoringSummary, add_answers
from starcast.reviews import write
from starcast.reviews.layouts import Layout
from starcast.reviews.stream import Chunk
from starcast.tracking import packaging, registry
from starcast.tracking.packaging import PREDICTOR

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

TRUST = "trust_model_code"


class Scorer(Protocol):
    """Answers reviews with the columns `text` and, if trained with it, `title`."""

    def predict(self, reviews: pl.DataFrame) -> pl.DataFrame:
        """Columns `rating`, `probability_1..5`, `expected_rating`, in the same order."""


@dataclass(frozen=True)
class LoadedModel:
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


def load(version: registry.Version, trust_model_code: bool = False) -> LoadedModel:
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
            return LoadedModel(predictor, version, _megabytes(folder), predictor.uses_title)
        except (MlflowException, OSError) as error:
            raise UserError(f"model {version.uri}: its files cannot be read ({_first_line(error)})") from None


def _read(folder: Path, version: registry.Version) -> Predictor:
    try:
        return Predictor.load(folder)
    except Exception as error:  # whatever a damaged or a malicious file makes its reader say
        raise UserError(
            f"model {version.uri}: its files are damaged or unsafe ({_first_line(error)}); train it again"
        ) from None


def _load_foreign(version: registry.Version, trusted: bool) -> LoadedModel:
    if not trusted:
        raise UserError(
            f"model {version.uri} was not logged by starcast: loading it runs code that it brings; if you trust it, {TRUST}=true"
        )
    with TemporaryDirectory() as temporary:
        folder = mlflow.artifacts.download_artifacts(version.uri, dst_path=temporary)
        return LoadedModel(
            _ForeignScorer(mlflow.pyfunc.load_model(folder)), version, _megabytes(Path(folder))
        )


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


ANSWER = (
    "rating long, "
    + ", ".join(f"probability_{rating} double" for rating in range(1, 6))
    + ", expected_rating double"
)


def answer_column(session: "SparkSession", loaded: LoadedModel, folder: Path) -> "Callable[[Column], Column]":
    """What answers a struct of `text` (and `title`) with a struct of stars, in the executors.

    One of ours is written to `folder` anew, with this project's code: what came with it is not executed.
    """
    uri = loaded.version.uri
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # MLflow leaves there what it ships
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # that the model has no example, and is loaded into this environment
            if isinstance(loaded.scorer, Predictor):
                uri = str(folder / "model")
                packaging.save_model(loaded.scorer, Path(uri))
            return mlflow.pyfunc.spark_udf(session, uri, result_type=ANSWER, env_manager="local")
    finally:
        tempfile.tempdir = before


def _score_all(chunks: Iterator[Chunk], layout: Layout, loaded: LoadedModel, output: Path) -> ScoringSummary:
    """Score and write chunk by chunk."""
    done, stars = ReviewLines(), 0.0
    with write.open_whole(output) as writer:
        for chunk in chunks:
            scored = score(chunk.table, layout, loaded)
            writer.write(scored)
            stars += float(scored["expected_rating"].sum())
            done.show(scored.height, chunk.share)
    return ScoringSummary(done.reviews, stars / done.reviews, done.per_second())


def score(table: pl.DataFrame, layout: Layout, loaded: LoadedModel) -> pl.DataFrame:
    """All columns of a table, and behind them the `ADDED` ones.

    Raises:
        UserError: the model, another project's, answers otherwise than ours.
    """
    wanted = {"text": layout.text, "title": layout.title}
    columns = [pl.col(column).cast(pl.String).alias(name) for name, column in wanted.items() if column]
    return add_answers(table, loaded.scorer.predict(table.select(columns)), loaded.version.named)
