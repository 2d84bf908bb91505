"""Load a registered model to score reviews: our own from its data alone, another's only if trusted."""

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import polars as pl
from mlflow.models import Model
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from polars import selectors

from starcast.cli.errors import UserError, first_line
from starcast.cli.progress import Progress
from starcast.evaluation.confidence import COLUMNS
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import BUILT_IN
from starcast.models.digests import answering_code, files_of, shown
from starcast.models.predictor import DESCRIPTION, OtherAnswersError, Predictor, trained_columns
from starcast.models.scored_table import ScoringSummary, Totals, add_answers
from starcast.reviews import write
from starcast.reviews.layouts import Layout
from starcast.reviews.parsing import Chunk
from starcast.tracking import packaging
from starcast.tracking.access import explained, missing_allowed
from starcast.tracking.model_files import DIGEST, PREDICTOR, RESTORE, SERVED, ModelFiles
from starcast.tracking.registry import Version
from starcast.tracking.stored_code import answering

TRUST = "trust_model_code"
SPARK_TYPES = {int: "long", float: "double", str: "string"}


@dataclass(frozen=True)
class Trained:
    """What a model was trained on, as far as it says so: with titles or not, columns, ratings.

    `reviewed`: whether it says how sure it is of a rating, and which ratings need review.
    """

    uses_title: bool | None = None
    columns: Layout | None = None
    scale: Scale = STARS
    reviewed: bool = False


@dataclass(frozen=True)
class LoadedModel:
    """A registered model that answers while its block runs.

    Attributes:
        predict: answers reviews (`text` and, if trained with it, `title`) with `rating`, a `probability_` of
            each label, `expected_rating` and, if `reviewed`, `confidence` and `needs_review`, in their order.
        megabytes: size on disk.
        predictor: the model, if starcast logged it and it answers in this process.
        notes: what is to be said about the code that answers.
        stored: the folder of a model that answers with the code stored in it.
        explained: whether `predict` also answers with `words` that speak for and against each rating.
    """

    predict: Callable[[pl.DataFrame], pl.DataFrame]
    version: Version
    megabytes: float
    trained: Trained = Trained()
    predictor: Predictor | None = None
    notes: tuple[str, ...] = ()
    stored: Path | None = None
    explained: bool = False

    @property
    def scale(self) -> Scale:
        """Return the ratings that it answers with; another project's model is taken to give stars."""
        return self.trained.scale


def trained_on(version: Version) -> Trained:
    """Return what a version was trained on, without loading it; another project's model does not say.

    Raises:
        UserError: its description is damaged.
    """
    with missing_allowed(), tempfile.TemporaryDirectory() as temporary:
        stored: Any = get_artifact_repository(version.uri)
        file = Path(stored.download_artifacts(f"{PREDICTOR}/{DESCRIPTION}", dst_path=temporary))
        return _trained(version, file.read_bytes())
    return Trained()


def _trained(version: Version, description: bytes) -> Trained:
    with explained(f"model {version.uri}: {DESCRIPTION} is damaged ({{reason}}); {RESTORE}", Exception):
        described: dict[str, Any] = json.loads(description)
        scale = Scale.of(described.get("labels", STARS.labels))
        reviewed = described.get("threshold") is not None
        return Trained(described["uses_title"], trained_columns(described), scale, reviewed)


def _own_family(version: Version, description: bytes) -> str:
    """Return the names of a model's families that are none of starcast; empty if all are."""
    with explained(f"model {version.uri}: {DESCRIPTION} is damaged ({{reason}}); {RESTORE}", Exception):
        described: dict[str, Any] = json.loads(description)
        family = described["family"]
        return ", ".join(described.get("own_families", () if family in BUILT_IN else (family,)))


@contextmanager
def opened(
    version: Version, trust_model_code: bool = False, as_served: bool = False
) -> Iterator[LoadedModel]:
    """Load a version, which answers until the block ends.

    One that starcast logged answers as when it was saved: from its data alone where the code here is the code
    that it was saved with, else with the code that is stored in it, in a process of its own. That code runs
    only if its digests are those that the version's tag tells, or the user trusts it.

    Args:
        as_served: whether to check the code that `mlflow models serve` will run, too.

    Raises:
        UserError: its files are gone, damaged or changed, it answers otherwise than when it was saved, or it
            would run code that nothing vouches for.
    """
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as running:
        files = ModelFiles(version.uri, version.tags, Path(temporary))
        described = files.described()
        if "family" not in (described.metadata or {}):
            yield _of_another_project(files, version, trust_model_code)
            return
        sums, folder = files.sums(), files.folder / PREDICTOR
        if sums:
            files.fetch_checked(sums, PREDICTOR)
        else:
            files.fetch(PREDICTOR)
        size = sum(file.stat().st_size for file in files_of(folder)) / 1e6
        if as_served:
            files.refuse_another_loader(described)
        description = (folder / DESCRIPTION).read_bytes()
        trained, own = _trained(version, description), _own_family(version, description)
        stored, notes = _other_code(files, sums, trust_model_code, as_served, own)
        if stored:
            predict = running.enter_context(answering(files.folder, files.named))
            yield LoadedModel(predict, version, size, trained, notes=notes, stored=files.folder)
            return
        predictor = _load(files, described)
        yield LoadedModel(predictor.predict, version, size, trained, predictor, notes)


def _of_another_project(files: ModelFiles, version: Version, trusted: bool) -> LoadedModel:
    if not trusted:
        advice = f"loading it runs code that it brings; if you trust it, {TRUST}=true"
        raise UserError(f"{files.named} was not logged by starcast: {advice}")
    with explained(f"{files.named}: its files cannot be read ({{reason}})"):
        folder = Path(mlflow.artifacts.download_artifacts(files.uri, dst_path=str(files.folder)))
        size = sum(file.stat().st_size for file in files_of(folder)) / 1e6
        model = mlflow.pyfunc.load_model(str(folder))
    named = files.named
    return LoadedModel(lambda asked: _as_table(model.predict(asked.to_pandas()), asked, named), version, size)


def _as_table(answered: Any, asked: pl.DataFrame, named: str) -> pl.DataFrame:
    """Return what another project's model answers; one value per review is a rating.

    Raises:
        UserError: it answers something else than a row per review.
    """
    reviews, wanted = asked.height, "it needs a rating for each"
    if not hasattr(answered, "columns"):  # no table
        values = np.asarray(answered)
        if values.shape != (reviews,):
            raise UserError(
                f"{named}: answers {reviews} reviews with values of shape {values.shape}; {wanted}"
            )
        return pl.DataFrame({"rating": values})
    table = pl.DataFrame(answered)
    if table.height != reviews or "rating" not in table.columns:
        given = f"{table.height} rows of {', '.join(table.columns)}"
        raise UserError(f"{named}: answers {reviews} reviews with {given}; {wanted}")
    return table


def _other_code(
    files: ModelFiles, sums: Mapping[str, str], trusted: bool, as_served: bool, own: str
) -> tuple[bool, tuple[str, ...]]:
    """Return whether a model is to answer with its stored code, then copied and checked; and what to say.

    Args:
        own: the name of a family that is not of starcast; empty for others.

    Raises:
        UserError: the code was changed since the model was saved, or nothing vouches for it.
    """
    here = answering_code()
    stored = {name.removeprefix("code/"): found for name, found in sums.items()}
    if not sums and (trusted or as_served):
        stored = answering_code(files.fetch("code"))
    differing = sorted(name for name, found in here.items() if stored.get(name) != found)
    if sums and (differing or as_served or own):
        files.fetch_checked(sums, *SERVED)
    other = (
        f"{files.named} is of the family {own}, whose code came with it"
        if own and not differing
        else f"{files.named} was saved with other code of starcast ({shown(differing)})"
    )
    if (differing or own) and (trusted or DIGEST in files.tags):
        return True, (f"{other}: it answers with that code, in a process of its own",)
    if own or (differing and sums):
        advice = f"if you trust whoever can write its files, {TRUST}=true answers with that code"
        raise UserError(f"{other}, for which no tag {DIGEST} of the version vouches; {advice}")
    if sums or trusted:
        return False, ()
    unknown = f"{files.named} was saved by an earlier version of starcast, without digests"
    if as_served and differing:
        unknown += f", and with other code ({shown(differing)}): `mlflow models serve` runs that"
    checked = "whether it answers as it was judged then cannot be checked"
    return False, (f"{unknown}; {checked}; {TRUST}=true answers with the code stored in it",)


def _load(files: ModelFiles, described: Model) -> Predictor:
    """Rebuild a predictor from its weights with the code here: nothing in its files is executed."""
    folder = files.folder / PREDICTOR
    otherwise = f"{files.named}: here it answers otherwise than when it was saved"
    try:
        predictor = Predictor.load(folder, runs_own_code=False)
    except OtherAnswersError as difference:
        packages = "use the versions of packages in its requirements.txt"
        raise UserError(f"{otherwise} ({difference}); {packages}") from None
    except Exception as error:  # any that a damaged or malicious file causes in its reader
        said = first_line(error if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
        raise UserError(f"{files.named}: its files are damaged or unsafe ({said}); {RESTORE}") from None
    if since := packaging.answers_otherwise(predictor, described.metadata or {}):
        again = f"{TRUST}=true answers with the code stored in it"
        raise UserError(f"{otherwise} ({since}); {again}")
    return predictor


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
            answer = _spark_answer(loaded.trained)
            return mlflow.pyfunc.spark_udf(session, uri, result_type=answer, env_manager="local")
    finally:
        tempfile.tempdir = before


def _spark_answer(trained: Trained) -> str:
    """Return the schema of answers in Spark's words."""
    numbers = ", ".join(f"`{name}` double" for name in (*trained.scale.probabilities, "expected_rating"))
    review = f", {COLUMNS[0]} double, {COLUMNS[1]} boolean" if trained.reviewed else ""
    return f"rating {SPARK_TYPES[type(trained.scale.labels[0])]}, {numbers}{review}"


def score_all(chunks: Iterator[Chunk], layout: Layout, loaded: LoadedModel, output: Path) -> ScoringSummary:
    """Score and write chunk by chunk: each is written while the next one is read and scored."""
    progress, totals = Progress("reviews"), Totals()
    with write.open_file(output) as writer, ThreadPoolExecutor(1) as beside:
        writing: Future[None] | None = None
        for chunk in chunks:
            scored, counted = score(chunk.table, layout, loaded)
            if writing:
                writing.result()  # one at a time, or a slow disk would fill the memory
            writing = beside.submit(writer.write, scored)
            totals = totals.plus(counted)
            progress.show("scoring the input", chunk.share, scored.height)
        if writing:
            writing.result()
    return ScoringSummary(totals, progress.per_second())


def score(table: pl.DataFrame, layout: Layout, loaded: LoadedModel) -> tuple[pl.DataFrame, Totals]:
    """Return all columns of a table followed by those of the answers, and the sums over these.

    Raises:
        UserError: the model is from another project, and its predictions have another form than ours.
    """
    wanted = {"text": layout.text, "title": layout.title}
    # Named by a selector: `pl.col` reads a name such as `*` or `^a.*$` as a pattern.
    given = {name: selectors.by_name(column).cast(pl.String) for name, column in wanted.items() if column}
    answers, form = loaded.predict(table.select(**given)), (loaded.scale, loaded.trained.reviewed)
    scored = add_answers(table, answers, loaded.version.named, *form, loaded.explained)
    return scored, Totals.of(answers, *form)
