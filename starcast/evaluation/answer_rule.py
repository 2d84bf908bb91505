"""What turns a model's probabilities into answers, fitted on validation: calibration, decision, threshold."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from starcast.evaluation.calibration import Calibration, fit_calibration
from starcast.evaluation.confidence import Threshold, confidence_of
from starcast.evaluation.decision import Decision, RatingShares, Validation, decide
from starcast.evaluation.names import DecisionName
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix

FOLDS = 5


@dataclass(frozen=True)
class AnswerRule:
    """Calibrates probabilities, chooses ratings by them, and tells which of these need review."""

    calibration: Calibration
    decision: Decision
    threshold: Threshold


class Answers(NamedTuple):
    """True and predicted ratings (from 0), and calibrated probabilities, shape (reviews, labels)."""

    ratings: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """Return the confusion matrix, counts, shape (labels, labels)."""
        return count_matrix(self.ratings, self.predicted, self.probabilities.shape[1])

    @property
    def confidences(self) -> np.ndarray:
        """Return the probability of each predicted rating."""
        return confidence_of(self.probabilities, self.predicted)

    @property
    def right(self) -> np.ndarray:
        """Return whether each predicted rating is the true one."""
        return self.predicted == self.ratings


class FittedRule(NamedTuple):
    """A rule fitted on all validation reviews, and cross-fitted answers, each by a rule of the other folds.

    Scores of `held_out` are thus those of unseen reviews; `review`, bool (reviews,), marks those that would
    have needed review, by a threshold fitted on the other folds.
    """

    rule: AnswerRule
    held_out: Answers
    review: np.ndarray


def fit_rule(
    validation: Validation,
    shares: RatingShares,
    decision: tuple[DecisionName, str],
    accuracy: float,
    seed: int,
    scale: Scale = STARS,
) -> FittedRule:
    """Fit calibration, decision and threshold on reviews that the model was not fitted on, by cross-fitting.

    Args:
        validation: reviews that the model was not fitted on.
        shares: of the training split.
        decision: its name, and the score that `tuned` maximises.
        accuracy: how often ratings are to be right that need no review.
    """
    # Calibrated probabilities have the priors of the training split again.
    true = RatingShares(shares.true, shares.true)

    def fit(rows: np.ndarray) -> tuple[Calibration, Decision]:
        """Fit both on some rows of validation."""
        ratings, probabilities = (each[rows] for each in validation)
        calibration = fit_calibration((ratings, probabilities), shares)
        calibrated = ratings, calibration.apply(probabilities)
        return calibration, decide(*decision, calibrated, true, scale)

    ratings, probabilities = validation
    folds = folds_of(ratings, seed)
    predicted, calibrated = np.empty(len(ratings), dtype=np.int64), np.empty_like(probabilities)
    for fold in range(FOLDS):
        inside = folds == fold
        calibration, rule = fit(~inside)
        calibrated[inside] = calibration.apply(probabilities[inside])
        predicted[inside] = rule.choose(calibrated[inside])
    held_out, review = Answers(ratings, predicted, calibrated), np.empty(len(ratings), dtype=bool)
    confidences, right = held_out.confidences, held_out.right
    for fold in range(FOLDS):
        inside = folds == fold
        threshold = Threshold.fit(confidences[~inside], right[~inside], accuracy)
        review[inside] = threshold.below(confidences[inside])
    whole = fit(np.ones(len(ratings), dtype=bool))
    return FittedRule(AnswerRule(*whole, Threshold.fit(confidences, right, accuracy)), held_out, review)


def folds_of(ratings: np.ndarray, seed: int) -> np.ndarray:
    """Return a fold for each review, every one with the same shares of the ratings, as far as that goes."""
    order = np.lexsort((np.random.default_rng(seed).random(len(ratings)), ratings))
    folds = np.empty(len(ratings), dtype=np.int64)
    folds[order] = np.arange(len(ratings)) % FOLDS
    return folds
