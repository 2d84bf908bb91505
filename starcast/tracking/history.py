"""Read back what earlier runs found."""

import json
from typing import cast

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from starcast.cli.errors import UserError
from starcast.models.family import ModelSpec, Precision, Schedule, Settings
from starcast.tracking import access
from starcast.tracking.artifacts import fetch

PAGE = 1_000  # runs per request


def recipe_of(run_id: str) -> ModelSpec:
    """What made the model of a trial or candidate, or of the best trial of a search.

    Raises:
        UserError: there is no such run, or it is neither.
    """
    try:
        run = mlflow.get_run(run_id)
        best = run.data.tags.get("best_run_id")
        run = mlflow.get_run(best) if best else run
        settings: Settings = json.loads(fetch(run.info.run_id, "settings.json").read_text())
        given = run.data.params
        schedule, epochs = cast(Schedule, given.get("schedule", "constant")), int(given["epochs"])
        return ModelSpec(
            run.data.tags["family"],
            settings,
            given["sampling"],
            int(given["batch_size"]),
            schedule,
            epochs,
            int(given.get("neighbours", 5)),
            given.get("fewer_neighbours", "false").lower() == "true",
            cast(Precision, given.get("precision", "float32")),
        )
    except (MlflowException, OSError, KeyError) as error:
        if isinstance(error, MlflowException) and access.is_of_the_store(error):
            raise
        reason = str(error).splitlines()[0]
        raise UserError(
            f"from_run={run_id!r}: neither a search, a trial nor a candidate ({reason})"
        ) from None


def search_of(candidate_id: str) -> dict[str, float]:
    """The metrics of the search that a candidate is the end of."""
    parent = mlflow.get_run(candidate_id).data.tags[MLFLOW_PARENT_RUN_ID]
    return dict(mlflow.get_run(parent).data.metrics)


def best_value(run_id: str, metric: str) -> float:
    """The highest value of a metric over the epochs of a run."""
    return max(each.value for each in mlflow.MlflowClient().get_metric_history(run_id, metric))


def children_of(run: Run) -> list[Run]:
    """The runs right below a run, in the order in which they began."""
    client, found, token = mlflow.MlflowClient(), list[Run](), None
    wanted, order = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'", ["attributes.start_time"]
    while True:
        page = client.search_runs(
            [run.info.experiment_id], wanted, order_by=order, max_results=PAGE, page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found
