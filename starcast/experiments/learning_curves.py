"""Learning curves: scores of families trained on more and more reviews, on the same test reviews."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import false_discovery_control

from starcast.evaluation.paired import Difference, Draws, PairedBootstrap, differences
from starcast.evaluation.resampling import Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.experiments.power_law import Trend


@dataclass(frozen=True)
class Measured:
    """One fit: its predicted test ratings, scores and costs."""

    family: str
    reviews: int  # of the training set
    repeat: int
    seed: int
    run_id: str
    predicted: np.ndarray  # index from 0
    scores: dict[str, float]
    rows: int  # of the training set after sampling
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Point:
    """All fits of a family at one size; `gain`: its score minus that at the previous size, if any."""

    fits: Sequence[Measured]
    draws: Draws
    score: Estimate
    gain: Difference | None

    @property
    def reviews(self) -> int:
        """Return the number of training reviews."""
        return self.fits[0].reviews

    def mean(self, fact: str) -> float:
        """Return the mean over the fits of `rows`, `seconds`, `peak_memory_mb` or a score."""
        values = [fit.scores[fact] if fact in fit.scores else getattr(fit, fact) for fit in self.fits]
        return float(np.mean(values))


@dataclass(frozen=True)
class Curve:
    """A family's points, fewest reviews first, and the power law fitted to them, if there are enough."""

    family: str
    points: Sequence[Point]
    trend: Trend | None

    @property
    def last(self) -> Point:
        """Return the point with the most reviews."""
        return self.points[-1]

    @property
    def believed(self) -> Trend | None:
        """Return the power law if its limit is reliable."""
        return self.trend if self.trend and not self.trend.doubt else None


@dataclass(frozen=True)
class Lead:
    """The better of two families at the largest size, and its score minus the other's."""

    ahead: Curve
    behind: Curve
    difference: Difference


@dataclass(frozen=True)
class LearningCurves:
    """The curves of all families in the order asked, and the lead within each pair, best families first."""

    curves: Sequence[Curve]
    leads: Sequence[Lead]
    metric: str

    @property
    def best(self) -> Curve:
        """Return the family with the highest score at the most reviews."""
        return max(self.curves, key=lambda curve: curve.last.score.value)


def learning_curves(
    fits: Sequence[Measured], ratings: np.ndarray, metric: str, seed: int, scale: Scale = STARS
) -> LearningCurves:
    """Score all fits on the same bootstrap resamples of the test reviews.

    Args:
        fits: the same number for every family and size, fewest reviews first, repeats in the same order.
        ratings: true test ratings as index from 0, shape (reviews,).
        metric: a score of the confusion matrix.
    """
    kinds: dict[tuple[str, int], list[Measured]] = {}
    for fit in fits:
        kinds.setdefault((fit.family, fit.reviews), []).append(fit)
    predicted = [np.stack([fit.predicted for fit in alike]) for alike in kinds.values()]
    points: dict[str, list[Point]] = {}
    draws = PairedBootstrap(ratings, seed, scale=scale).draws(predicted)
    for (family, _), alike, drawn in zip(kinds, kinds.values(), draws, strict=True):
        smaller = points.setdefault(family, [])
        gain = differences(smaller[-1].draws, [drawn], metric)[0] if smaller else None
        smaller.append(Point(alike, drawn, drawn.estimate(metric), gain))
    # The last gains are judged: their p values are adjusted for the number of families.
    judged = [of[-1].gain for of in points.values() if of[-1].gain]
    for of, gain in zip(points.values(), _with_adjusted_p(judged), strict=False):  # none of one size
        of[-1] = replace(of[-1], gain=gain)
    curves = [Curve(family, of, _trend(of, metric)) for family, of in points.items()]
    ranked = sorted(curves, key=lambda curve: -curve.last.score.value)
    pairs = list(combinations(ranked, 2))
    found = [differences(behind.last.draws, [ahead.last.draws], metric)[0] for ahead, behind in pairs]
    leads = [Lead(*pair, gap) for pair, gap in zip(pairs, _with_adjusted_p(found), strict=True)]
    return LearningCurves(curves, leads, metric)


def _trend(points: Sequence[Point], metric: str) -> Trend | None:
    reviews, scores = np.array([point.reviews for point in points]), [point.score.value for point in points]
    resampled = np.stack([point.draws.resampled[metric] for point in points], axis=1)
    return Trend.fit(reviews, np.array(scores), resampled)


def _with_adjusted_p(found: Sequence[Difference]) -> list[Difference]:
    """Adjust p values by Benjamini and Hochberg (1995) over all differences."""
    adjusted = false_discovery_control([each.p for each in found]) if found else []
    return [replace(each, p=float(p)) for each, p in zip(found, adjusted, strict=True)]
