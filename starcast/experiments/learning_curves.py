"""Learning curves: scores of families trained on more and more reviews, on the same test reviews."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import false_discovery_control

from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences
from starcast.experiments.power_law import Trend


@dataclass(frozen=True)
class Measured:
    """One fit: the number of training `reviews`, predicted test ratings (index 0-4), scores and costs.

    `rows`: training rows after sampling.
    """

    family: str
    reviews: int
    repeat: int
    seed: int
    run_id: str
    predicted: np.ndarray
    scores: dict[str, float]
    rows: int
    seconds: float
    peak_memory_mb: float


@dataclass(frozen=True)
class Point:
    """All fits of a family at one size; `gain`: its score minus that of the size before, if there is one."""

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
        """Return the power law, if its limit is reliable."""
        return self.trend if self.trend and not self.trend.doubt else None


@dataclass(frozen=True)
class Lead:
    """The better of two families at the most reviews, and its score minus the other's."""

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


def learning_curves(fits: Sequence[Measured], ratings: np.ndarray, metric: str, seed: int) -> LearningCurves:
    """Score all fits on the same bootstrap resamples of the test reviews.

    Args:
        fits: equally many of every family and size, fewest reviews first, repeats in the same order.
        ratings: true test ratings as index 0-4, shape (reviews,).
        metric: a score of the confusion matrix.
    """
    kinds: dict[tuple[str, int], list[Measured]] = {}
    for fit in fits:
        kinds.setdefault((fit.family, fit.reviews), []).append(fit)
    predicted = [np.stack([fit.predicted for fit in alike]) for alike in kinds.values()]
    draws = dict(zip(kinds, PairedBootstrap(ratings, seed).draws(predicted), strict=True))
    families = dict.fromkeys(family for family, _ in kinds)
    own = ({key: kinds[key] for key in kinds if key[0] == family} for family in families)
    curves = _adjusted([_curve(of_family, draws, metric) for of_family in own])
    return LearningCurves(curves, _leads(curves, metric), metric)


def _curve(
    kinds: dict[tuple[str, int], list[Measured]], draws: dict[tuple[str, int], Draws], metric: str
) -> Curve:
    points: list[Point] = []
    for key, fits in kinds.items():
        gain = differences(points[-1].draws, [draws[key]], metric)[0] if points else None
        points.append(Point(fits, draws[key], draws[key].estimate(metric), gain))
    reviews = np.array([point.reviews for point in points])
    scores = np.array([point.score.value for point in points])
    resampled = np.stack([point.draws.resampled[metric] for point in points], axis=1)
    return Curve(points[0].fits[0].family, points, Trend.fit(reviews, scores, resampled))


def _adjusted(curves: Sequence[Curve]) -> Sequence[Curve]:
    """Adjust the p values of the last gains, which are judged, for the number of families."""
    gains = [curve.last.gain for curve in curves if curve.last.gain]
    if not gains:
        return curves
    lasts = [replace(c.last, gain=gain) for c, gain in zip(curves, _with_adjusted_p(gains), strict=True)]
    return [replace(c, points=[*c.points[:-1], last]) for c, last in zip(curves, lasts, strict=True)]


def _leads(curves: Sequence[Curve], metric: str) -> Sequence[Lead]:
    ranked = sorted(curves, key=lambda curve: -curve.last.score.value)
    pairs = list(combinations(ranked, 2))
    found = [differences(behind.last.draws, [ahead.last.draws], metric)[0] for ahead, behind in pairs]
    return [Lead(*pair, difference) for pair, difference in zip(pairs, _with_adjusted_p(found), strict=True)]


def _with_adjusted_p(found: Sequence[Difference]) -> list[Difference]:
    """Adjust p values by Benjamini and Hochberg (1995) over all differences."""
    adjusted = false_discovery_control([each.p for each in found]) if found else []
    return [replace(each, p=float(p)) for each, p in zip(found, adjusted, strict=True)]
