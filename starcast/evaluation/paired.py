"""Compare systems on the same reviews: bootstrap intervals of their scores and of the differences."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from starcast.evaluation.resampling import LEVEL, Estimate, Intervals, bootstrap_intervals, resampled_sums
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix, matrix_scores, probability_scores, probability_terms

RESAMPLES = 1_000  # at least
MOST_VALUES = 50_000_000  # in the matrices of all resamples
ONE_FIT = (
    "**Some systems were fitted once**; their intervals cover the sampling of test reviews, not training "
    "randomness. Increase `repeats`."
)


@dataclass(frozen=True)
class Draws:
    """A system's scores by name: on the original reviews, and on the resamples, shape (resamples,).

    `ends`: intervals that are known without these resamples.
    """

    values: dict[str, float]
    resampled: dict[str, np.ndarray]
    ends: Intervals = field(default_factory=dict)

    def estimate(self, score: str) -> Estimate:
        """Return a score with its interval."""
        if score in self.ends:
            return Estimate(self.values[score], *self.ends[score])
        return Estimate.of(self.values[score], self.resampled[score])


@dataclass(frozen=True)
class Difference:
    """How much higher a score is than another system's, and the p-value adjusted for multiple comparisons."""

    estimate: Estimate
    p: float

    @property
    def significant(self) -> bool:
        """Return whether the difference is statistically significant at a false discovery rate of 5%."""
        return self.p < 1 - LEVEL


class PairedBootstrap:
    """Percentile bootstrap (Efron, 1979) in which every system is scored on the same resampled reviews.

    A system that was fitted several times with different seeds has the mean of the fits' scores. Fits are
    resampled as well, so that an interval covers both the sampling of reviews and training randomness; with
    few fits the latter is underestimated. The interval of a single fit is that of its confusion matrix, as it
    is shown wherever that fit is alone.

    Args:
        ratings: true ratings as index from 0, shape (reviews,).
        resamples: 0: `RESAMPLES`, or more where many systems are compared.
    """

    def __init__(self, ratings: np.ndarray, seed: int, resamples: int = 0, scale: Scale = STARS) -> None:
        self._ratings, self._seed, self._resamples, self._scale = ratings, seed, resamples, scale

    def draws(
        self, systems: Sequence[np.ndarray], probabilities: Sequence[np.ndarray] | None = None
    ) -> list[Draws]:
        """Return every system's scores.

        Args:
            systems: what the fits of each system predicted, as index from 0, shape (fits, reviews).
            probabilities: of each system, shape (fits, reviews, labels), to score these as well.
        """
        systems = [np.atleast_2d(system) for system in systems]
        fits, resamples = np.concatenate(systems), self._resamples or self._enough(systems)
        observed, resampled = self._scores(
            fits, None if probabilities is None else np.concatenate(probabilities), resamples
        )
        found, end = [], 0
        for system in systems:
            start, end = end, end + len(system)
            # The same seed each time, so that systems with equally many fits draw the same ones.
            random, shape = np.random.default_rng(self._seed), (len(system), resamples)
            chosen = random.integers(len(system), size=shape), np.arange(resamples)
            values = {name: float(each[start:end].mean()) for name, each in observed.items()}
            drawn = {name: each[start:end][chosen].mean(axis=0) for name, each in resampled.items()}
            matrix = count_matrix(self._ratings, system[0], len(self._scale))
            ends = bootstrap_intervals(matrix, scale=self._scale) if len(system) == 1 else {}
            found.append(Draws(values, drawn, ends))
        return found

    def _enough(self, systems: Sequence[np.ndarray]) -> int:
        """Return how many resamples let one system alone be significant, as far as memory allows."""
        cells = len(self._scale) ** 2 * sum(map(len, systems))
        return max(RESAMPLES, min(enough(len(systems)), MOST_VALUES // cells))

    def _scores(
        self, fits: np.ndarray, probabilities: np.ndarray | None, resamples: int
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the scores of every fit, shape (fits,), and on every resample, shape (fits, resamples)."""
        reviews, labels = len(self._ratings), len(self._scale)
        every = labels**2 * len(fits)  # cells of all matrices
        first = labels * self._ratings.astype(np.int64)  # ratings are read as numbers of 8 bits
        cells = (first + fits + labels**2 * np.arange(len(fits))[:, None]).ravel()
        places = cells, np.tile(np.arange(reviews), len(fits))
        member = sparse.csr_array((np.ones(cells.size, np.float32), places), (every, reviews))
        terms = []
        if probabilities is not None:
            both = zip(fits, probabilities, strict=True)
            terms = [probability_terms(self._ratings, *each) for each in both]
        sums = resampled_sums(sparse.vstack([member, *terms]), self._seed, resamples)
        counts = sums[:every].reshape(len(fits), labels, labels, -1).transpose(0, 3, 1, 2)
        present = np.bincount(self._ratings, minlength=labels) > 0
        resampled = matrix_scores(counts, self._scale, present)
        matrices = np.stack([count_matrix(self._ratings, predicted, labels) for predicted in fits])
        observed = matrix_scores(matrices, self._scale, present)
        if terms:
            means = sums[every:].reshape(len(fits), -1, resamples).swapaxes(0, 1) / reviews
            resampled |= probability_scores(means)
            observed |= probability_scores(np.stack([each.mean(axis=1) for each in terms], axis=1))
        return observed, resampled


def differences(baseline: Draws, others: Sequence[Draws], score: str) -> list[Difference]:
    """Return how much each of the others scores above the baseline on the same resamples.

    The two-sided bootstrap p-values are adjusted after Benjamini and Hochberg (1995) over all of the others.
    """
    gaps = [
        (other.values[score] - baseline.values[score], other.resampled[score] - baseline.resampled[score])
        for other in others
    ]
    return adjusted(gaps)


def enough(comparisons: int) -> int:
    """Return how many resamples let one difference alone among so many be significant.

    Its p is at least 2 / resamples, and is multiplied by the number of comparisons.
    """
    return 50 * comparisons


def adjusted(gaps: Sequence[tuple[float, np.ndarray]]) -> list[Difference]:
    """Return differences, each observed and on the resamples, with p-values adjusted over all of them."""
    from scipy.stats import false_discovery_control

    p_values = []
    for _, gap in gaps:
        # Add one, because the observed difference counts as a draw (Davison and Hinkley, 1997, chapter 4).
        sides = (gap <= 0).sum() + 1, (gap >= 0).sum() + 1
        p_values.append(min(1.0, 2 * min(sides) / (len(gap) + 1)))
    control = false_discovery_control(p_values) if p_values else []
    return [Difference(Estimate.of(*gap), float(p)) for gap, p in zip(gaps, control, strict=True)]
