"""Draw reviews with replacement: the scores of such resamples, and their 95% intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import matrix_scores, occurring

DRAWN = 10_000_000  # reviews drawn at a time, to limit memory
LEVEL = 0.95
SEED = 42  # of the intervals of single scores
Intervals = dict[str, tuple[float, float]]  # score name -> (low, high)


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores, with its 95% confidence interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: np.ndarray) -> "Estimate":
        """Return a value with the percentile interval of its bootstrap resamples."""
        return cls(float(value), *_percentiles(resampled))

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"

    @property
    def short(self) -> str:
        """Return it as in the names of runs: `0.653 (0.61-0.69)`."""
        return f"{self.value:.3f} ({self.low:.2f}-{self.high:.2f})"


def bootstrap_intervals(
    matrix: np.ndarray, seed: int = SEED, resamples: int = 2_000, scale: Scale = STARS, executions: int = 1
) -> Intervals:
    """Return 95% percentile bootstrap intervals over reviews (Efron, 1979) by name of the score.

    With the same seed everywhere, a score has the same interval wherever it is shown.

    Args:
        executions: how many fits answered each review; a matrix of them together has no more reviews.
    """
    return interval_ends(resampled_scores(matrix, seed, resamples, scale, executions))


def resampled_scores(
    matrix: np.ndarray, seed: int = SEED, resamples: int = 2_000, scale: Scale = STARS, executions: int = 1
) -> dict[str, np.ndarray]:
    """Return the scores of bootstrap resamples of a confusion matrix by name, each of shape (resamples,).

    Drawing reviews with replacement means drawing the cells of their confusion matrix from a multinomial
    distribution, so no resample needs the reviews themselves.
    """
    counts = matrix.ravel()
    reviews = counts.sum() // executions
    draws = np.random.default_rng(seed).multinomial(reviews, counts / counts.sum(), size=resamples)
    return matrix_scores(draws.reshape(resamples, *matrix.shape), scale, occurring(matrix))


def resampled_sums(rows: sparse.csr_array, seed: int, resamples: int) -> np.ndarray:
    """Return the sum of each row over the reviews of each resample; reviews are drawn with replacement.

    Args:
        rows: a value for each review, shape (n, reviews).

    Returns:
        Sums of shape (n, resamples), on the same resamples for the same seed.
    """
    random, reviews = np.random.default_rng(seed), rows.shape[1]
    sums, chunk = np.empty((rows.shape[0], resamples)), max(1, DRAWN // reviews)
    for start in range(0, resamples, chunk):
        drawn = random.integers(reviews, size=(min(chunk, resamples - start), reviews))
        times = [np.bincount(row, minlength=reviews).astype(np.float32) for row in drawn]
        sums[:, start : start + chunk] = rows @ np.stack(times, axis=1)
    return sums


def interval_ends(scores: Mapping[str, np.ndarray]) -> Intervals:
    """Return the percentile intervals of resampled scores, by name."""
    return {name: _percentiles(values) for name, values in scores.items()}


def _percentiles(resampled: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
