"""Compare a run with its repetition, and the runs below them with their counterparts."""

import math
from collections import defaultdict
from collections.abc import Iterator

from starcast.evaluation.paired import PairedBootstrap, differences
from starcast.reproduction.noise import SEED, SPLITS, Noise, split_of
from starcast.reproduction.outcome import COST, Answered, ComparedValue, Pair, Reproduction, ValueKind
from starcast.tracking.repetition import RunRecord

EXACT = 1e-9
PAIRED_SCORE = "f1_macro"


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
    # A run with others below it repeats a score of theirs; trials that ended differently have scores of other
    # epochs.
    same_outcome = before.facts.get("outcome") == now.facts.get("outcome")
    ended_alike = same_outcome and before.metrics.get("epochs_run") == now.metrics.get("epochs_run")
    compared = list(_numbers(before, now, judged=ended_alike and not before.below))
    for name in sorted({*before.facts, *now.facts}, reverse=True):
        then, here = before.facts.get(name), now.facts.get(name)
        compared.insert(0, ComparedValue(name, "fact", then, here, "equal" if then == here else "different"))
    return Pair(before, now, tuple(compared), tuple(_answered(before, now)))


def _numbers(before: RunRecord, now: RunRecord, judged: bool) -> Iterator[ComparedValue]:
    noise = Noise((before.matrices, now.matrices), (before.answers, now.answers))
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


def _answered(before: RunRecord, now: RunRecord) -> Iterator[Answered]:
    for split in SPLITS:
        then, here = before.answers.get(split), now.answers.get(split)
        if then is None or here is None or then.reviews != here.reviews:
            continue
        changed, difference = int((then.predicted != here.predicted).sum()), None
        if changed:
            first, second = PairedBootstrap(then.ratings, SEED).draws([then.predicted, here.predicted])
            difference = differences(first, [second], PAIRED_SCORE)[0]
        yield Answered(split, len(then.ratings), changed, difference)
