"""Made-up scored runs for the tests of comparisons."""

import numpy as np

from starcast.evaluation.scores import count_matrix, matrix_scores, multilabel_auc
from starcast.tracking.scored_runs import Predictions, ScoredRun

REVIEWS = 400


def answers(right: float, reviews: int = REVIEWS, seed: int = 0, fit: int = 0) -> Predictions:
    """Answers that are right in this share of the reviews, else random; `seed` makes the reviews."""
    ratings = np.random.default_rng(seed).integers(5, size=reviews).astype(np.int8)
    random = np.random.default_rng([seed, fit, 1])
    guesses = random.integers(5, size=reviews).astype(np.int8)
    predicted = np.where(random.random(reviews) < right, ratings, guesses)
    return Predictions(np.arange(reviews), ratings, predicted, 0.1 + 0.5 * np.eye(5)[predicted])


def scored(
    run_id: str,
    right: float = 0.5,
    *,
    name: str = "",
    family: str = "gru_1",
    given: Predictions | None = None,
    predictions: bool = True,
    curve: dict[int, float] | None = None,
    parameters: float | None = 1_000,
    **settings: str,
) -> ScoredRun:
    """A run of a model that is right in this share of the reviews."""
    answered = given or answers(right, fit=sum(map(ord, run_id)))
    matrix = count_matrix(answered.ratings, answered.predicted)
    scores = {key: float(value) for key, value in matrix_scores(matrix).items()} | {
        "auc": multilabel_auc(answered.ratings, answered.probabilities),
        "loss": 1 - right,
    }
    kept = answered.to_compare("loss") if predictions else None
    tags = {"family": family, "command": run_id, "mlflow.user": run_id}
    named, costs, link = (
        (run_id, name or run_id),
        (10.0 * right, parameters),
        f"[`{run_id}`](#/runs/{run_id})",
    )
    return ScoredRun(*named, settings, tags, scores, matrix, kept, curve or {}, *costs, link)
