"""Learning curves: what families score after learning from more and more reviews, always on the same test reviews."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.stats import false_discovery_control

from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences
from starcast.experiments.power_law import Trend


@dataclass(frozen=True)
class Measured:
    """One fit: from how many `reviews` it learned, the test split's stars as index 0-4, its scores, what it cost.

    `rows` it learned from after sampling; `seconds` and `peak_memory_mb` of the fit.
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
    """All fits of a family from as many reviews; `gain` is what it scores above the point before, if there is one."""

    fits: Sequence[Measured]
    draws: Draws
    score: Estimate
    gain: Difference | None

    @property
    def reviews(self) -> int:
        """How many reviews were learned from."""
        return self.fits[0].reviews

    def mean(self, fact: str) -> float:
        """Mean over the fits of `rows`, `seconds`, `peak_memory_mb` or a score."""
        return float(
            np.mean([fit.scores[fact] if fact in fit.scores else getattr(fit, fact) for fit in self.fits])
        )


@dataclass(frozen=True)
class Curve:
    """A family's points, fewest reviews first, and the power law through them, if they are enough for one."""

    family: str
    points: Sequence[Point]
    trend: Trend | None

    @property
    def last(self) -> Point:
        """The point of the most reviews."""
        return self.points[-1]

    @property
    def believed(self) -> Trend | None:
        """The power law, if its limit is to be believed."""
        return self.trend if self.trend and not self.trend.doubt else None


@dataclass(frozen=True)
class Lead:
    """How much the better of two families scores above the other, both with the most reviews."""

    ahead: Curve
    behind: Curve
    difference: Difference


@dataclass(frozen=True)
class LearningCurves:
    """The curves of all families in the order asked, and the leads of every pair, the best families' first."""

    curves: Sequence[Curve]
    leads: Sequence[Lead]
    metric: str

    @property
    def best(self) -> Curve:
        """The family with the highest score with the most reviews."""
        return max(self.curves, key=lambda curve: curve.last.score.value)


def learning_curves(fits: Sequence[Measured], ratings: np.ndarray, metric: str, seed: int) -> LearningCurves:
    """Score all fits on the same resampled test reviews.

    Args:
        fits: as many of every family and size, fewest reviews first; equal repeats stand in the same order.
        ratings: of the test split as index 0-4, shape (reviews,).
        metric: a score of the confusion matrix.
    """
    kinds: dict[tuple[str, int], list[Measured]] = {}
    for fit in fits:
        kinds.setdefault((fit.family, fit.reviews), []).append(fit)
    predicted = [np.stack([fit.predicted for fit in alike]) for alike in kinds.values()]
    draws = dict(zip(kinds, PairedBootstrap(ratings, seed).draws(predicted), strict=True))
    families = dict.fromkeys(family for family, _ in kinds)
    curves = _adjusted(
        [_curve({key: kinds[key] for key in kinds if key[0] == family}, draws, metric) for family in families]
    )
    return LearningCurves(curves, _leads(curves, metric), metric)


def _curve(
    kinds: dict[tuple[str, int], list[Measured]], draws: dict[tuple[str, int], Draws], metric: str
) -> Curve:
    points: list[Point] = []
    for key, fits in kinds.items():
        gain = differences(points[-1].draws, [draws[key]], metric)[0] if points else None
        points.append(Point(fits, draws[key], draws[key].estimate(metric), gain))
    reviews, scores = (
        np.array([point.reviews for point in points]),
        np.array([point.score.value for point in points]),
    )
    resampled = np.stack([point.draws.resampled[metric] for point in points], axis=1)
    return Curve(points[0].fits[0].family, points, Trend.fit(reviews, scores, resampled))


def _adjusted(curves: Sequence[Curve]) -> Sequence[Curve]:
    """The curves with p of their last gains, which are judged, adjusted for the number of families."""
    gains = [curve.last.gain for curve in curves if curve.last.gain]
    if not gains:
        return curves
    adjusted = zip(curves, _with_adjusted_p(gains), strict=True)
    return [
        replace(curve, points=[*curve.points[:-1], replace(curve.last, gain=gain)])
        for curve, gain in adjusted
    ]


def _leads(curves: Sequence[Curve], metric: str) -> Sequence[Lead]:
    ranked = sorted(curves, key=lambda curve: -curve.last.score.value)
    pairs = list(combinations(ranked, 2))
    found = [differences(behind.last.draws, [ahead.last.draws], metric)[0] for ahead, behind in pairs]
    return [Lead(*pair, difference) for pair, difference in zip(pairs, _with_adjusted_p(found), strict=True)]


def _with_adjusted_p(found: Sequence[Difference]) -> list[Difference]:
    """With p after Benjamini and Hochberg (1995) over all of them."""
    adjusted = false_discovery_control([each.p for each in found]) if found else []
    return [replace(each, p=float(p)) for each, p in zip(found, adjusted, strict=True)]
