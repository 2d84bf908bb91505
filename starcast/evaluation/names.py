"""The names of scores and decisions, separate from the code that computes them and imports heavy packages."""

import re
from typing import Literal, get_args

from starcast.evaluation.scale import STARS, Scale

# Scores of a label of another scale than stars, whose labels are known only when the file is read.
PER_LABEL = re.compile(r"(?:val_)?(?:precision|recall|f1)_((?!macro|weighted).+)")
LOWER_IS_BETTER = ("loss", "mae")
COMMON = (
    *LOWER_IS_BETTER,
    *("auc", "accuracy", "f1_weighted", "f1_macro", "precision_weighted", "recall_weighted"),
    *("harmonic_recall", "within_one", "quadratic_kappa"),
)


def score_names(scale: Scale) -> tuple[str, ...]:
    """Return the names of all scores on a scale."""
    own = (f"{name}_{label}" for label in scale.keys for name in ("precision", "recall", "f1"))
    return *COMMON, *own


SCORES = score_names(STARS)
# AUC and loss are scores of probabilities; the others follow from the predicted ratings.
RATING_SCORES = tuple(name for name in SCORES if name not in ("auc", "loss"))

DecisionName = Literal["tuned", "argmax", "expected", "prior_corrected"]
DECISIONS: tuple[DecisionName, ...] = get_args(DecisionName)
