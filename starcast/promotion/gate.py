"""May a model go into service? A challenger against the champion, or the first model against limits, on the same reviews."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from starcast.evaluation.names import LOWER_IS_BETTER, SCORES
from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences
from starcast.evaluation.scores import count_matrix

# AUC and loss do not follow from the stars that are given, and it is these that go into service.
METRICS = tuple(name for name in SCORES if name not in ("auc", "loss"))


@dataclass(frozen=True)
class Limits:
    """What a challenger must hold.

    Attributes:
        metric: the score that decides; the whole 95% interval of its improvement must lie above `margin`.
        recall_drop: how much lower the recall of any one rating may be.
        latency_ms: median milliseconds of one review; `megabytes`: size on disk. 0 is no limit.
        thresholds: for a first model, least values of scores (most, where lower is better).
    """

    metric: str
    margin: float
    recall_drop: float
    latency_ms: float
    megabytes: float
    thresholds: Mapping[str, float]


@dataclass(frozen=True)
class Contender:
    """A model that was asked for the stars of the test reviews.

    Attributes:
        label: as people read it, e.g. `version 3 (gru_1)`.
        predicted: chosen ratings as index 0-4, shape (reviews,).
        latency_ms: milliseconds of single reviews, one after the other, shape (calls,).
        megabytes: size on disk.
    """

    label: str
    predicted: np.ndarray
    latency_ms: np.ndarray
    megabytes: float

    def latency(self, percent: float) -> float:
        """A percentile of the milliseconds for one review."""
        return float(np.percentile(self.latency_ms, percent))


@dataclass(frozen=True)
class GateCheck:
    """One condition: what was found, what was asked, whether it holds."""

    name: str
    found: str
    asked: str
    passed: bool


@dataclass(frozen=True)
class Verdict:
    """What the checks say, and the numbers behind them.

    Attributes:
        ratings: true ratings as index 0-4, shape (reviews,).
        baseline: the champion or, for a first model, the most frequent rating given to every review.
        gains: score to how much higher the challenger's is than the baseline's.
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
        """Whether every check holds."""
        return all(check.passed for check in self.checks)

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        """Confusion matrices of champion and challenger, counts."""
        both = [self.challenger] if self.first else [self.baseline, self.challenger]
        return {each.label: count_matrix(self.ratings, each.predicted) for each in both}


def judge_contenders(
    ratings: np.ndarray, challenger: Contender, champion: Contender | None, limits: Limits, seed: int
) -> Verdict:
    """Hold a challenger against the champion; without one, against thresholds and the majority class.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,); both contenders answered these reviews in this order.
    """
    baseline = champion or majority(ratings)
    theirs, ours = PairedBootstrap(ratings, seed).draws([baseline.predicted, challenger.predicted])
    gains = {name: differences(theirs, [ours], name)[0] for name in METRICS}
    checks = [
        _better(limits, gains[limits.metric], baseline.label, 0.0 if champion is None else limits.margin)
    ]
    if champion is None:
        checks += [_threshold(name, ours.values[name], limit) for name, limit in limits.thresholds.items()]
    else:
        checks.append(_recalls(gains, limits.recall_drop))
    checks += _costs(challenger, limits)
    return Verdict(
        limits, ratings, challenger, baseline, champion is None, ours, theirs, gains, tuple(checks)
    )


def majority(ratings: np.ndarray) -> Contender:
    """The most frequent rating, given to every review."""
    most = int(np.bincount(ratings, minlength=5).argmax())
    return Contender(f"always {most + 1} stars", np.full(len(ratings), most), np.zeros(1), 0.0)


def improvement(metric: str, gain: Estimate) -> Estimate:
    """A difference turned so that higher is better."""
    return Estimate(-gain.value, -gain.high, -gain.low) if metric in LOWER_IS_BETTER else gain


def _better(limits: Limits, gain: Difference, rival: str, margin: float) -> GateCheck:
    better = improvement(limits.metric, gain.estimate)
    found = f"{better.value:+.3f} ({better.low:+.3f} to {better.high:+.3f})"
    return GateCheck(
        f"{limits.metric} better than {rival}", found, f"whole interval above {margin:g}", better.low > margin
    )


def _recalls(gains: Mapping[str, Difference], allowed: float) -> GateCheck:
    by_rating = {rating: gains[f"recall_{rating}"].estimate for rating in range(1, 6)}
    worst = min(by_rating, key=lambda rating: by_rating[rating].value)
    drop = by_rating[worst]
    found = f"{worst} stars {drop.value:+.3f} ({drop.low:+.3f} to {drop.high:+.3f})"
    return GateCheck(
        "recall of every rating, the worst", found, f"not below -{allowed:g}", drop.value >= -allowed
    )


def _threshold(name: str, value: float, limit: float) -> GateCheck:
    lower = name in LOWER_IS_BETTER
    asked = f"at most {limit:g}" if lower else f"at least {limit:g}"
    return GateCheck(name, f"{value:.3f}", asked, value <= limit if lower else value >= limit)


def _costs(challenger: Contender, limits: Limits) -> list[GateCheck]:
    checks = []
    if limits.latency_ms:
        median = challenger.latency(50)
        asked = f"at most {limits.latency_ms:g} ms"
        checks.append(
            GateCheck("median time of one review", f"{median:.1f} ms", asked, median <= limits.latency_ms)
        )
    if limits.megabytes:
        size = challenger.megabytes
        checks.append(
            GateCheck(
                "size on disk", f"{size:.1f} MB", f"at most {limits.megabytes:g} MB", size <= limits.megabytes
            )
        )
    return checks
