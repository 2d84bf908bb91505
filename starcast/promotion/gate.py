"""Check a challenger against the champion on the same reviews, or a first model against thresholds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from starcast.cli.errors import UserError
from starcast.evaluation.names import LOWER_IS_BETTER, PROPER_SCORES, score_names
from starcast.evaluation.paired import Difference, Draws, PairedBootstrap, differences
from starcast.evaluation.resampling import Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix
from starcast.evaluation.slices import DECIDING, SliceDifference, Slicing, slice_differences

ROUNDING = 1e-9  # of a difference of two scores: 0.85 - 0.9 is a little below -0.05


@dataclass(frozen=True)
class Limits:
    """What a challenger must satisfy."""

    metric: str  # the deciding score
    margin: float  # the whole 95% confidence interval of its improvement must lie above this
    recall_drop: float  # how much recall any one rating may lose
    ece_rise: float  # how much the calibration error may grow
    latency_ms: float  # median milliseconds for one review; 0: no limit
    megabytes: float  # size on disk; 0: no limit
    thresholds: Mapping[str, float]  # minimum scores of a first model (maximum, where lower is better)
    slice_drop: float  # how much any slice may lose, where it significantly loses


@dataclass(frozen=True)
class Contender:
    """A model with its predictions for the test reviews; only one of another project has no probabilities."""

    label: str  # a readable name, e.g. `version 3 (gru_1)`
    predicted: np.ndarray  # ratings as index from 0, shape (reviews,)
    latency_ms: np.ndarray  # milliseconds for single reviews, one after the other, shape (calls,)
    megabytes: float  # size on disk
    probabilities: np.ndarray | None = None  # shape (reviews, labels)

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
    """The checks and the numbers behind them."""

    limits: Limits
    ratings: np.ndarray  # true ratings as index from 0, shape (reviews,)
    challenger: Contender
    baseline: Contender  # the champion or, for a first model, the most frequent rating for every review
    first: bool
    challenger_draws: Draws
    baseline_draws: Draws
    gains: Mapping[str, Difference]  # for each score, challenger minus baseline
    checks: tuple[GateCheck, ...]
    scale: Scale = STARS
    slices: Sequence[SliceDifference] = ()  # challenger minus champion, of `slice_score`

    @property
    def labels(self) -> list[int]:
        """Return the ratings that some true rating has, as index from 0."""
        return [i for i in range(len(self.scale)) if (self.ratings == i).any()]

    @property
    def slice_score(self) -> str:
        """Return the score that is compared on slices."""
        return score_on_slices(self.limits)

    @property
    def passed(self) -> bool:
        """Return whether every check passes."""
        return all(check.passed for check in self.checks)

    @property
    def matrices(self) -> dict[str, np.ndarray]:
        """Return the confusion matrices of champion and challenger, counts."""
        both = [self.challenger] if self.first else [self.baseline, self.challenger]
        return {each.label: count_matrix(self.ratings, each.predicted, len(self.scale)) for each in both}


def judge_contenders(
    ratings: np.ndarray,
    challenger: Contender,
    champion: Contender | None,
    limits: Limits,
    seed: int,
    scale: Scale = STARS,
    slicings: Sequence[Slicing] = (),
) -> Verdict:
    """Judge a challenger against the champion; without one, against thresholds and the majority class.

    Args:
        ratings: true ratings as index from 0, shape (reviews,), in the order of both contenders' predictions.
        slicings: of the same reviews, on each of which the challenger must not lose.

    Raises:
        UserError: a score is asked for of a rating that no review has, or of probabilities that one of them
            does not answer with.
    """
    baseline, first = champion or majority(ratings, scale), champion is None
    bootstrap, both = PairedBootstrap(ratings, seed, scale=scale), (baseline, challenger)
    known = [each.probabilities[None] for each in both if each.probabilities is not None]
    theirs, ours = bootstrap.draws([each.predicted for each in both], known if len(known) == 2 else None)
    names = [name for name in score_names(scale) if name in ours.values]
    for name in (limits.metric, *limits.thresholds):
        if name not in names:
            raise UserError(f"no score {name}: the scores of these reviews are {', '.join(names)}")
    gains = {name: differences(theirs, [ours], name)[0] for name in names}
    gain, margin = improvement(limits.metric, gains[limits.metric].estimate), 0.0 if first else limits.margin
    better, asked = f"{limits.metric} better than {baseline.label}", f"whole interval above {margin:g}"
    checks = [GateCheck(better, signed(gain), asked, gain.low > margin)]
    checks += _thresholds(ours, limits) if first else [_recalls(gains, limits.recall_drop, scale)]
    checks += [] if first else _calibration(gains, limits.ece_rise)
    pair = challenger.predicted, baseline.predicted
    compared = () if first else slicings
    slices = slice_differences(ratings, pair, compared, score_on_slices(limits), seed, scale)
    checks += _slices(slices, limits)
    checks += _costs(challenger, limits)
    scored = ours, theirs, gains, tuple(checks), scale, slices
    return Verdict(limits, ratings, challenger, baseline, first, *scored)


def majority(ratings: np.ndarray, scale: Scale = STARS) -> Contender:
    """Return a contender that gives every review the most frequent rating, and the ratings their shares."""
    most = int(np.bincount(ratings, minlength=len(scale)).argmax())
    always = f"always {scale.names[most]}{' stars' if scale == STARS else ''}"
    shares = np.bincount(ratings, minlength=len(scale)) / len(ratings)
    probabilities = np.broadcast_to(shares, (len(ratings), len(scale)))
    return Contender(always, np.full(len(ratings), most), np.zeros(1), 0.0, probabilities)


def improvement(metric: str, gain: Estimate) -> Estimate:
    """Return a difference with the sign that makes higher better."""
    return Estimate(-gain.value, -gain.high, -gain.low) if metric in LOWER_IS_BETTER else gain


def signed(gain: Estimate) -> str:
    """Return a difference and its interval as text, with their signs."""
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def gain_text(gain: Estimate) -> str:
    """Return how much better the challenger is, in words."""
    return f"{'better by' if gain.value > 0 else 'no better,'} {signed(gain)}"


def _thresholds(scores: Draws, limits: Limits) -> list[GateCheck]:
    checks = []
    for name, limit in limits.thresholds.items():
        value, lower = scores.values[name], name in LOWER_IS_BETTER
        asked, passed = ("at most", value <= limit) if lower else ("at least", value >= limit)
        checks.append(GateCheck(name, f"{value:.3f}", f"{asked} {limit:g}", passed))
    return checks


def _recalls(gains: Mapping[str, Difference], allowed: float, scale: Scale) -> GateCheck:
    recalls = {i: f"recall_{label}" for i, label in enumerate(scale.keys)}
    drop, worst = min((gains[name].estimate.value, i) for i, name in recalls.items() if name in gains)
    of = f"{scale.names[worst]} stars" if scale == STARS else scale.said(worst)
    found = f"{of} {signed(gains[recalls[worst]].estimate)}"
    kept = drop >= -allowed - ROUNDING
    return GateCheck("recall of every rating, the worst", found, f"not below -{allowed:g}", kept)


def _calibration(gains: Mapping[str, Difference], allowed: float) -> list[GateCheck]:
    """Return the check of the calibration error, if both models answer with probabilities."""
    if "ece" not in gains:
        return []
    rise = gains["ece"].estimate
    kept = rise.value <= allowed + ROUNDING
    return [GateCheck("calibration error (ece)", signed(rise), f"not above +{allowed:g}", kept)]


def score_on_slices(limits: Limits) -> str:
    """Return the score that is compared on slices: the deciding one, unless it is of probabilities."""
    return DECIDING if limits.metric in PROPER_SCORES else limits.metric


def _slices(slices: Sequence[SliceDifference], limits: Limits) -> list[GateCheck]:
    """Return the check of the slice that loses most, of those that lose significantly if there are any."""
    if not slices:
        return []
    score = score_on_slices(limits)
    gains = {each: improvement(score, each.difference.estimate) for each in slices}
    losing = [each for each in slices if each.difference.significant and gains[each].value < 0]
    worst = min(losing or slices, key=lambda each: gains[each].value)
    name = f"{score} on each of {len(slices)} slices, the worst"
    found = f"{worst.slice} {worst.value} {signed(gains[worst])}"
    asked = f"no significant loss of more than {limits.slice_drop:g}"
    return [GateCheck(name, found, asked, not losing or gains[worst].value >= -limits.slice_drop - ROUNDING)]


def _costs(challenger: Contender, limits: Limits) -> list[GateCheck]:
    measured = (
        ("median time of one review", challenger.latency(50), limits.latency_ms, "ms"),
        ("size on disk", challenger.megabytes, limits.megabytes, "MB"),
    )
    return [
        GateCheck(name, f"{cost:.1f} {unit}", f"at most {limit:g} {unit}", cost <= limit)
        for name, cost, limit, unit in measured
        if limit
    ]
