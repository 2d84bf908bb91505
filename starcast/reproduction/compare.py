"""Compare a run and its repetition, metric by metric: equal, within noise, or different.

A fit with the same seed, code, data and versions on the same machine is expected to be equal. "Within noise"
is weaker: one score lies in the other's 95% bootstrap interval, so that the sampling of the reviews alone can
explain the difference. It does not mean that both fits predict the same; if both kept their predictions, the
reviews predicted differently are counted.

A score for which a run kept neither a matrix nor predictions (`val_auc` and `val_loss` of a trial of several
executions, or of a pruned one) has no such interval. It may change by `TOLERANCE`, which is a convention.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from starcast.evaluation.intervals import auc_interval, probability_intervals
from starcast.evaluation.names import PREFIXES, SCORES
from starcast.evaluation.paired import Difference, PairedBootstrap, differences
from starcast.evaluation.resampling import SEED, Intervals, bootstrap_intervals
from starcast.tracking.repetition import RunRecord

Verdict = Literal["equal", "within noise", "different"]
ValueKind = Literal["score", "fact", "cost"]
Value = float | str
COST = re.compile(r"^system/|_seconds|_memory_mb")
EXACT, TOLERANCE = 1e-9, 0.01
PAIRED_SCORE = "f1_macro"


@dataclass(frozen=True)
class ComparedValue:
    """One metric or fact of both runs; costs, and values that only one run has, get no verdict.

    `noise`: the interval that a different score should lie in, from the bootstrap or the tolerance.
    """

    name: str
    kind: ValueKind
    before: Value | None
    now: Value | None
    verdict: Verdict | None
    noise: tuple[float, float] | None = None

    @property
    def difference(self) -> float | None:
        """Return now minus before, for numbers."""
        both = isinstance(self.before, float) and isinstance(self.now, float)
        return float(self.now) - float(self.before) if both else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answered:
    """How many of the same reviews two fits predict differently, and the paired difference of macro F1 (now
    minus before).
    """

    split: str
    reviews: int
    changed: int
    difference: Difference | None


@dataclass(frozen=True)
class Pair:
    """A run and its repetition."""

    before: RunRecord
    now: RunRecord
    compared: tuple[ComparedValue, ...]
    answered: tuple[Answered, ...]

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict of the deciding scores.

        If any other value differs (a score of another split, a fact), the verdict is at best "within noise";
        for a run without scores, it is "different".
        """
        judged = [each for each in self.compared if each.verdict]
        deciding = {each.verdict for each in deciding_scores(judged)}
        if "different" in deciding:
            return "different"
        if all(each.verdict == "equal" for each in judged):
            return "equal"
        return "within noise" if deciding else "different"


@dataclass(frozen=True)
class Reproduction:
    """A run, its repetition and all runs below them.

    `pairs`, the run itself first, and runs without a counterpart.
    """

    pairs: tuple[Pair, ...]
    only_before: tuple[RunRecord, ...]
    only_now: tuple[RunRecord, ...]

    @property
    def compared(self) -> list[ComparedValue]:
        """Return everything that was compared."""
        return [each for pair in self.pairs for each in pair.compared]

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict of the fits.

        If runs above the fits differ, or other settings were tried, it is at best "within noise".
        """
        of_fits = {pair.verdict for pair in self.pairs if deciding_scores(pair.compared)}
        if "different" in of_fits:
            return "different"
        matched = not self.only_before and not self.only_now
        if matched and all(pair.verdict == "equal" for pair in self.pairs):
            return "equal"
        return "within noise" if of_fits else "different"


def deciding_scores(compared: Sequence[ComparedValue]) -> list[ComparedValue]:
    """Return the scores of the last split that has any: test, else validation, else train."""
    scores = [each for each in compared if each.kind == "score"]
    of_splits = ([s for s in scores if s.name.startswith(f"{split}_")] for split in reversed(PREFIXES))
    return next(filter(None, of_splits), [])


def compare_records(before: RunRecord, now: RunRecord) -> Reproduction:
    """Compare two runs and, recursively, the runs below them that have equal keys."""
    pairs, only_before, only_now = [_pair(before, now)], list[RunRecord](), list[RunRecord]()
    counterparts = defaultdict(list)
    for each in now.below:
        counterparts[each.key].append(each)
    for each in before.below:
        if not counterparts[each.key]:
            only_before.append(each)
            continue
        found = compare_records(each, counterparts[each.key].pop(0))
        pairs += found.pairs
        only_before += found.only_before
        only_now += found.only_now
    only_now += [each for left in counterparts.values() for each in left]
    return Reproduction(tuple(pairs), tuple(only_before), tuple(only_now))


def _pair(before: RunRecord, now: RunRecord) -> Pair:
    # A run with child runs repeats a score of theirs; trials that ended differently have scores of other
    # epochs.
    same_outcome = before.facts.get("outcome") == now.facts.get("outcome")
    ended_alike = same_outcome and before.metrics.get("epochs_run") == now.metrics.get("epochs_run")
    compared = []
    for name in sorted({*before.facts, *now.facts}):
        then, here = before.facts.get(name), now.facts.get(name)
        compared.append(ComparedValue(name, "fact", then, here, "equal" if then == here else "different"))
    compared += _numbers(before, now, judged=ended_alike and not before.below)
    return Pair(before, now, tuple(compared), tuple(_answered(before, now)))


def _numbers(before: RunRecord, now: RunRecord, judged: bool) -> Iterator[ComparedValue]:
    noise = _Noise(before, now)
    for name in sorted({*before.metrics, *now.metrics}):
        then, here = before.metrics.get(name), now.metrics.get(name)
        kind = kind_of(name) if judged or COST.search(name) else "fact"
        if kind == "cost" or then is None or here is None:
            yield ComparedValue(name, kind, then, here, None)
        elif then == here or abs(then - here) <= EXACT or (math.isnan(then) and math.isnan(here)):
            yield ComparedValue(name, kind, then, here, "equal")
        elif kind == "fact":
            yield ComparedValue(name, kind, then, here, "different")
        else:
            interval, within = noise.judge(name, then, here)
            yield ComparedValue(name, kind, then, here, "within noise" if within else "different", interval)


def kind_of(metric: str) -> ValueKind:
    """Tell whether a metric of a fit is a score of a split, a cost (seconds, memory) or a fact (a count)."""
    if COST.search(metric):
        return "cost"
    return "score" if split_of(metric) else "fact"


def split_of(metric: str) -> tuple[str, str] | None:
    """Split a metric's name, `test_argmax_f1_macro` into (`test_argmax`, `f1_macro`).

    None if it is not a score.
    """
    if metric.partition("_")[0] not in PREFIXES:
        return None
    named = ((metric.removesuffix(f"_{score}"), score) for score in SCORES if metric.endswith(f"_{score}"))
    return next(named, None) or _split_of_label(metric)


def _split_of_label(metric: str) -> tuple[str, str] | None:
    """Split the name of a score of a label that is not one of 1-5 stars."""
    found = re.fullmatch(r"(\w+?)_((?:precision|recall|f1)_.+)", metric)
    return (found[1], found[2]) if found else None


def _answered(before: RunRecord, now: RunRecord) -> Iterator[Answered]:
    for split in PREFIXES:
        then, here = before.answers.get(split), now.answers.get(split)
        if then is None or here is None or then.reviews != here.reviews or then.scale != here.scale:
            continue
        changed, difference = int((then.predicted != here.predicted).sum()), None
        if changed:
            first, second = PairedBootstrap(then.ratings, SEED, scale=then.scale).draws(
                [then.predicted, here.predicted]
            )
            difference = differences(first, [second], PAIRED_SCORE)[0]
        yield Answered(split, len(then.ratings), changed, difference)


class _Noise:
    """The confidence intervals of two runs, computed on demand: equal scores need none."""

    def __init__(self, *sides: RunRecord) -> None:
        self._sides, self._known = sides, dict[tuple[int, str], Intervals]()

    def judge(self, metric: str, first: float, second: float) -> tuple[tuple[float, float], bool]:
        """Return the interval of the first score, and whether one of the two lies in the other's."""
        named = split_of(metric)
        assert named is not None, "a score has a split"
        own, others = self._interval(0, *named, first), self._interval(1, *named, second)
        return own, own[0] <= second <= own[1] or others[0] <= first <= others[1]

    def _interval(self, side: int, prefix: str, score: str, value: float) -> tuple[float, float]:
        if (side, prefix) not in self._known:
            record = self._sides[side]
            self._known[side, prefix] = _intervals(record, prefix)
        interval = self._known[side, prefix].get(score)
        # An interval without its own score belongs to something other than what was logged.
        known = interval is not None and interval[0] <= value <= interval[1]
        return interval if interval and known else (value - TOLERANCE, value + TOLERANCE)


def _intervals(record: RunRecord, prefix: str) -> Intervals:
    """Return the 95% intervals of all scores with a prefix that what the run kept allows."""
    matrix, answers = record.matrices.get(prefix), record.answers.get(prefix)
    found: Intervals = {}
    if matrix is not None:
        found = bootstrap_intervals(matrix, scale=record.scale, executions=record.executions)
    if answers is None:
        return found
    auc = auc_interval(answers.ratings, [answers.probabilities], SEED)
    given = answers.ratings, answers.predicted, answers.probabilities
    return {**found, "auc": (auc.low, auc.high), **probability_intervals(*given, SEED)}
