"""The names of scores and decisions, separate from the code that computes them and imports heavy packages."""

import re
from typing import Literal, get_args

from starcast.evaluation.scale import STARS, Scale

# Scores of a label of another scale than stars, whose labels are known only when the file is read.
PER_LABEL = re.compile(r"(?:precision|recall|f1)_((?!macro|weighted).+)")
OBJECTIVE_PER_LABEL = re.compile(f"val_{PER_LABEL.pattern}")
PROPER_SCORES = "loss", "brier"  # best for the true probabilities (Gneiting and Raftery, 2007)
PROBABILITY_SCORES = (*PROPER_SCORES, "ece")
LOWER_IS_BETTER = (*PROBABILITY_SCORES, "mae")
COMMON = (
    *LOWER_IS_BETTER,
    *("auc", "accuracy", "f1_weighted", "f1_macro", "precision_weighted", "recall_weighted"),
    *("harmonic_recall", "within_one", "quadratic_kappa"),
)
PREFIXES = ("train", "val", "test")  # of metrics, a split each
HEADLINE = ("f1_macro", "f1_weighted", "harmonic_recall", "mae")  # what one line says of a model
COMPARED = (*HEADLINE, "quadratic_kappa", "within_one")  # what tables of several show, whatever decides
# In this order, they are the first that pages show of a run or a model.
MAIN = (
    "f1_macro",
    "f1_weighted",
    "accuracy",
    "auc",
    "mae",
    "quadratic_kappa",
    "harmonic_recall",
    "loss",
    "ece",
)


def score_names(scale: Scale) -> tuple[str, ...]:
    """Return the names of all scores on a scale."""
    return *COMMON, *(name for label in scale.keys for name in scores_of_label(label))


def scores_of_label(label: str) -> tuple[str, ...]:
    """Return the names of the scores of one label, as it is written in names."""
    return tuple(f"{name}_{label}" for name in ("precision", "recall", "f1"))


SCORES = score_names(STARS)
# These need probabilities; the others follow from the predicted ratings.
RATING_SCORES = tuple(name for name in SCORES if name not in ("auc", *PROBABILITY_SCORES))

DecisionName = Literal["tuned", "argmax", "expected", "prior_corrected"]
DECISIONS: tuple[DecisionName, ...] = get_args(DecisionName)
