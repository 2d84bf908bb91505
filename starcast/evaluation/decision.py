"""Turn probabilities into stars: the most probable rating, with or without weights, or the rounded mean."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from starcast.evaluation.names import DecisionName
from starcast.evaluation.scores import count_matrix, matrix_scores

FACTORS = np.geomspace(0.2, 5, 41)  # tried for one weight at a time
ROUNDS = 10
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Decision:
    """Choose the most probable rating after weighting (equal weights: plain argmax), or the rounded mean."""

    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0)
    rounds_mean: bool = False

    def choose(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the rating of each review as index 0-4; probabilities have shape (reviews, 5)."""
        if self.rounds_mean:  # halves go up: the mean of 4 and 5 stars is 5
            return np.floor(probabilities @ np.arange(5, dtype=probabilities.dtype) + 0.5).astype(np.int64)
        return np.asarray((probabilities * np.array(self.weights, dtype=probabilities.dtype)).argmax(axis=1))


EXPECTED = Decision(rounds_mean=True)


def prior_correction(true_shares: np.ndarray, trained_shares: np.ndarray) -> Decision:
    """Return the decision that reverses the effect of resampling or class weights on the probabilities.

    Each probability is multiplied by the rating's true share over its share in training. This is exact for a
    calibrated model (Elkan, The foundations of cost-sensitive learning, 2001; Saerens et al., Adjusting the
    outputs of a classifier to new a priori probabilities, 2002). A rating not trained on has weight 1.

    Args:
        true_shares, trained_shares: shares of the ratings, shape (5,).
    """
    weights = np.divide(true_shares, trained_shares, out=np.ones(5), where=trained_shares > 0)
    return Decision(tuple((weights / weights.mean()).tolist()))


def tune_decision(
    ratings: np.ndarray, probabilities: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]
) -> Decision:
    """Fit weights by coordinate ascent on reviews that the model was not fitted on.

    For measures of the confusion matrix such as F1, the optimal classifier weights the class probabilities
    (Narasimhan et al., Consistent multiclass algorithms for complex performance measures, ICML 2015).

    Args:
        ratings: true ratings as index 0-4, shape (reviews,).
        probabilities: shape (reviews, 5).
        measure: maps confusion matrices, shape (n, 5, 5), to n values; higher is better.
    """
    weights = np.ones(5)
    best = float(measure(count_matrix(ratings, probabilities.argmax(axis=1))[None])[0])
    for _ in range(ROUNDS):
        before = best
        for rating in range(5):
            values = measure(_matrices_along(ratings, probabilities * weights, rating))
            if values.max() > best:
                best = float(values.max())
                weights[rating] *= FACTORS[values.argmax()]
        if best == before:
            break
    return Decision(tuple((weights / weights.mean()).tolist()))


def _matrices_along(ratings: np.ndarray, scores: np.ndarray, rating: int) -> np.ndarray:
    """Return the confusion matrices with one rating's scores times each factor, shape (factors, 5, 5).

    Each review is read once: from some factor on, the rating beats the best of the others, its rival.
    """
    own = scores[:, rating].copy()
    scores[:, rating] = -1
    rivals = scores.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # a score of 0 never wins
        won_from = np.searchsorted(FACTORS, scores[np.arange(len(ratings)), rivals] / own, side="right")
    places = np.ravel_multi_index((ratings, rivals, won_from), (5, 5, len(FACTORS) + 1))
    counts = np.bincount(places, minlength=25 * (len(FACTORS) + 1)).reshape(5, 5, -1)
    won = counts.cumsum(axis=2)[:, :, :-1]
    matrices = (counts.sum(axis=2)[:, :, None] - won).transpose(2, 0, 1)
    matrices[:, :, rating] += won.sum(axis=1).T
    return matrices


def decide(name: DecisionName, metric: str, validation: Arrays, shares: Arrays) -> Decision:
    """Return a decision by name; `tuned` maximizes `metric`, a score of the confusion matrix.

    Args:
        validation: true ratings as index 0-4, shape (reviews,), and probabilities, shape (reviews, 5).
        shares: of the ratings in the training split, before and after sampling, shape (5,) each.
    """
    if name == "tuned":
        return tune_decision(*validation, lambda matrices: matrix_scores(matrices)[metric])
    if name == "prior_corrected":
        return prior_correction(*shares)
    return EXPECTED if name == "expected" else Decision()


def decision_text(name: DecisionName, metric: str) -> str:
    """Return the decision in words."""
    return f"tuned on validation for {metric}" if name == "tuned" else name
