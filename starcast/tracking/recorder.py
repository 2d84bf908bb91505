"""How rooms that do not know MLflow report to a run."""

import time
from dataclasses import dataclass
from functools import lru_cache

import mlflow
import numpy as np
from mlflow.entities import Metric

from starcast.evaluation.scores import val_scores


@dataclass(frozen=True)
class RunRecorder:
    """Logs epochs of one run; holds only plain values, so that it can be sent to another process."""

    run_id: str
    tracking_uri: str
    validation_ratings: np.ndarray

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        """Log an epoch's metrics and every `val_` score of its probabilities, in one request."""
        now = int(time.time() * 1000)
        values = {**metrics, **val_scores(self.validation_ratings, validation_probabilities)}
        batch = [Metric(name, value, now, epoch) for name, value in values.items()]
        _client(self.tracking_uri).log_batch(self.run_id, metrics=batch)


def recorder_of(run_id: str, validation_ratings: np.ndarray) -> RunRecorder:
    """Return a recorder for a run of the store in use."""
    return RunRecorder(run_id, mlflow.get_tracking_uri(), validation_ratings)


@lru_cache
def _client(tracking_uri: str) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri)
