"""Find the scored runs of experiments, and read them to compare them."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import polars as pl
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.evaluation.names import LOWER_IS_BETTER, PROBABILITY_SCORES
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix
from starcast.reports.table import one_line
from starcast.reviews.parquet import read_row_groups
from starcast.tracking.access import explained
from starcast.tracking.artifacts import artifacts_of, download
from starcast.tracking.commands import command_line
from starcast.tracking.history import OPTIONS
from starcast.tracking.store import active_run, link_to, search, shown_store

READERS = 8  # threads: with a remote server, most of the time is spent waiting
# A search logs its best trial's score, but only trials and candidates have a family. No score is below -1.
SCORED = "tags.family != '' and attributes.status = 'FINISHED' and metrics.`{split}_{metric}` >= -1"
EQUAL = 1e-6  # how far apart two computations of one score may be
SETTINGS_FILE = "settings.json"
EXECUTIONS = "executions"  # the parameter of a trial that says how often it was trained
EXAMPLE = "params.sampling = 'none' and tags.family = 'gru_1'"
NAMED = 20  # experiments in a message


@dataclass(frozen=True)
class Predictions:
    """What a run predicted, in ascending order of the reviews' ids; ratings as index from 0."""

    review_ids: np.ndarray
    ratings: np.ndarray  # true ones, shape (reviews,)
    predicted: np.ndarray  # shape (reviews,)
    probabilities: np.ndarray  # of the ratings, shape (reviews, labels)
    scale: Scale = STARS

    @cached_property
    def reviews(self) -> str:
        """Return a digest of the reviews and their true ratings, equal for runs that answered the same."""
        ids = "\n".join(map(str, self.review_ids)).encode()
        return hashlib.sha256(ids + self.ratings.tobytes()).hexdigest()[:8]

    def to_compare(self, metric: str) -> "ComparedAnswers":
        """Return what a comparison by a score needs, of many runs at once."""
        needed = self.probabilities if metric in ("auc", *PROBABILITY_SCORES) else None
        return ComparedAnswers(self.reviews, self.ratings, self.predicted, needed)


@dataclass(frozen=True)
class ComparedAnswers:
    """What a run predicted, without the reviews' ids, of which a million take 90 MB."""

    reviews: str  # digest of the reviews and their true ratings
    ratings: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray | None  # None where the score is not of these


@dataclass(frozen=True)
class ScoredRun:
    """A run with its scores on one split."""

    run_id: str
    name: str
    settings: Mapping[str, str]  # everything that was set: parameters and the family's settings
    tags: Mapping[str, str]  # everything else that runs may be grouped by
    scores: Mapping[str, float]  # `starcast.evaluation.scores` by name, without a split's prefix
    matrix: np.ndarray  # confusion matrix, counts, shape (labels, labels)
    answers: ComparedAnswers | None  # None where the run kept its matrix only
    curve: Mapping[int, float]  # epoch to validation score, of a run with several epochs
    seconds: float  # of the fit
    parameters: float | None  # number of trained parameters, if known
    link: str  # to its page, as Markdown
    scale: Scale = STARS

    @property
    def executions(self) -> int:
        """Return how many fits are in the matrix, each of which answered every review."""
        return 1 if self.answers else int(self.settings.get(EXECUTIONS, "1"))

    @property
    def reviews(self) -> int:
        """Return the number of reviews it was scored on."""
        return int(self.matrix.sum()) // self.executions

    def get(self, name: str) -> str:
        """Return a tag (what was done), else a setting (what was requested), else the empty text."""
        return self.tags.get(name) or self.settings.get(name, "")


@dataclass(frozen=True)
class LeftOut:
    """A run that has a score but cannot be compared, and why."""

    run_id: str
    why: str


def find_runs(
    experiments: Sequence[str], wanted: str, split: str, metric: str, most: int
) -> tuple[list[Run], list[str]]:
    """Return at most `most` finished runs with a score on a split, best first, and the ids of the others.

    Args:
        experiments: names; if empty, the experiment of the active run.
        wanted: MLflow's filter, or empty.

    Raises:
        UserError: no such experiment, MLflow cannot read the filter, or no run is left.
    """
    ids, name, also = _experiment_ids(experiments), f"{split}_{metric}", f"{wanted} and " if wanted else ""
    with explained(f'parameter filter: MLflow cannot read "{wanted}" ({{reason}}); write e.g. {EXAMPLE}'):
        every = search(ids, also + SCORED.format(split=split, metric=metric))
    found = [run for run in every if math.isfinite(run.data.metrics[name])]
    if found:
        found.sort(key=lambda run: run.data.metrics[name], reverse=metric not in LOWER_IS_BETTER)
        return found[:most], [str(run.info.run_id) for run in found[most:]]
    matched = f" that matches {wanted}" if wanted else ""
    where = ", ".join(mlflow.get_experiment(each).name for each in ids)
    advice = f"make runs first ({command_line('tune')}), or name another experiment"
    if wanted:
        advice = "check the filter, or leave it empty"
    if split == "test" and search(ids, also + SCORED.format(split="val", metric=metric), most=1):
        advice = "there are runs scored on validation, compare these with split=val"
    raise UserError(f"no finished run{matched} in experiment {where} has {name}: {advice}")


def _experiment_ids(names: Sequence[str]) -> list[str]:
    if not names:
        return [str(active_run().info.experiment_id)]
    known = {each.name: str(each.experiment_id) for each in mlflow.search_experiments()}
    for name in names:
        if name not in known:
            more = f" and {len(known) - NAMED:,} more" if len(known) > NAMED else ""
            there = f"there are {', '.join(list(known)[:NAMED])}{more}"
            raise UserError(f"parameter experiment: there is no {name!r} on {shown_store()}; {there}")
    return [known[name] for name in names]


def read_runs(runs: Sequence[Run], split: str, metric: str) -> Iterator[ScoredRun | LeftOut]:
    """Yield runs with what they kept of a split, in order, or why that cannot be compared."""
    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(partial(_read_or_leave_out, split=split, metric=metric), runs)


def _read_or_leave_out(run: Run, split: str, metric: str) -> ScoredRun | LeftOut:
    try:
        # Any error that files cause that are damaged, or of another program.
        with explained("what they kept cannot be read ({reason})", Exception):
            read = _read(run, split, metric)
    except UserError as why:
        return LeftOut(run.info.run_id, str(why))
    return read or LeftOut(run.info.run_id, "their predictions and confusion matrices are gone")


def _read(run: Run, split: str, metric: str) -> ScoredRun | None:
    info, data = run.info, run.data
    predictions, matrix = f"predictions_{split}.parquet", f"confusion_matrix_{split}.json"
    kept = {predictions, matrix, SETTINGS_FILE, OPTIONS} & set(artifacts_of(info.run_id))
    if not kept & {predictions, matrix}:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = download(run, kept - ({matrix} if predictions in kept else set()), folder)
        answers = read_answers(files[predictions]) if predictions in files else None
        counts, scale = _matrix_of(answers) if answers else read_matrix(files[matrix])
        told = [_object_in(files[name]) for name in (OPTIONS, SETTINGS_FILE) if name in files]
    found, logged = float(counts.trace() / counts.sum()), data.metrics.get(f"{split}_accuracy")
    if logged is not None and abs(found - logged) > EQUAL:
        raise ValueError(f"files of another run: their accuracy is {found:.4f}, the run's {logged:.4f}")
    # The parameter `settings` holds the same in one text, but not all of it.
    given = {name: value for name, value in data.params.items() if name != "settings"}
    history = mlflow.MlflowClient().get_metric_history(info.run_id, f"val_{metric}")
    # The last step has the scores of the model that was kept, not of an epoch.
    epochs = sorted({point.step: point.value for point in history}.items())[:-1]
    prefix = f"{split}_"
    return ScoredRun(
        run_id=info.run_id,
        name=one_line(info.run_name or "") or info.run_id,
        settings=given | {name: str(value) for each in told for name, value in each.items()},
        tags=data.tags,
        scores={k.removeprefix(prefix): value for k, value in data.metrics.items() if k.startswith(prefix)},
        matrix=counts,
        answers=answers.to_compare(metric) if answers else None,
        curve=dict(epochs) if len(epochs) > 1 else {},
        seconds=data.metrics.get("fit_seconds", ((info.end_time or math.nan) - info.start_time) / 1000),
        parameters=data.metrics.get("parameters"),
        link=link_to(run),
        scale=scale,
    )


def read_answers(path: Path) -> Predictions:
    """Read what `starcast.reports.files.write_predictions` wrote, in the order of the reviews' ids.

    Raises:
        ValueError: it is a table of another form. Damaged files raise errors of their reader.
    """
    table = pl.concat(list(read_row_groups(path))).sort("review_id")
    kind: type = {pl.String: str, pl.Float64: float}.get(type(table.schema["rating"]), int)
    names = [name for name in table.columns if name.startswith("probability_")]
    scale = Scale.of([kind(name.removeprefix("probability_")) for name in names])
    ratings, predicted = (
        scale.index_of(table[name].to_numpy()).astype(np.int8) for name in ("rating", "predicted")
    )
    probabilities = table.select(names).to_numpy()
    probabilities = probabilities.astype(np.promote_types(probabilities.dtype, np.float32), copy=False)
    if not np.isfinite(probabilities).all() or table["review_id"].is_duplicated().any():
        raise ValueError(f"{path.name}: not one answer with numbers for each review")
    return Predictions(table["review_id"].to_numpy(), ratings, predicted, probabilities, scale)


def _matrix_of(answers: Predictions) -> tuple[np.ndarray, Scale]:
    return count_matrix(answers.ratings, answers.predicted, len(answers.scale)), answers.scale


def read_matrix(path: Path) -> tuple[np.ndarray, Scale]:
    """Read counts of a confusion matrix and its labels from the file of `write_split_files`.

    Raises:
        ValueError: it has another form.
    """
    kept = _object_in(path)
    matrix, scale = np.array(kept.get("matrix", [])), Scale.of(kept.get("labels", STARS.labels))
    whole = matrix.shape == (len(scale), len(scale)) and matrix.dtype.kind == "i"
    if not whole or matrix.min() < 0 or not matrix.any():
        raise ValueError(f"{path.name}: no counts of {len(scale)} ratings by {len(scale)}")
    return matrix, scale


def _object_in(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; raise a ValueError if it holds anything else."""
    kept = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(kept, dict):
        raise ValueError(f"{path.name}: no JSON object")
    return kept
