"""Which trials are stopped, on curves made up at random."""

from itertools import count
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.search.pruning import PRUNERS, STARTUP, Pruner, PrunerName
from starcast.search.trials import Proposal, Trial

RUNGS = (1, 2, 4, 8)
Curve = list[float]
Decisions = list[list[bool]]
CURVES = st.lists(st.lists(st.floats(0, 1), min_size=9, max_size=9), min_size=1, max_size=14)
PRUNING: tuple[PrunerName, ...] = ("median", "asha")


def watch(pruner: Pruner, curves: list[Curve], family: str = "a", first: int = 1) -> Decisions:
    """One trial after the other, each until it is stopped: what was said after each epoch."""
    decisions = []
    for number, curve in enumerate(curves, start=first):
        said: list[bool] = []
        for epoch, score in enumerate(curve, start=1):
            said.append(pruner.goes_on(number, family, epoch, score))
            if not said[-1]:
                break
        decisions.append(said)
    return decisions


def together(pruner: Pruner, curves: list[Curve]) -> list[int]:
    """All trials at the same time, epoch by epoch: how many epochs each ran."""
    alive, ran = dict(enumerate(curves, start=1)), {}
    for epoch in count(1):
        for number, curve in list(alive.items()):
            ran[number] = epoch
            if epoch == len(curve) or not pruner.goes_on(number, "a", epoch, curve[epoch - 1]):
                del alive[number]
        if not alive:
            return [ran[number] for number in sorted(ran)]
    raise AssertionError


@given(curves=CURVES)
def test_none_stops_nothing(curves: list[Curve]) -> None:
    assert all(all(said) and len(said) == 9 for said in watch(PRUNERS["none"](), curves))


@pytest.mark.parametrize("name", PRUNING)
@given(curves=CURVES, family=st.sampled_from(["a", "b"]))
def test_the_best_so_far_is_never_stopped(name: PrunerName, curves: list[Curve], family: str) -> None:
    pruner, best = PRUNERS[name](), [-1.0] * 10
    for number, curve in enumerate(curves):
        running = -1.0
        for epoch, score in enumerate(curve, start=1):
            running = max(running, score)
            goes_on = pruner.goes_on(number, family, epoch, score)
            assert goes_on or running < best[epoch]
            best[epoch] = max(best[epoch], running)
            if not goes_on:
                break


@pytest.mark.parametrize("name", PRUNING)
@given(curves=CURVES)
def test_of_trials_that_run_together_the_best_at_every_epoch_reaches_its_end(
    name: PrunerName, curves: list[Curve]
) -> None:
    curves = [*curves, [1.0] * 9]
    assert together(PRUNERS[name](), curves)[-1] == 9


@given(curves=CURVES)
def test_asha_stops_at_rungs_only(curves: list[Curve]) -> None:
    for said in watch(PRUNERS["asha"](), curves):
        assert len(said) in RUNGS if not said[-1] else len(said) == 9
        assert all(goes_on for epoch, goes_on in enumerate(said, start=1) if epoch not in RUNGS)


@given(curves=CURVES)
def test_asha_lets_the_best_quarter_of_those_that_reached_a_rung_go_on(curves: list[Curve]) -> None:
    """Against the rule, written down once more over plain lists."""
    reached: dict[int, list[float]] = {rung: [] for rung in RUNGS}
    for curve, said in zip(curves, watch(PRUNERS["asha"](), curves), strict=True):
        for rung in (rung for rung in RUNGS if rung <= len(said)):
            best = max(curve[:rung])
            reached[rung].append(best)
            rank = sum(other > best for other in reached[rung])
            assert said[rung - 1] == (rank < max(1, len(reached[rung]) // 4))


@pytest.mark.parametrize("seed", range(3))
def test_asha_lets_about_a_quarter_through_each_rung_in_the_long_run(seed: int) -> None:
    random = np.random.default_rng(seed)
    ran = np.array(
        [len(said) for said in watch(PRUNERS["asha"](), [[score] * 3 for score in random.random(800)])]
    )
    first, second = (ran > 1).mean(), (ran > 2).sum() / (ran > 1).sum()
    assert first == pytest.approx(0.25, abs=0.05)
    # They come as they are let through, the early ones on little evidence: not only the best quarter of the
    # quarter.
    assert second == pytest.approx(0.25, abs=0.1)


def test_asha_with_fewer_than_four_lets_the_best_go_on() -> None:
    said = watch(PRUNERS["asha"](), [[0.5], [0.4], [0.6], [0.5]])
    assert said == [[True], [False], [True], [False]]


@pytest.mark.parametrize(("trials", "go_on"), [(4, 1), (7, 1), (8, 2), (11, 2), (12, 3)])
def test_asha_counts_the_trial_itself_among_those_that_reached_the_rung(trials: int, go_on: int) -> None:
    """The last one has as many better ones before it as may go on, or one fewer."""
    for better in range(go_on + 1):
        scores = [0.9] * better + [0.1] * (trials - 1 - better) + [0.5]
        assert watch(PRUNERS["asha"](), [[score] for score in scores])[-1] == [better < go_on]


@given(curves=CURVES)
def test_median_stops_what_is_below_the_median_of_five_or_more_siblings(curves: list[Curve]) -> None:
    reached: dict[int, list[float]] = {epoch: [] for epoch in range(1, 10)}
    for curve, said in zip(curves, watch(PRUNERS["median"](), curves), strict=True):
        for epoch, goes_on in enumerate(said, start=1):
            best = max(curve[:epoch])
            others = reached[epoch]
            assert goes_on == (len(others) < STARTUP or best >= median(others))
            others.append(best)


def test_median_needs_five_siblings() -> None:
    said = watch(PRUNERS["median"](), [[0.9]] * 5 + [[0.1]] * 2)
    assert said == [[True]] * 5 + [[False]] * 2
    assert watch(PRUNERS["median"](), [[0.9]] * 4 + [[0.1]]) == [[True]] * 5


@pytest.mark.parametrize("name", PRUNING)
def test_a_trial_is_judged_by_its_best_epoch_so_far_not_by_the_last(name: PrunerName) -> None:
    pruner = PRUNERS[name]()
    watch(pruner, [[0.5, 0.5]] * 6)
    assert [pruner.goes_on(9, "a", epoch, score) for epoch, score in ((1, 0.7), (2, 0.1))] == [True, True]
    assert [pruner.goes_on(10, "a", epoch, score) for epoch, score in ((1, 0.7), (2, 0.7))] == [True, True]


@pytest.mark.parametrize("name", PRUNING)
@given(curves=CURVES, others=CURVES)
def test_families_do_not_affect_each_other(
    name: PrunerName, curves: list[Curve], others: list[Curve]
) -> None:
    alone, mixed = PRUNERS[name](), PRUNERS[name]()
    watch(mixed, others, "b", first=100)
    assert watch(mixed, curves) == watch(alone, curves)


@pytest.mark.parametrize("name", ["none", *PRUNING])
@given(curves=CURVES, later=CURVES)
def test_curves_of_an_earlier_process_count_as_if_seen_live(
    name: PrunerName, curves: list[Curve], later: list[Curve]
) -> None:
    live, resumed = PRUNERS[name](), PRUNERS[name]()
    for number, (curve, said) in enumerate(zip(curves, watch(live, curves), strict=True), start=1):
        seen = tuple(curve[: len(said)])
        outcome = "complete" if said[-1] else "pruned"
        resumed.learn(Trial(Proposal(number, "a", {}), outcome, seen[-1], seen))
    assert watch(live, later, first=100) == watch(resumed, later, first=100)
