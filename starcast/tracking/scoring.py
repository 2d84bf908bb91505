"""Load a registered model to score reviews: our own from its data alone, another's only if trusted."""

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.evaluation.scale import STARS, Scale
from starcast.models.predictor import DESCRIPTION, Predictor, trained_columns
from starcast.models.scored_table import ScoringSummary, add_answers, expected_stars
from starcast.reviews import write
from starcast.reviews.layouts import Layout
from starcast.reviews.parsing import Chunk
from starcast.tracking import packaging
from starcast.tracking.access import explained, missing_allowed
from starcast.tracking.registry import Version

TRUST = "trust_model_code"
SPARK_TYPES = {int: "long", float: "double", str: "string"}


@dataclass(frozen=True)
class Trained:
    """What a model was trained on, as far as it says so: with titles or not, columns, ratings."""

    uses_title: bool | None = None
    columns: Layout | None = None
    scale: Scale = STARS


@dataclass(frozen=True)
class LoadedModel:
    """A registered model in memory, its size on disk, and its predictor unless another project logged it.

    `predict` answers reviews (`text` and, if trained with it, `title`) with `rating`, a
    `probability_` of each label and `expected_rating`, in the same order.
    """

    predict: Callable[[pl.DataFrame], pl.DataFrame]
    version: Version
    megabytes: float
    predictor: Predictor | None = None

    @property
    def scale(self) -> Scale:
        """Return the ratings that it answers with; another project's model is taken to give stars."""
        return self.predictor.scale if self.predictor else STARS


def trained_on(version: Version) -> Trained:
    """Return what a version was trained on, without loading it; another project's model does not say."""
    described: dict[str, Any] = {}
    with missing_allowed(), tempfile.TemporaryDirectory() as temporary:
        stored: Any = get_artifact_repository(version.uri)
        file = Path(stored.download_artifacts(f"{packaging.PREDICTOR}/{DESCRIPTION}", dst_path=temporary))
        described = json.loads(file.read_text(encoding="utf-8"))
    scale = Scale.of(described.get("labels", STARS.labels))
    return Trained(described.get("uses_title"), trained_columns(described), scale)


def load(version: Version, trust_model_code: bool = False) -> LoadedModel:
    """Load a version. One that starcast logged is rebuilt from its weights: nothing in it is executed.

    Raises:
        UserError: it is from another project and would run its own code, its files are gone or damaged, or it
            was saved with code whose predictions differ from this version's.
    """
    named = f"model {version.uri}"
    with (
        tempfile.TemporaryDirectory() as temporary,
        explained(f"{named}: its files cannot be read ({{reason}})"),
    ):
        stored: Any = get_artifact_repository(version.uri)
        ours = any(item.path == packaging.PREDICTOR for item in stored.list_artifacts("artifacts"))
        if not ours and not trust_model_code:
            advice = f"loading it runs code that it brings; if you trust it, {TRUST}=true"
            raise UserError(f"{named} was not logged by starcast: {advice}")
        fetch = stored.download_artifacts if ours else mlflow.artifacts.download_artifacts
        folder = Path(fetch(packaging.PREDICTOR if ours else version.uri, dst_path=temporary))
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        if not ours:
            model = mlflow.pyfunc.load_model(str(folder))
            return LoadedModel(lambda asked: pl.DataFrame(model.predict(asked.to_pandas())), version, size)
        saved = Model.load(stored.download_artifacts("MLmodel", temporary)).metadata or {}
        # Any error that a damaged or malicious file causes in its reader.
        with explained(f"{named}: its files are damaged or unsafe ({{reason}}); train it again", Exception):
            predictor = Predictor.load(folder)
    if difference := packaging.answers_otherwise(predictor, saved):
        again = "use the code of its run's git commit, serve it with `mlflow models serve`, or train it again"
        raise UserError(f"{named}: this version of starcast answers otherwise ({difference}); {again}")
    return LoadedModel(predictor.predict, version, size, predictor)


def answer_column(session: Any, loaded: LoadedModel, folder: Path) -> Callable[[Any], Any]:
    """Return a function of Spark columns: a struct of `text` (and `title`) in, a struct of answers out.

    `session` is a SparkSession; only the subpackage `spark` imports pyspark.
    A model of ours is saved to `folder` again, with this project's code: its stored code is not executed.
    """
    uri = loaded.version.uri
    before, tempfile.tempdir = tempfile.tempdir, str(folder)  # MLflow leaves there what it ships
    try:
        with warnings.catch_warnings():  # that the model has no example, and is loaded into this environment
            warnings.simplefilter("ignore")
            if loaded.predictor:
                uri = str(folder / "model")
                packaging.save_model(loaded.predictor, Path(uri))
            answer = _spark_answer(loaded.scale)
            return mlflow.pyfunc.spark_udf(session, uri, result_type=answer, env_manager="local")
    finally:
        tempfile.tempdir = before


def _spark_answer(scale: Scale) -> str:
    """Return the schema of answers in Spark's words."""
    numbers = ", ".join(f"`{name}` double" for name in (*scale.probabilities, "expected_rating"))
    return f"rating {SPARK_TYPES[type(scale.labels[0])]}, {numbers}"


def score_all(chunks: Iterator[Chunk], layout: Layout, loaded: LoadedModel, output: Path) -> ScoringSummary:
    """Score and write chunk by chunk."""
    progress, stars = Progress("reviews"), 0.0
    with write.open_file(output) as writer:
        for chunk in chunks:
            scored = score(chunk.table, layout, loaded)
            writer.write(scored)
            stars += expected_stars(scored)
            progress.show("scoring the input", chunk.share, scored.height)
    return ScoringSummary(progress.count, stars / progress.count, progress.per_second())


def score(table: pl.DataFrame, layout: Layout, loaded: LoadedModel) -> pl.DataFrame:
    """Return all columns of a table followed by those of the answers.

    Raises:
        UserError: the model is from another project, and its predictions have another form than ours.
    """
    wanted = {"text": layout.text, "title": layout.title}
    columns = [pl.col(column).cast(pl.String).alias(name) for name, column in wanted.items() if column]
    return add_answers(table, loaded.predict(table.select(columns)), loaded.version.named, loaded.scale)
