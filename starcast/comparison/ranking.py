"""Systems ranked by a score, each with its interval and its paired difference from the best."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcast.comparison.systems import System
from starcast.evaluation.intervals import auc_interval, bootstrap_intervals
from starcast.evaluation.names import LOWER_IS_BETTER
from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences

SEED = 42  # of the resamples
Interval = tuple[float, float]


@dataclass(frozen=True)
class RankedSystem:
    """A system in its place.

    Args:
        value: its score.
        interval: ends of the score's 95% interval; None for a loss, and for an AUC of which no probabilities were kept.
        lead: how much better the best system is; None for the best, and where the two cannot be paired.
    """

    system: System
    value: float
    interval: Interval | None
    lead: Difference | None

    @property
    def text(self) -> str:
        """The score with its interval."""
        return f"{self.value:.3f}" + (
            f" ({self.interval[0]:.3f} to {self.interval[1]:.3f})" if self.interval else ""
        )


@dataclass(frozen=True)
class Comparison:
    """Systems, best first, by a score of a split (`test` or `val`); `by` is what runs were grouped by, if anything."""

    placed: tuple[RankedSystem, ...]
    metric: str
    split: str
    by: str

    @property
    def best(self) -> RankedSystem:
        """The first."""
        return self.placed[0]

    @property
    def second(self) -> RankedSystem | None:
        """The next one that was paired with the best."""
        return next((each for each in self.placed[1:] if each.lead), None)

    @property
    def plainest(self) -> RankedSystem | None:
        """The one of the fewest parameters, of those equal the one fitted fastest, among the best and what was paired with it."""
        known = [
            each
            for each in self.placed
            if each.system.parameters is not None and (each is self.best or each.lead)
        ]
        return min(known, key=lambda each: (each.system.parameters, each.system.seconds), default=None)


def rank(systems: Sequence[System], metric: str, split: str, by: str) -> Comparison:
    """Rank systems by a score; at least one."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    ranked = sorted(systems, key=lambda system: -sign * system.score(metric))
    draws = _draws(ranked)
    leads = _leads(ranked, draws, metric, sign)
    placed = [
        RankedSystem(
            system,
            system.score(metric),
            _interval(system, draws.get(system.name), metric),
            leads.get(system.name),
        )
        for system in ranked
    ]
    return Comparison(tuple(placed), metric, split, by)


def _draws(systems: Sequence[System]) -> dict[str, Draws]:
    """Resampled scores by system's name; systems that answered the same reviews are resampled together."""
    pools: dict[str, list[System]] = defaultdict(list)
    for system in systems:
        pools[system.reviews].append(system)
    drawn: dict[str, Draws] = {}
    for reviews, pool in pools.items():
        if reviews:
            answers = [[run.answers for run in system.runs if run.answers] for system in pool]
            fits = [np.stack([each.predicted for each in of_system]) for of_system in answers]
            bootstrap = PairedBootstrap(answers[0][0].ratings, SEED)
            drawn |= {system.name: draws for system, draws in zip(pool, bootstrap.draws(fits), strict=True)}
    return drawn


def _interval(system: System, draws: Draws | None, metric: str) -> Interval | None:
    if draws:
        if metric not in draws.values and metric != "auc":
            return None
        estimate = draws.estimate(metric) if metric != "auc" else _auc_interval(system)
        return estimate.low, estimate.high
    # Of fits whose reviews are unknown: the mean of their own intervals, as they may well share all chance of the reviews.
    ends = [bootstrap_intervals(run.matrix, SEED) for run in system.runs]
    if metric not in ends[0]:
        return None
    low, high = np.mean([each[metric] for each in ends], axis=0)
    return float(low), float(high)


def _auc_interval(system: System) -> Estimate:
    answers = [run.answers for run in system.runs if run.answers]
    return auc_interval(answers[0].ratings, [each.probabilities for each in answers], SEED)


def _leads(
    ranked: Sequence[System], draws: dict[str, Draws], metric: str, sign: int
) -> dict[str, Difference]:
    """How much better the first system is than those that answered the same reviews, by name."""
    best = draws.get(ranked[0].name)
    if best is None or metric not in best.values:
        return {}
    others = [system.name for system in ranked[1:] if system.reviews == ranked[0].reviews]
    behind = differences(best, [draws[name] for name in others], metric)
    return {name: _lead(each, sign) for name, each in zip(others, behind, strict=True)}


def _lead(behind: Difference, sign: int) -> Difference:
    value, low, high = behind.estimate.value, behind.estimate.low, behind.estimate.high
    # Taken from zero, as the negative of zero would read -0.000.
    estimate = Estimate(0.0 - value, 0.0 - high, 0.0 - low) if sign > 0 else behind.estimate
    return Difference(estimate, behind.p)
