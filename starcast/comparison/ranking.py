"""Rank systems by a score, each with its confidence interval and its paired difference from the best."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcast.comparison.systems import System
from starcast.evaluation.intervals import auc_interval
from starcast.evaluation.names import LOWER_IS_BETTER, PROBABILITY_SCORES
from starcast.evaluation.paired import Difference, Draws, PairedBootstrap, differences
from starcast.evaluation.resampling import SEED, Estimate, bootstrap_intervals
from starcast.evaluation.scale import Scale

Interval = tuple[float, float]


@dataclass(frozen=True)
class RankedSystem:
    """A system with its score and its difference from the best."""

    system: System
    value: float  # its score
    interval: Interval | None  # None for a score of probabilities that were not kept
    lead: Difference | None  # how much better the best is; None for the best and for unpaired systems

    @property
    def text(self) -> str:
        """Return the score with its interval."""
        ends = f" ({self.interval[0]:.3f} to {self.interval[1]:.3f})" if self.interval else ""
        return f"{self.value:.3f}{ends}"

    @property
    def reviews(self) -> int:
        """Return the number of reviews it was scored on."""
        return self.system.runs[0].reviews


@dataclass(frozen=True)
class Comparison:
    """Systems, best first, by a score of a split (`test` or `val`); `by` is what runs were grouped by."""

    placed: tuple[RankedSystem, ...]
    metric: str
    split: str
    by: str

    @property
    def scale(self) -> Scale:
        """Return the ratings, the same for all systems."""
        return self.best.system.scale

    @property
    def best(self) -> RankedSystem:
        """Return the first system."""
        return self.placed[0]

    @property
    def second(self) -> RankedSystem | None:
        """Return the next system that was paired with the best."""
        return next((each for each in self.placed[1:] if each.lead), None)

    @property
    def smallest(self) -> RankedSystem | None:
        """Return the smallest system (then the fastest fit) among the best and those paired with it."""
        paired = [each for each in self.placed if each is self.best or each.lead]
        known = [each for each in paired if each.system.parameters]  # a family of the user's own may not tell
        return min(known, key=lambda each: (each.system.parameters, each.system.seconds), default=None)


def rank(systems: Sequence[System], metric: str, split: str, by: str) -> Comparison:
    """Return the comparison of at least one system by a score."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    ranked = sorted(systems, key=lambda system: -sign * system.score(metric))
    draws = _draws(ranked, metric in PROBABILITY_SCORES)
    leads = _leads(ranked, draws, metric, sign)
    placed = []
    for system in ranked:
        interval = _interval(system, draws.get(system.name), metric)
        placed.append(RankedSystem(system, system.score(metric), interval, leads.get(system.name)))
    return Comparison(tuple(placed), metric, split, by)


def _draws(systems: Sequence[System], of_probabilities: bool) -> dict[str, Draws]:
    """Return resampled scores by system's name; systems scored on the same reviews are resampled together."""
    pools: dict[str, list[System]] = defaultdict(list)
    for system in systems:
        if system.reviews:
            pools[system.reviews].append(system)
    drawn: dict[str, Draws] = {}
    for pool in pools.values():
        fits = [np.stack([each.predicted for each in system.answers]) for system in pool]
        bootstrap = PairedBootstrap(pool[0].answers[0].ratings, SEED, scale=pool[0].scale)
        probabilities = None
        if of_probabilities:
            probabilities = [np.stack(system.probabilities) for system in pool]
        found = bootstrap.draws(fits, probabilities)
        drawn |= {system.name: draws for system, draws in zip(pool, found, strict=True)}
    return drawn


def _interval(system: System, draws: Draws | None, metric: str) -> Interval | None:
    if draws and metric == "auc":
        estimate = auc_interval(system.answers[0].ratings, system.probabilities, SEED)
        return estimate.low, estimate.high
    if draws:
        found = draws.estimate(metric) if metric in draws.values else None
        return (found.low, found.high) if found else None
    # The reviews are unknown: the mean of the fits' own intervals, as they may share all sampling of reviews.
    ends = [
        bootstrap_intervals(run.matrix, scale=run.scale, executions=run.executions) for run in system.runs
    ]
    if metric not in ends[0]:
        return None
    low, high = np.mean([each[metric] for each in ends], axis=0)
    return float(low), float(high)


def _leads(ranked: list[System], draws: dict[str, Draws], metric: str, sign: int) -> dict[str, Difference]:
    """Return how much better the first system is than those scored on the same reviews, by name."""
    best = draws.get(ranked[0].name)
    if best is None or metric not in best.values:
        return {}
    others = [system.name for system in ranked[1:] if system.reviews == ranked[0].reviews]
    leads = {}
    for name, behind in zip(others, differences(best, [draws[n] for n in others], metric), strict=True):
        value, low, high = behind.estimate.value, behind.estimate.low, behind.estimate.high
        # Subtract from zero, because a negated zero would be printed as -0.000.
        estimate = Estimate(0.0 - value, 0.0 - high, 0.0 - low) if sign > 0 else behind.estimate
        leads[name] = Difference(estimate, behind.p)
    return leads
