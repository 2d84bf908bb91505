"""A decision rule for a model that has been fitted, by its name."""

from dataclasses import dataclass

import numpy as np

from steps.evaluation.scores import matrix_scores
from steps.models.decision import EXPECTED, Decision, DecisionName, prior_correction, tune_decision


@dataclass(frozen=True)
class Seen:
    """What a decision is made from: validation ratings as index 0-4 and probabilities, shapes (reviews,) and (reviews, 5).

    Also the shares of the ratings in the training split, and those the model learned from after sampling, shape (5,).
    """

    ratings: np.ndarray
    probabilities: np.ndarray
    true_shares: np.ndarray
    trained_shares: np.ndarray


def decide(name: DecisionName, metric: str, seen: Seen) -> Decision:
    """The decision of that name; `tuned` aims at `metric`, a score of the confusion matrix that is better when higher."""
    if name == "tuned":
        return tune_decision(seen.ratings, seen.probabilities, lambda matrices: matrix_scores(matrices)[metric])
    if name == "prior_corrected":
        return prior_correction(seen.true_shares, seen.trained_shares)
    return EXPECTED if name == "expected" else Decision()


def decision_text(name: DecisionName, metric: str) -> str:
    """The decision as people read it."""
    return f"tuned on validation for {metric}" if name == "tuned" else name
