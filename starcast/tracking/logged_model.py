"""A model as MLflow keeps it beside its run: with its scores on data sets, a description and tags."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import Metric
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from starcast.evaluation.names import MAIN
from starcast.tracking.limits import run_tags
from starcast.tracking.lineage import Input
from starcast.tracking.store import active_run


@dataclass(frozen=True)
class LoggedModel:
    """A model that was logged on the active run, at a step of the run's metrics."""

    model_id: str
    uri: str
    step: int

    def log_scores(self, prefix: str, scores: Mapping[str, float], data: Input) -> None:
        """Log scores on a data set as metrics of the active run; the main ones are the model's, too."""
        run_id, now = active_run().info.run_id, int(time.time() * 1000)
        of_model = {"model_id": self.model_id, "dataset_name": data.name, "dataset_digest": data.digest}
        metrics = []
        for name, value in scores.items():
            shared = of_model if name in MAIN else {}
            metrics.append(Metric(f"{prefix}_{name}", value, now, self.step, run_id=run_id, **shared))
        mlflow.MlflowClient().log_batch(run_id, metrics=metrics)

    def describe(self, text: str, tags: Mapping[str, object]) -> None:
        """Give the model its description (Markdown) and tags."""
        shown = run_tags({MLFLOW_RUN_NOTE: text, **tags})
        mlflow.MlflowClient().set_logged_model_tags(self.model_id, shown)
