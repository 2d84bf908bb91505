"""Scored runs of experiments, found and read back to be compared."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList

from starcast.cli.errors import UserError
from starcast.evaluation.scores import count_matrix
from starcast.evaluation.names import LOWER_IS_BETTER
from starcast.tracking.server import shown_store


@dataclass(frozen=True)
class Predictions:
    """What a run predicted: the reviews' ids in ascending order; true and predicted ratings as index 0-4, shape (reviews,).

    Also the `probabilities` of the ratings, shape (reviews, 5).
    """

    review_ids: np.ndarray
    ratings: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @cached_property
    def reviews(self) -> str:
        """A digest of the reviews and their true ratings: runs of equal digest answered the same questions."""
        return hashlib.sha256(
            "\n".join(map(str, self.review_ids)).encode() + self.ratings.tobytes()
        ).hexdigest()[:8]


@dataclass(frozen=True)
class ScoredRun:
    """A run with its scores on one split.

    Args:
        settings: everything that was set, as text: parameters and the family's settings.
        tags: everything else that runs may be grouped by.
        scores: `starcast.evaluation.scores` by name, without a split's prefix.
        matrix: confusion matrix, counts, shape (5, 5).
        answers: None where the run kept its matrix only.
        curve: epoch to validation score, of a run with several epochs.
        seconds: of the fit.
        parameters: number of trained parameters, if known.
    """

    run_id: str
    name: str
    settings: Mapping[str, str]
    tags: Mapping[str, str]
    scores: Mapping[str, float]
    matrix: np.ndarray
    answers: Predictions | None
    curve: Mapping[int, float]
    seconds: float
    parameters: float | None

    def get(self, name: str) -> str:
        """A tag or setting by name; empty if the run has none. A tag says what was done, a setting what was asked for."""
        return self.tags.get(name) or self.settings.get(name, "")


PAGE = 1_000  # runs, or experiments, per request
READERS = 8  # at the same time: a server far away is waited for, not worked with
# A search carries its best trial's score under the same name; what has a family is the trial or candidate itself.
SCORED = "tags.family != '' and attributes.status = 'FINISHED' and metrics.`{split}_{metric}` >= -1"  # no score is below -1
SETTINGS_FILE = "settings.json"


@dataclass(frozen=True)
class FoundRuns:
    """Runs to compare, best first, and how many there are beyond them."""

    runs: list[Run]
    left_out: int


def find_runs(experiments: Sequence[str], wanted: str, split: str, metric: str, most: int) -> FoundRuns:
    """The finished runs of experiments with a score on a split; of more than `most` the best ones.

    Args:
        experiments: names; none is the experiment of the active run.
        wanted: MLflow's filter, or empty.

    Raises:
        UserError: no such experiment, MLflow cannot read the filter, or no run is left.
    """
    ids = _experiment_ids(experiments) if experiments else [_active_experiment()]
    scored = SCORED.format(split=split, metric=metric)
    name = f"{split}_{metric}"
    found = [
        run
        for run in _search(ids, f"{wanted} and {scored}" if wanted else scored, wanted)
        if math.isfinite(run.data.metrics[name])
    ]
    if not found:
        raise UserError(_nothing_found(ids, wanted, split, metric))
    found.sort(key=lambda run: run.data.metrics[name], reverse=metric not in LOWER_IS_BETTER)
    return FoundRuns(found[:most], max(len(found) - most, 0))


def _active_experiment() -> str:
    active = mlflow.active_run()
    assert active is not None, "runs are looked for from within a step"
    return str(active.info.experiment_id)


def _experiment_ids(names: Sequence[str]) -> list[str]:
    known = {experiment.name: experiment.experiment_id for experiment in _experiments()}
    if unknown := [name for name in names if name not in known]:
        raise UserError(
            f"parameter experiment: there is no {unknown[0]!r} on {shown_store()}; there are {_listed(known)}"
        )
    return [str(known[name]) for name in names]


def _listed(names: Sequence[str] | dict[str, str], shown: int = 20) -> str:
    first = ", ".join(list(names)[:shown])
    return f"{first} and {len(names) - shown:,} more" if len(names) > shown else first


def _experiments() -> Iterator[Experiment]:
    client, token = mlflow.MlflowClient(), None
    while True:
        page = client.search_experiments(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _search(ids: Sequence[str], asked: str, wanted: str) -> Iterator[Run]:
    client, token = mlflow.MlflowClient(), None
    while True:
        page = _page(client, ids, asked, wanted, token)
        yield from page
        token = page.token
        if not token:
            return


def _page(
    client: mlflow.MlflowClient, ids: Sequence[str], asked: str, wanted: str, token: str | None
) -> PagedList[Run]:
    try:
        return client.search_runs(list(ids), asked, max_results=PAGE, page_token=token)
    except MlflowException as error:
        if error.error_code != "INVALID_PARAMETER_VALUE":
            raise
        reason = error.message.splitlines()[0]
        example = "params.sampling = 'none' and tags.family = 'gru_1'"
        raise UserError(
            f'parameter filter: MLflow cannot read "{wanted}" ({reason}); write e.g. {example}'
        ) from None


def _nothing_found(ids: Sequence[str], wanted: str, split: str, metric: str) -> str:
    client = mlflow.MlflowClient()
    matched = f" that matches {wanted}" if wanted else ""
    where = ", ".join(client.get_experiment(each).name for each in ids)
    said = f"no finished run{matched} in experiment {where} has {split}_{metric}"
    trials = SCORED.format(split="val", metric=metric)
    if split == "test" and client.search_runs(
        list(ids), f"{wanted} and {trials}" if wanted else trials, max_results=1
    ):
        return f"{said}: there are runs scored on validation, compare these with split=val"
    if wanted:
        return f"{said}: check the filter, or leave it empty"
    return f"{said}: make runs first (mlflow run . -e tune), or name another experiment"


def read_runs(runs: Sequence[Run], split: str, metric: str) -> Iterator[ScoredRun | None]:
    """Runs with what they kept of a split, in order; None for a run whose confusion matrix and predictions are gone."""
    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(partial(_read, split=split, metric=metric), runs)


def _read(run: Run, split: str, metric: str) -> ScoredRun | None:
    predictions, matrix = f"predictions_{split}.parquet", f"confusion_matrix_{split}.json"
    kept = {item.path for item in mlflow.MlflowClient().list_artifacts(run.info.run_id)} & {
        predictions,
        matrix,
        SETTINGS_FILE,
    }
    if not kept & {predictions, matrix}:
        return None
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in kept - ({matrix} if predictions in kept else set()):
            mlflow.artifacts.download_artifacts(
                artifact_uri=f"{str(run.info.artifact_uri).rstrip('/')}/{file}", dst_path=temporary
            )
        settings = (
            json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8")) if SETTINGS_FILE in kept else {}
        )
        answers = read_answers(folder / predictions) if predictions in kept else None
        counts = count_matrix(answers.ratings, answers.predicted) if answers else read_matrix(folder / matrix)
    data = run.data
    begun, ended = run.info.start_time, run.info.end_time
    return ScoredRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        settings=_settings(data.params, settings),
        tags=data.tags,
        scores={
            name.removeprefix(f"{split}_"): value
            for name, value in data.metrics.items()
            if name.startswith(f"{split}_")
        },
        matrix=counts,
        answers=answers,
        curve=_curve(run.info.run_id, f"val_{metric}"),
        seconds=data.metrics.get("fit_seconds", (ended - begun) / 1000),
        parameters=data.metrics.get("parameters"),
    )


def read_answers(path: Path) -> Predictions:
    """What `starcast.reports.files.write_predictions` wrote, in the order of the reviews' ids."""
    table = pl.read_parquet(path).sort("review_id")
    ratings, predicted = (table[name].to_numpy().astype(np.int8) - 1 for name in ("rating", "predicted"))
    probabilities = table.select(f"probability_{rating}" for rating in range(1, 6)).to_numpy()
    return Predictions(table["review_id"].to_numpy(), ratings, predicted, probabilities)


def read_matrix(path: Path) -> np.ndarray:
    """Counts of a confusion matrix, shape (5, 5), as `starcast.reports.files.write_split_files` wrote them."""
    return np.array(json.loads(path.read_text(encoding="utf-8"))["matrix"])


def _settings(parameters: dict[str, str], settings: dict[str, object]) -> dict[str, str]:
    """What was set, each setting under its own name: the parameter `settings` is the same in one piece, and not all of it."""
    return {name: value for name, value in parameters.items() if name != "settings"} | {
        k: str(v) for k, v in settings.items()
    }


def _curve(run_id: str, metric: str) -> dict[int, float]:
    """Epoch to value; empty for a fit of one epoch. The last step is the model that was kept, not an epoch."""
    history = mlflow.MlflowClient().get_metric_history(run_id, metric)
    epochs = sorted({point.step: point.value for point in history}.items())[:-1]
    return dict(epochs) if len(epochs) > 1 else {}
