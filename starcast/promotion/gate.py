"""The gate: a challenger against the champion on the same reviews, or a first model against thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from starcast.evaluation.names import LOWER_IS_BETTER, SCORES
from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences
from starcast.evaluation.scores import count_matrix

# AUC and loss do not depend on the stars, which are what goes into service.
METRICS = tuple(name for name in SCORES if name not in ("auc", "loss"))


@dataclass(frozen=True)
class Limits:
    """What a challenger must satisfy.

    Attributes:
        metric: the deciding score; the whole 95% confidence interval of its improvement must lie above
            `margin`.
        recall_drop: how much recall any one rating may lose.
        latency_ms: median milliseconds for one review; 0: no limit.
        megabytes: size on disk; 0: no limit.
        thresholds: for a first model, minimum scores (maximum, where lower is better).
    """

    metric: str
    margin: float
    recall_drop: float
    latency_ms: float
    megabytes: float
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Contender:
    """A model with its predictions for the test reviews.

    Attributes:
        label: for people, e.g. `version 3 (gru_1)`.
        predicted: predicted ratings as index 0-4, shape (reviews,).
        latency_ms: milliseconds for single reviews, one after the other, shape (calls,).
        megabytes: size on disk.
    """

    label: str
    predicted: np.ndarray
    latency_ms: np.ndarray
    megabytes: float

    def latency(self, percent: float) -> float:
        """Return a percentile of the milliseconds for one review."""
        return float(np.percentile(self.latency_ms, percent))


@dataclass(frozen=True)
class GateCheck:
    """One condition: what was found, what is required, whether it passes."""

    name: str
    found: str
    asked: str
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """The checks and the numbers behind them.

    Attributes:
        ratings: true ratings as index 0-4, shape (reviews,).
        baseline: the champion or, for a first model, the most frequent rating for every review.
        gains: for each score, challenger minus baseline.
    """

    limits: Limits
    ratings: np.ndarray
    challenger: Contender
    baseline: Contender
    first: bool
    challenger_draws: Draws
    baseline_draws: Draws
    gains: Mapping[str, Difference]
    checks: tuple[GateCheck, ...]

    @property
    def passed(self) -> bool:
        """Return whether every check passes."""
        return all(check.passed for check in self.checks)

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        """Return the confusion matrices of champion and challenger, counts."""
        both = [self.challenger] if self.first else [self.baseline, self.challenger]
        return {each.label: count_matrix(self.ratings, each.predicted) for each in both}


def judge_contenders(
    ratings: np.ndarray, challenger: Contender, champion: Contender | None, limits: Limits, seed: int
) -> Verdict:
    """Judge a challenger against the champion; without one, against thresholds and the majority class.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,), in the order of both contenders' predictions.
    """
    baseline = champion or majority(ratings)
    theirs, ours = PairedBootstrap(ratings, seed).draws([baseline.predicted, challenger.predicted])
    gains = {name: differences(theirs, [ours], name)[0] for name in METRICS}
    margin = 0.0 if champion is None else limits.margin
    checks = [_better(limits, gains[limits.metric], baseline.label, margin)]
    if champion is None:
        checks += [_threshold(name, ours.values[name], limit) for name, limit in limits.thresholds.items()]
    else:
        checks.append(_recalls(gains, limits.recall_drop))
    checks += _costs(challenger, limits)
    first = champion is None
    return Verdict(limits, ratings, challenger, baseline, first, ours, theirs, gains, tuple(checks))


def majority(ratings: np.ndarray) -> Contender:
    """Return a contender that gives every review the most frequent rating."""
    most = int(np.bincount(ratings, minlength=5).argmax())
    return Contender(f"always {most + 1} stars", np.full(len(ratings), most), np.zeros(1), 0.0)


def improvement(metric: str, gain: Estimate) -> Estimate:
    """Turn a difference so that higher is better."""
    return Estimate(-gain.value, -gain.high, -gain.low) if metric in LOWER_IS_BETTER else gain


def _better(limits: Limits, gain: Difference, rival: str, margin: float) -> GateCheck:
    better = improvement(limits.metric, gain.estimate)
    found = f"{better.value:+.3f} ({better.low:+.3f} to {better.high:+.3f})"
    asked = f"whole interval above {margin:g}"
    return GateCheck(f"{limits.metric} better than {rival}", found, asked, better.low > margin)


def _recalls(gains: Mapping[str, Difference], allowed: float) -> GateCheck:
    by_rating = {rating: gains[f"recall_{rating}"].estimate for rating in range(1, 6)}
    worst = min(by_rating, key=lambda rating: by_rating[rating].value)
    drop = by_rating[worst]
    found = f"{worst} stars {drop.value:+.3f} ({drop.low:+.3f} to {drop.high:+.3f})"
    asked = f"not below -{allowed:g}"
    return GateCheck("recall of every rating, the worst", found, asked, drop.value >= -allowed)


def _threshold(name: str, value: float, limit: float) -> GateCheck:
    lower = name in LOWER_IS_BETTER
    asked = f"at most {limit:g}" if lower else f"at least {limit:g}"
    return GateCheck(name, f"{value:.3f}", asked, value <= limit if lower else value >= limit)


def _costs(challenger: Contender, limits: Limits) -> list[GateCheck]:
    checks = []
    if limits.latency_ms:
        median, asked = challenger.latency(50), f"at most {limits.latency_ms:g} ms"
        fast = median <= limits.latency_ms
        checks.append(GateCheck("median time of one review", f"{median:.1f} ms", asked, fast))
    if limits.megabytes:
        size, asked = challenger.megabytes, f"at most {limits.megabytes:g} MB"
        checks.append(GateCheck("size on disk", f"{size:.1f} MB", asked, size <= limits.megabytes))
    return checks
