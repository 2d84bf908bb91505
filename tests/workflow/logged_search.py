"""A search on a real store, for the tests of its log and of reading it back: a parent run and a log."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
from mlflow.entities import Run

from starcast.search.trial_worker import TrialOptions
from starcast.search.trials import Proposal
from starcast.tracking.patience import Patience
from starcast.tracking.trial_log import TrialLog
from starcast.workflow.search_parameters import TuneParameters

RATINGS = np.array([0, 1, 2, 3, 4, 4, 4, 3], dtype=np.int8)


def parameters(**given: object) -> TuneParameters:
    return TuneParameters.model_validate(
        {"families": "logistic_regression,gru_1", "batch_size": "64,128", **given}
    )


def training(asked: TuneParameters) -> TrialOptions:
    return TrialOptions(Path(), asked.goal(), asked.trial_options(), executions=1, prunes=True)


@contextmanager
def search_run(asked: TuneParameters) -> Iterator[Run]:
    """A RUNNING parent as `runs.step_run` makes it, almost without its files."""
    with mlflow.start_run(run_name="tune made up", nested=True, tags={"step": "tune"}) as run:
        mlflow.log_params(asked.as_text())
        mlflow.log_dict({}, "made.json")  # an experiment whose folder is gone would be refused
        yield mlflow.get_run(run.info.run_id)


def begin_log(
    parent: Run,
    asked: TuneParameters,
    run_ids: Mapping[int, str] | None = None,
    patience: Patience | None = None,
    review_ids: pl.Series | None = None,
) -> TrialLog:
    given = training(asked).parameters, RATINGS, patience or Patience(1, print), run_ids or {}
    return TrialLog(parent.info.run_id, asked.engine, *given, review_ids=review_ids)


def logistic(number: int = 1, **settings: object) -> Proposal:
    made = {
        "ngrams": 2,
        "features": 4_000,
        "sublinear": True,
        "c": 0.3,
        "sampling": "class_weight",
        **settings,
    }
    return Proposal(number, "logistic_regression", made)  # type: ignore[arg-type]


def gru(number: int = 1, **settings: object) -> Proposal:
    made = {
        "units_1": 8,
        "dropout_1": 0.3,
        "dropout_2": 0.0,
        "learning_rate": 1e-2,
        "sampling": "none",
        "batch_size": 64,
    }
    return Proposal(number, "gru_1", {**made, **settings})  # type: ignore[dict-item]


def children(client: mlflow.MlflowClient, parent: Run) -> list[Run]:
    """The trials below a parent, by their number."""
    wanted = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    found = [
        run
        for run in client.search_runs([parent.info.experiment_id], wanted)
        if "trial_number" in run.data.tags
    ]
    return sorted(found, key=lambda run: int(run.data.tags["trial_number"]))


def curve_of(client: mlflow.MlflowClient, run: Run, name: str) -> dict[int, float]:
    """A metric by its step; a value logged twice is an error."""
    history = client.get_metric_history(run.info.run_id, name)
    assert len({metric.step for metric in history}) == len(history), f"{name} has a step twice"
    return {metric.step: metric.value for metric in sorted(history, key=lambda metric: metric.step)}
