"""Several systems on the same reviews: bootstrap intervals of their scores, and of the differences between them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.stats import false_discovery_control

from starcast.evaluation.scores import count_matrix, matrix_scores

DRAWN = 10_000_000  # reviews drawn at a time: bounds the memory
LEVEL = 0.95
ONE_FIT = "**Some were fitted once**: their intervals hold the chance of the reviews, not that of fitting. More repeats tell."


@dataclass(frozen=True)
class Estimate:
    """A score, or a difference of scores, with the ends of its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Draws:
    """A system's scores: name to the value on the reviews, and to the values on the resamples, shape (resamples,)."""

    values: dict[str, float]
    resampled: dict[str, np.ndarray]

    def estimate(self, score: str) -> Estimate:
        """A score with its interval."""
        return _estimate(self.values[score], self.resampled[score])


@dataclass(frozen=True)
class Difference:
    """How much higher a score is than the other system's; `p` of no difference, adjusted for all that were compared."""

    estimate: Estimate
    p: float

    @property
    def larger_than_chance(self) -> bool:
        """Whether the false discovery rate stays below 5% if all such differences are believed."""
        return self.p < 1 - LEVEL


class PairedBootstrap:
    """Percentile bootstrap (Efron, 1979) in which every system is scored on the same resampled reviews.

    A system that was fitted several times, with seeds of their own, has the mean of their scores; its fits are drawn
    with replacement as well, so that an interval holds both sources of chance. With few fits, theirs is underestimated.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,).
    """

    def __init__(self, ratings: np.ndarray, seed: int, resamples: int = 1_000) -> None:
        self._ratings, self._seed, self._resamples = ratings, seed, resamples

    def draws(self, systems: Sequence[np.ndarray]) -> list[Draws]:
        """Every system's scores; a system is what its fits predicted as index 0-4, shape (fits, reviews)."""
        fits = np.concatenate([np.atleast_2d(system) for system in systems])
        resampled = matrix_scores(self._matrices(fits))
        observed = matrix_scores(np.stack([count_matrix(self._ratings, predicted) for predicted in fits]))
        ends = np.cumsum([len(np.atleast_2d(system)) for system in systems])
        parts = [
            slice(end - len(np.atleast_2d(system)), end) for system, end in zip(systems, ends, strict=True)
        ]
        return [
            self._of_system({k: v[p] for k, v in observed.items()}, {k: v[p] for k, v in resampled.items()})
            for p in parts
        ]

    def _of_system(self, observed: dict[str, np.ndarray], resampled: dict[str, np.ndarray]) -> Draws:
        fits = len(observed["accuracy"])
        # Of equal seed, so that systems with as many fits draw the same ones.
        chosen = np.random.default_rng(self._seed).integers(fits, size=(fits, self._resamples))
        drawn = {
            name: np.take_along_axis(values, chosen, axis=0).mean(axis=0)
            for name, values in resampled.items()
        }
        return Draws({name: float(values.mean()) for name, values in observed.items()}, drawn)

    def _matrices(self, fits: np.ndarray) -> np.ndarray:
        """Confusion matrices of every fit on every resample, shape (fits, resamples, 5, 5)."""
        random, reviews = np.random.default_rng(self._seed), len(self._ratings)
        cells = (self._ratings * 5 + fits + 25 * np.arange(len(fits))[:, None]).ravel()
        columns = np.tile(np.arange(reviews), len(fits))
        member = sparse.csr_array(
            (np.ones(cells.size, np.float32), (cells, columns)), shape=(25 * len(fits), reviews)
        )
        counts, chunk = np.empty((25 * len(fits), self._resamples)), max(1, DRAWN // reviews)
        for start in range(0, self._resamples, chunk):
            drawn = random.integers(reviews, size=(min(chunk, self._resamples - start), reviews))
            times = np.stack(
                [np.bincount(row, minlength=reviews).astype(np.float32) for row in drawn], axis=1
            )
            counts[:, start : start + chunk] = member @ times
        return counts.reshape(len(fits), 5, 5, -1).transpose(0, 3, 1, 2)


def differences(baseline: Draws, others: Sequence[Draws], score: str) -> list[Difference]:
    """How much each of the others scores above the baseline, on the same resamples.

    `p` is the bootstrap's two-sided one, after Benjamini and Hochberg (1995) over all of the others.
    """
    gaps = [other.resampled[score] - baseline.resampled[score] for other in others]
    estimates = [
        _estimate(o.values[score] - baseline.values[score], gap) for o, gap in zip(others, gaps, strict=True)
    ]
    adjusted = false_discovery_control([_p_value(gap) for gap in gaps]) if gaps else []
    return [Difference(estimate, float(p)) for estimate, p in zip(estimates, adjusted, strict=True)]


def _estimate(value: float, resampled: np.ndarray) -> Estimate:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))


def _p_value(gap: np.ndarray) -> float:
    # One more of each, as the observed difference is itself one of the draws (Davison and Hinkley, 1997, chapter 4).
    sides = (gap <= 0).sum() + 1, (gap >= 0).sum() + 1
    return float(min(1.0, 2 * min(sides) / (len(gap) + 1)))
