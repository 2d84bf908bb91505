"""Made-up fits for tests of learning curves.

A family is right on a share of the reviews that grows with what it learned from.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from starcast.evaluation.scores import count_matrix, matrix_scores
from starcast.experiments.learning_curves import LearningCurves, Measured, learning_curves

REVIEWS = 4_000
RATINGS = np.random.default_rng(0).choice(5, REVIEWS, p=[0.15, 0.1, 0.1, 0.2, 0.45])
SIZES = (1_000, 2_000, 4_000, 8_000, 16_000)
Share = Callable[[int], float]  # reviews learned from -> share of the test reviews that are right


def rises(reviews: int) -> float:
    """A power law towards 0.8."""
    return float(0.8 - 0.1 * (reviews / 16_000) ** -0.6)


def rises_late(reviews: int) -> float:
    """Below `rises` up to 16,000, and towards a higher limit."""
    return float(0.85 - 0.2 * (reviews / 16_000) ** -0.4)


def measured(family: str, reviews: int, repeat: int, share: float) -> Measured:
    """One fit. The same reviews are hard for every fit, so that more right ones are all those before and some
    more.
    """
    hardness = np.random.default_rng(1).random(REVIEWS)
    wrong = (RATINGS + np.random.default_rng(repeat).integers(1, 5, REVIEWS)) % 5
    predicted = np.where(hardness < share, RATINGS, wrong)
    scores = {name: float(value) for name, value in matrix_scores(count_matrix(RATINGS, predicted)).items()}
    cost = {"rows": reviews, "seconds": reviews / 1_000, "peak_memory_mb": 300 + reviews / 100}
    return Measured(
        family,
        reviews,
        repeat,
        42 + repeat,
        f"{family}{reviews}-{repeat}",
        predicted,
        {**scores, "auc": share},
        **cost,
    )


def curves(families: Mapping[str, Share], sizes: Sequence[int] = SIZES, repeats: int = 2) -> LearningCurves:
    """The curves of families by accuracy."""
    fits = [
        measured(family, reviews, repeat, share(reviews))
        for reviews in sizes
        for repeat in range(repeats)
        for family, share in families.items()
    ]
    return learning_curves(fits, RATINGS, "accuracy", seed=42)
