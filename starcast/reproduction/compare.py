"""Compare a run with its repetition, and every run below the one with its counterpart below the other."""

import math
from collections import defaultdict
from collections.abc import Iterator

from starcast.evaluation.paired import Difference, PairedBootstrap, differences
from starcast.reproduction.noise import SEED, SPLITS, Noise, split_of
from starcast.reproduction.outcome import COST, Answered, ComparedValue, Pair, Reproduction, ValueKind
from starcast.tracking.repetition import RunRecord
from starcast.tracking.scored_runs import Predictions

EXACT = 1e-9
PAIRED_SCORE = "f1_macro"


def compare_records(before: RunRecord, now: RunRecord) -> Reproduction:
    """Compare a run with its repetition, and the runs below the one with their counterparts below the other."""
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
    # Scores of a run with others below it repeat one of theirs; those of trials that ended otherwise are of other epochs.
    judged = not before.below and _ended_alike(before, now)
    compared = [*_facts(before, now), *_numbers(before, now, judged)]
    return Pair(before, now, tuple(compared), tuple(_answered(before, now)))


def _ended_alike(before: RunRecord, now: RunRecord) -> bool:
    same_outcome = before.facts.get("outcome") == now.facts.get("outcome")
    return same_outcome and before.metrics.get("epochs_run") == now.metrics.get("epochs_run")


def _facts(before: RunRecord, now: RunRecord) -> Iterator[ComparedValue]:
    for name in sorted({*before.facts, *now.facts}):
        then, here = before.facts.get(name), now.facts.get(name)
        yield ComparedValue(name, "fact", then, here, "equal" if then == here else "different")


def _numbers(before: RunRecord, now: RunRecord, judged: bool) -> Iterator[ComparedValue]:
    noise = Noise((before.matrices, now.matrices), (before.answers, now.answers))
    for name in sorted({*before.metrics, *now.metrics}):
        then, here = before.metrics.get(name), now.metrics.get(name)
        kind = kind_of(name) if judged or COST.search(name) else "fact"
        if kind == "cost" or then is None or here is None:
            yield ComparedValue(name, kind, then, here, None)
        elif _equal(then, here):
            yield ComparedValue(name, kind, then, here, "equal")
        elif kind == "fact":
            yield ComparedValue(name, kind, then, here, "different")
        else:
            interval, within = noise.judge(name, then, here)
            yield ComparedValue(name, kind, then, here, "within noise" if within else "different", interval)


def _equal(then: float, here: float) -> bool:
    return abs(then - here) <= EXACT or (math.isnan(then) and math.isnan(here)) or then == here


def kind_of(metric: str) -> ValueKind:
    """What a metric of one fit is: a score of a split, a cost (seconds, memory), or a fact (a count)."""
    if COST.search(metric):
        return "cost"
    return "score" if split_of(metric) else "fact"


def _answered(before: RunRecord, now: RunRecord) -> Iterator[Answered]:
    for split in SPLITS:
        then, here = before.answers.get(split), now.answers.get(split)
        if then is None or here is None or then.reviews != here.reviews:
            continue
        changed = int((then.predicted != here.predicted).sum())
        yield Answered(split, len(then.ratings), changed, _difference(then, here) if changed else None)


def _difference(then: Predictions, here: Predictions) -> Difference:
    first, second = PairedBootstrap(then.ratings, SEED).draws([then.predicted, here.predicted])
    return differences(first, [second], PAIRED_SCORE)[0]
