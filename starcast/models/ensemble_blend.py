"""Blend the probabilities of several models: each is calibrated and weighed, as fitted on validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcast.evaluation.answer_rule import FOLDS, folds_of
from starcast.evaluation.calibration import Calibration, fit_calibration
from starcast.evaluation.decision import RatingShares

SMALLEST = 1e-7  # stands for a probability of 0 while weights are fitted
GAP = 1e-6  # of the log loss, from the lowest that any weights could reach
ROUNDS = 5_000
LEAST_SHARE = 0.01  # a member with less is left out: it would cost time and change no answer


@dataclass(frozen=True)
class Blend:
    """The weighted mean of the calibrated probabilities of the members; the weights sum to 1."""

    weights: tuple[float, ...]
    calibrations: tuple[Calibration, ...]

    def apply(self, probabilities: Sequence[np.ndarray]) -> np.ndarray:
        """Return probabilities of the ratings, float32 (reviews, labels), from those of each member."""
        members = zip(self.weights, self.calibrations, probabilities, strict=True)
        blended = sum(weight * calibration.apply(of_one) for weight, calibration, of_one in members if weight)
        return np.asarray(blended, dtype=np.float32)


def fit_blend(
    ratings: np.ndarray, probabilities: Sequence[np.ndarray], shares: Sequence[RatingShares]
) -> Blend:
    """Fit a blend on reviews that the members were not fitted on.

    Args:
        ratings: true ratings as index from 0, shape (reviews,).
        probabilities: of each member, shape (reviews, labels).
        shares: for each member, of the ratings in the training split, before and after its sampling.
    """
    pairs = zip(probabilities, shares, strict=True)
    calibrations = tuple(fit_calibration((ratings, of_one), share) for of_one, share in pairs)
    calibrated = [each.apply(of_one) for each, of_one in zip(calibrations, probabilities, strict=True)]
    return Blend(tuple(fit_weights(ratings, calibrated).tolist()), calibrations)


def fit_weights(ratings: np.ndarray, probabilities: Sequence[np.ndarray]) -> np.ndarray:
    """Return the weights, summing to 1, with which the weighted mean has the lowest log loss.

    These are the proportions of a mixture, which expectation maximisation finds: its problem is convex
    (Dempster, Laird and Rubin, 1977). Members with hardly a share are left out, and it is solved again.

    Args:
        ratings: as index from 0, shape (reviews,).
        probabilities: of each member, shape (reviews, labels).
    """
    true = np.stack([each[np.arange(len(ratings)), ratings] for each in probabilities]).astype(np.float64)
    true = np.maximum(true, SMALLEST)
    weights = _proportions(true)
    kept = np.flatnonzero(weights >= min(LEAST_SHARE, weights.max()))
    alone = np.log(true).mean(axis=1)
    weights = np.zeros(len(true))
    weights[kept] = _proportions(true[kept])
    # Without those left out, or stopped early, it may be worse than the best one alone.
    return weights if np.log(weights @ true).mean() >= alone.max() else np.eye(len(true))[alone.argmax()]


def _proportions(true: np.ndarray) -> np.ndarray:
    """Return the weights that maximise the mean log of the weighted mean of `true`, (members, reviews)."""
    weights = np.full(len(true), 1 / len(true))
    for _ in range(ROUNDS):
        slopes = (true / (weights @ true)).mean(axis=1) if true.size else np.ones(len(true))
        if slopes.max() <= 1 + GAP:  # no weights reach a mean log that is higher by more than this
            break
        weights = weights * slopes
    return weights / weights.sum()


def held_out(
    ratings: np.ndarray, probabilities: Sequence[np.ndarray], shares: Sequence[RatingShares], seed: int
) -> np.ndarray:
    """Return the probabilities of each review by a blend fitted on the others, in folds; as `fit_blend`."""
    folds, answers = folds_of(ratings, seed), np.empty_like(probabilities[0], dtype=np.float32)
    for fold in range(FOLDS):
        inside = folds == fold
        blend = fit_blend(ratings[~inside], [each[~inside] for each in probabilities], shares)
        answers[inside] = blend.apply([each[inside] for each in probabilities])
    return answers
