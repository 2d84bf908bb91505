"""The crank, turned over a pool that makes up its events, in any order."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from fakes import OBJECTIVE, FakePool, Notes, Numbers, Plan, failed, point, trained
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.cli.refusals import RefusedError
from starcast.search.hyperopt_proposals import HyperoptProposals
from starcast.search.loop import Event, Failed, Search
from starcast.search.pruning import AshaPruner, Pruner
from starcast.search.trials import Objective, Proposal, SearchPlan, Trial

DATA = st.data()


class Stops(Pruner):
    """Stops the named trials at the named epochs."""

    def __init__(self, at: dict[int, int]) -> None:
        self.at = at

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        return self.at.get(number) != epoch


def steady(proposal: Proposal) -> Iterator[Event]:
    return trained(proposal, [proposal.number / 10] * 3)


def test_what_the_machine_refuses_ends_the_search_and_is_no_trial() -> None:
    def refuse(proposal: Proposal) -> Iterator[Event]:
        if proposal.number == 2:
            yield Failed(2, "/tmp: no space left on device; make room there", "", ends_search=True)
        else:
            yield from trained(proposal, [0.5])

    search, source, _, notes = searching(plan=refuse)
    with pytest.raises(RefusedError, match=r"^/tmp: no space left on device; make room there$"):
        list(search.run(5))
    assert numbers(notes.ended) == numbers(source.told) == [1]


def searching(
    proposals: Numbers | None = None,
    workers: int = 1,
    plan: Plan = steady,
    pruner: Pruner | None = None,
    pick: Callable[[int], int] = lambda _: 0,
) -> tuple[Search, Numbers, FakePool, Notes]:
    source, notes, pool = proposals or Numbers(), Notes(), FakePool(workers, plan, pick)
    return Search(source, pool, pruner or Pruner(), notes, OBJECTIVE), source, pool, notes


def numbers(trials: list[Trial]) -> list[int]:
    return [trial.proposal.number for trial in trials]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """A plan per trial number: one to four epochs, some fail."""
    made = draw(
        st.lists(
            st.tuples(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.booleans()),
            min_size=30,
            max_size=30,
        )
    )
    return lambda proposal: trained(proposal, *made[proposal.number % 30])


@settings(max_examples=60)
@given(data=DATA, plan=plans(), workers=st.integers(1, 5), wanted=st.integers(1, 14), first=st.integers(1, 9))
def test_every_trial_is_begun_told_noted_and_yielded_once(
    data: st.DataObject, plan: Plan, workers: int, wanted: int, first: int
) -> None:
    pick = lambda n: data.draw(st.integers(0, n - 1))  # noqa: E731
    search, source, pool, notes = searching(workers=workers, plan=plan, pruner=AshaPruner(), pick=pick)
    trials = list(search.run(wanted, first))
    expected = list(range(first, first + wanted))
    assert source.asked == notes.begun == [proposal.number for proposal in pool.begun] == expected
    assert sorted(numbers(trials)) == expected
    assert trials == source.told == notes.ended
    assert pool.most <= workers
    for trial in trials:
        number = trial.proposal.number
        assert [epoch for n, epoch in notes.epochs if n == number] == list(range(1, len(trial.curve) + 1))
        assert (trial.score is None) == (trial.outcome == "failed")
        assert bool(trial.reason) == (trial.outcome != "complete")
        stopped = (number, len(trial.curve), False) in pool.answers
        assert stopped == (trial.outcome == "pruned")


def test_a_trial_is_yielded_before_the_next_is_asked_for() -> None:
    search, source, _, notes = searching()
    for trial in search.run(3):
        assert source.asked[-1] == trial.proposal.number == len(source.told) == len(notes.ended)


def test_all_workers_are_kept_busy() -> None:
    search, _, pool, _ = searching(workers=3)
    list(search.run(9))
    assert pool.most == 3


def test_a_complete_trial_has_the_score_of_the_weights_kept_and_the_curve_of_its_epochs() -> None:
    search, *_ = searching(plan=lambda proposal: trained(proposal, [0.2, 0.6, 0.4]))
    (trial,) = search.run(1)
    assert (trial.outcome, trial.score, trial.curve, trial.reason) == ("complete", 0.4, (0.2, 0.6, 0.4), "")


def test_a_pruned_trial_has_the_score_of_the_epoch_it_reached() -> None:
    search, *_ = searching(plan=lambda proposal: trained(proposal, [0.2, 0.6, 0.4]), pruner=Stops({1: 2}))
    one, two = search.run(2)
    assert (one.outcome, one.score, one.curve) == ("pruned", 0.6, (0.2, 0.6))
    assert two.outcome == "complete"


def test_errors_are_scored_by_their_negative() -> None:
    source, notes = Numbers(), Notes()
    seen: list[float] = []

    class Watching(Pruner):
        def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
            seen.append(score)
            return True

    search = Search(
        source, FakePool(1, steady), Watching(), notes, Objective(OBJECTIVE.name, lower_is_better=True)
    )
    (trial,) = search.run(1)
    assert trial.score == -0.1
    assert list(trial.curve) == seen == [-0.1] * 3


def test_the_pruner_is_asked_about_every_epoch_of_the_right_family() -> None:
    asked: list[tuple[int, str, int, float]] = []

    class Watching(Pruner):
        def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
            asked.append((number, family, epoch, score))
            return False

    search, _, pool, _ = searching(plan=lambda p: trained(p, [0.1, 0.2], waits=False), pruner=Watching())
    (trial,) = search.run(1)
    assert asked == [(1, "fake", 1, 0.1), (1, "fake", 2, 0.2)]
    assert pool.answers == []  # nobody waited
    assert trial.outcome == "complete"


def test_proposals_with_epochs_of_their_own_end_as_pruned() -> None:
    search, *_ = searching(Numbers(epochs=2))
    (trial,) = search.run(1)
    assert (trial.outcome, trial.score, trial.curve) == ("pruned", 0.1, (0.1, 0.1))


def test_a_failed_trial_is_told_and_the_search_goes_on() -> None:
    search, source, *_ = searching(plan=lambda p: trained(p, [0.3, 0.4], fails=p.number == 2))
    trials = list(search.run(3))
    assert [trial.outcome for trial in trials] == ["complete", "failed", "complete"]
    assert (trials[1].score, trials[1].reason, trials[1].curve) == (None, "ValueError: no words", (0.3, 0.4))
    assert source.told == trials


def test_an_interrupt_while_waiting_passes_through() -> None:
    def interrupting(running: int) -> int:
        if len(notes.ended) == 1:
            raise KeyboardInterrupt
        return 0

    search, source, _, notes = searching(workers=2, pick=interrupting)
    trials = search.run(5)
    assert next(trials).proposal.number == 1
    with pytest.raises(KeyboardInterrupt):
        next(trials)
    assert (source.asked, numbers(source.told), numbers(notes.ended)) == ([1, 2, 3], [1], [1])


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_the_watcher_raises_passes_through_at_its_next_look(after: int) -> None:
    class Gone(Notes):
        def check(self) -> None:
            if len(self.ended) >= after:
                raise UserError("the server is gone")

    source, notes = Numbers(), Gone()
    with pytest.raises(UserError, match="the server is gone"):
        list(Search(source, FakePool(1, steady), Pruner(), notes, OBJECTIVE).run(9))
    assert len(notes.ended) == after
    assert len(source.asked) == after


def test_the_watcher_is_looked_at_while_nothing_happens() -> None:
    waits = iter([1] * 20 + [0] * 20)  # of one running trial: nothing, for twenty seconds
    search, _, _, notes = searching(pick=lambda _: next(waits))
    list(search.run(1))
    assert notes.checks > 20


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made.monotonic)
    return made


def taking(seconds: float, clock: Clock) -> Plan:
    def plan(proposal: Proposal) -> Iterator[Event]:
        clock.now += seconds
        return trained(proposal, [0.5])

    return plan


def test_no_trial_begins_after_the_timeout_and_those_that_run_go_on(clock: Clock) -> None:
    search, source, *_ = searching(plan=taking(4, clock))
    assert numbers(list(search.run(50, timeout_seconds=10))) == [1, 2, 3]
    assert source.asked == [1, 2, 3]


def test_the_timeout_counts_from_the_process_s_begin_also_where_numbers_run_on(clock: Clock) -> None:
    search, *_ = searching(plan=taking(4, clock))
    assert numbers(list(search.run(50, first_number=7, timeout_seconds=10))) == [7, 8, 9]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_trial_alone_runs_whatever_the_timeout(clock: Clock, workers: int) -> None:
    search, *_ = searching(workers=workers, plan=taking(1, clock))
    clock.now += 5
    assert numbers(list(search.run(50, timeout_seconds=2))) == [1]


def test_no_timeout_is_no_limit(clock: Clock) -> None:
    search, *_ = searching(plan=taking(1e6, clock))
    assert len(list(search.run(4, timeout_seconds=0))) == 4


def test_seconds_are_those_of_the_trial_and_its_end_counts_from_the_search_s_begin(clock: Clock) -> None:
    source, notes = Numbers(), Notes()
    search = Search(source, FakePool(1, taking(4, clock)), Pruner(), notes, OBJECTIVE, age=100)
    clock.now += 1
    assert [(trial.seconds, trial.ended) for trial in search.run(2)] == [(4, 105), (4, 109)]


def test_where_none_can_be_proposed_the_search_waits_for_those_that_run() -> None:
    ready = iter([True, True, False, False, True, True])
    search, source, *_ = searching(Numbers(ready=lambda: next(ready, True)), workers=3)
    assert sorted(numbers(list(search.run(6)))) == [1, 2, 3, 4, 5, 6]
    assert source.asked == [1, 2, 3, 4, 5, 6]


def test_where_none_can_be_proposed_and_none_runs_the_search_ends() -> None:
    source = Numbers()
    source._ready = lambda: len(source.asked) < 4
    search, *_ = searching(source, workers=3)
    assert numbers(list(search.run(9))) == [1, 2, 3, 4]
    assert list(searching(Numbers(ready=lambda: False))[0].run(3)) == []


@settings(max_examples=40)
@given(data=DATA, plan=plans(), workers=st.integers(1, 4))
def test_hesitating_proposals_lose_no_trial(data: st.DataObject, plan: Plan, workers: int) -> None:
    """None is proposed at random moments, but never where nothing runs."""
    pick = lambda n: data.draw(st.integers(0, n - 1))  # noqa: E731
    search, source, _, notes = searching(workers=workers, plan=plan, pick=pick)
    source._ready = lambda: len(notes.begun) == len(notes.ended) or data.draw(st.booleans())
    assert sorted(numbers(list(search.run(8)))) == list(range(1, 9))
    assert source.asked == list(range(1, 9))


def part(search: Search, notes: Notes, trials: int, first: int) -> tuple[list[Trial], int]:
    """Run until interrupted or done: what was finished, and the next free number."""
    with suppress(KeyboardInterrupt):
        list(search.run(trials, first))
    return notes.ended, max(notes.begun, default=first - 1) + 1


@settings(max_examples=60)
@given(data=DATA, plan=plans(), workers=st.integers(1, 4), stops=st.lists(st.integers(0, 25), max_size=3))
def test_a_search_resumed_at_any_moments_has_each_trial_once(
    data: st.DataObject, plan: Plan, workers: int, stops: list[int]
) -> None:
    wanted, finished, next_number, begun = 10, [], 1, []
    for stop in [*stops, None]:
        left = iter(range(stop)) if stop is not None else None

        def pick(n: int, left: Iterator[int] | None = left) -> int:
            if left is not None and next(left, None) is None:
                raise KeyboardInterrupt
            return data.draw(st.integers(0, n - 1))

        pruner = AshaPruner()
        for trial in finished:
            pruner.learn(trial)
        search, _, _, notes = searching(workers=workers, plan=plan, pruner=pruner, pick=pick)
        ended, next_number = part(search, notes, wanted - len(finished), next_number)
        finished, begun = finished + ended, begun + notes.begun
    assert len(finished) == wanted
    assert len(set(numbers(finished))) == wanted
    assert len(set(begun)) == len(begun)
    outcomes = [trial.outcome for trial in finished]
    assert sum(map(outcomes.count, ("complete", "pruned", "failed"))) == wanted


@settings(max_examples=8)
@given(data=DATA, workers=st.integers(1, 3), stop=st.integers(0, 12))
def test_a_resumed_search_repeats_no_finished_point(data: st.DataObject, workers: int, stop: int) -> None:
    spaces = {"a": {"x": (1, 2, 3), "y": (1, 2)}}
    left = iter(range(stop))

    def pick(n: int) -> int:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return data.draw(st.integers(0, n - 1))

    def plan(proposal: Proposal) -> Iterator[Event]:
        return trained(proposal, [0.1], fails=proposal.number % 3 == 0)

    search, _, _, notes = searching(
        HyperoptProposals("random", SearchPlan(spaces, 6, 1, (1,))), workers, plan, pick=pick
    )
    finished, next_number = part(search, notes, 6, 1)
    resumed = HyperoptProposals("random", SearchPlan(spaces, 6, 1, (1, len(finished))))
    for trial in finished:
        resumed.tell(trial)
    search, _, _, notes = searching(resumed, workers, plan)
    later, _ = part(search, notes, 6 - len(finished), next_number)
    assert len({point(trial.proposal) for trial in finished + later}) == 6


def test_failures_of_an_earlier_process_need_no_score() -> None:
    search, source, *_ = searching()
    source.tell(failed(Proposal(1, "fake", {"x": 1})))
    assert numbers(list(search.run(2, 2))) == [2, 3]
