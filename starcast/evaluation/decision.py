"""Turn probabilities into ratings: the most probable rating, with or without weights, or the rounded mean."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from starcast.evaluation.names import DecisionName, scores_of_label
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix, matrix_scores

FACTORS = np.geomspace(0.2, 5, 41)  # tried for one weight at a time
ROUNDS = 10
Validation = tuple[np.ndarray, np.ndarray]  # ratings as index from 0, and probabilities (reviews, labels)


class RatingShares(NamedTuple):
    """Shares of the ratings, shape (labels,): `true` ones, and those `trained` on after sampling."""

    true: np.ndarray
    trained: np.ndarray


@dataclass(frozen=True)
class Decision:
    """Choose the most probable rating after weighting (equal weights: plain argmax), or the rounded mean."""

    weights: tuple[float, ...] = (1.0,) * len(STARS)
    rounds_mean: bool = False

    def choose(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the rating of each review as index from 0; probabilities have shape (reviews, labels)."""
        if self.rounds_mean:  # halves go up: the mean of 4 and 5 stars is 5
            ranks = np.arange(probabilities.shape[1], dtype=probabilities.dtype)
            return np.floor(probabilities @ ranks + 0.5).astype(np.int64)
        return np.asarray((probabilities * np.array(self.weights, dtype=probabilities.dtype)).argmax(axis=1))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], labels: int) -> "Decision":
        """Return the decision that `asdict` described; raise a ValueError if it is none of so many labels."""
        weights, rounds_mean = np.array(values["weights"], dtype=float), values["rounds_mean"]
        if (
            weights.shape != (labels,)
            or not np.isfinite(weights).all()
            or weights.min() < 0
            or not weights.any()
        ):
            raise ValueError(f"the decision has no {labels} weights, finite, not negative and not all 0")
        if not isinstance(rounds_mean, bool):
            raise ValueError("the decision does not say whether it rounds the mean")
        return cls(tuple(weights.tolist()), rounds_mean)


def prior_correction(true_shares: np.ndarray, trained_shares: np.ndarray) -> Decision:
    """Return the decision that reverses the effect of resampling or class weights on the probabilities.

    Each probability is multiplied by the rating's true share over its share in training. This is exact for a
    calibrated model (Elkan, The foundations of cost-sensitive learning, 2001; Saerens et al., Adjusting the
    outputs of a classifier to new a priori probabilities, 2002). A rating not trained on has weight 1.

    Args:
        true_shares, trained_shares: shares of the ratings, shape (labels,).
    """
    ones = np.ones(len(true_shares))
    weights = np.divide(true_shares, trained_shares, out=ones, where=trained_shares > 0)
    return Decision(tuple((weights / weights.mean()).tolist()))


def tune_decision(
    ratings: np.ndarray, probabilities: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]
) -> Decision:
    """Fit weights by coordinate ascent on reviews that the model was not fitted on.

    For measures of the confusion matrix such as F1, the optimal classifier weights the class probabilities
    (Narasimhan et al., Consistent multiclass algorithms for complex performance measures, ICML 2015).

    Args:
        ratings: true ratings as index from 0, shape (reviews,).
        probabilities: shape (reviews, labels).
        measure: maps confusion matrices, shape (n, labels, labels), to n values; higher is better.
    """
    labels = probabilities.shape[1]
    weights = np.ones(labels)
    best = float(measure(count_matrix(ratings, probabilities.argmax(axis=1), labels)[None])[0])
    for _ in range(ROUNDS):
        before = best
        for rating in range(labels):
            values = measure(_matrices_along(ratings, probabilities * weights, rating))
            if values.max() > best:
                best = float(values.max())
                weights[rating] *= FACTORS[values.argmax()]
        if best == before:
            break
    return Decision(tuple((weights / weights.mean()).tolist()))


def _matrices_along(ratings: np.ndarray, scores: np.ndarray, rating: int) -> np.ndarray:
    """Return the confusion matrices with one rating's scores times each factor, (factors, labels, labels).

    Each review is read once: from some factor on, the rating beats the best of the others, its rival.
    """
    own, labels = scores[:, rating].copy(), scores.shape[1]
    scores[:, rating] = -1
    rivals = scores.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # a score of 0 never wins
        won_from = np.searchsorted(FACTORS, scores[np.arange(len(ratings)), rivals] / own, side="right")
    places = np.ravel_multi_index((ratings, rivals, won_from), (labels, labels, len(FACTORS) + 1))
    counts = np.bincount(places, minlength=labels**2 * (len(FACTORS) + 1)).reshape(labels, labels, -1)
    won = counts.cumsum(axis=2)[:, :, :-1]
    matrices = (counts.sum(axis=2)[:, :, None] - won).transpose(2, 0, 1)
    matrices[:, :, rating] += won.sum(axis=1).T
    return matrices


def decide(
    name: DecisionName, metric: str, validation: Validation, shares: RatingShares, scale: Scale = STARS
) -> Decision:
    """Return a decision by name; `tuned` maximizes `metric`, a score of the confusion matrix.

    Args:
        validation: reviews that the model was not fitted on.
        shares: of the training split.
    """
    if name == "tuned":
        ratings, _ = validation
        # A score of a label is there even if these few reviews lack the label.
        present = np.bincount(ratings, minlength=len(scale)) > 0
        present |= [metric in scores_of_label(key) for key in scale.keys]
        return tune_decision(*validation, lambda matrices: matrix_scores(matrices, scale, present)[metric])
    if name == "prior_corrected":
        return prior_correction(*shares)
    return Decision((1.0,) * len(scale), rounds_mean=name == "expected")


def decision_text(name: DecisionName, metric: str) -> str:
    """Return the decision in words."""
    return f"tuned on validation for {metric}" if name == "tuned" else name
