"""The family of the next trial, and the time that all of it may take."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fakes import OBJECTIVE, FakePool, Notes, Numbers
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.models.space import Value
from starcast.search.engines import Engine, EngineName
from starcast.search.family_choice import FamilyChoice, FamilyRecord
from starcast.search.loop import Done, Event, Reported, Result, Search
from starcast.search.pruning import Pruner
from starcast.search.time_budget import CLOSING_SECONDS, FINAL_SECONDS, TimeBudget
from starcast.search.trials import STOPPED_EARLY, Outcome, Proposal, SearchPlan, Trial

SECONDS = {"quick": 2.0, "slow": 60.0}


class OfFamily(Numbers):
    """Proposals of one family."""

    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family

    def ask(self, number: int) -> Proposal:
        self.asked.append(number)
        return Proposal(number, self.family, {"x": number})


def ended(
    number: int, family: str, score: float | None, seconds: float = 1.0, outcome: Outcome = "complete"
) -> Trial:
    how = "failed" if score is None else outcome
    return Trial(Proposal(number, family, {"x": number}), how, score, (), "ValueError: no words", seconds)


def choosing(
    *families: str, budget: TimeBudget | None = None, seed: int = 1, most: int = 1_000
) -> tuple[FamilyChoice, dict[str, OfFamily], list[str]]:
    engines, said = {family: OfFamily(family) for family in families}, list[str]()
    return FamilyChoice(engines, budget or TimeBudget(), (seed,), said.append, most), engines, said


def asked(choice: FamilyChoice, number: int) -> str:
    proposal = choice.ask(number)
    assert proposal
    return proposal.family


def test_each_family_is_tried_once_the_quickest_first() -> None:
    choice, _, _ = choosing("slow", "quick", budget=TimeBudget(expected=SECONDS))
    assert [asked(choice, number) for number in (1, 2)] == ["quick", "slow"]


def test_what_an_engine_is_told_is_of_its_family() -> None:
    choice, engines, _ = choosing("a", "b")
    for number, family in enumerate("abab", start=1):
        choice.tell(ended(number, family, 0.5))
    assert [len(engine.told) for engine in engines.values()] == [2, 2]


def test_a_family_that_improves_cheaply_gets_most_trials() -> None:
    choice, _, _ = choosing("cheap", "dear")
    counts = Counter[str]()
    best = {"cheap": 0.5, "dear": 0.5}
    for number in range(1, 201):
        family = asked(choice, number)
        counts[family] += 1
        best[family] += 0.001
        choice.tell(ended(number, family, best[family], seconds={"cheap": 1.0, "dear": 10.0}[family]))
    assert counts["cheap"] > 3 * counts["dear"] > 0


def test_a_family_that_is_far_behind_gets_few_trials() -> None:
    choice, _, _ = choosing("good", "bad")
    counts = Counter[str]()
    for number in range(1, 201):
        family = asked(choice, number)
        counts[family] += 1
        level = {"good": 0.9, "bad": 0.5}[family]
        choice.tell(ended(number, family, level + 0.01 * math.log(counts[family])))
    assert counts["good"] > 2 * counts["bad"]


def test_the_cost_of_an_improvement_is_what_the_last_one_cost_or_what_was_tried_since() -> None:
    record = FamilyRecord()
    for number, score in enumerate((0.5, 0.6, 0.7), start=1):
        record.add(ended(number, "a", score, seconds=10))
    assert record.cost_of_improvement(0.7) == 10
    record.add(ended(4, "a", 0.6, seconds=25))
    assert record.cost_of_improvement(0.7) == 25
    assert record.cost_of_improvement(0.7, running=5) == 30
    # 0.1 was gained in the 35 s since the best but one: 0.2 more take twice as long.
    assert record.cost_of_improvement(0.9) == pytest.approx(70)


def test_a_trial_that_the_clock_stopped_has_not_failed() -> None:
    choice, _, said = choosing("slow")
    for number in (1, 2):
        choice.tell(replace(ended(number, "slow", None), reason=STOPPED_EARLY))
    assert (said, asked(choice, 3)) == ([], "slow")


@given(st.lists(st.tuples(st.one_of(st.none(), st.floats(-3, 1)), st.floats(0, 100)), max_size=12))
def test_the_cost_is_never_negative_and_grows_while_nothing_improves(
    trials: list[tuple[float | None, float]],
) -> None:
    record = FamilyRecord()
    for number, (score, seconds) in enumerate(trials, start=1):
        record.add(ended(number, "a", score, seconds))
    best = max(record.best, 0.0)
    before = record.cost_of_improvement(best)
    assert before >= 0
    record.add(ended(99, "a", None, seconds=7))
    assert record.cost_of_improvement(best) >= before


def test_a_family_of_which_all_is_tried_leaves_its_trials_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    choice, engines, _ = choosing("small", "large")
    for number, family in enumerate(("small", "large"), start=1):
        choice.tell(ended(number, family, 0.5))
    monkeypatch.setattr(engines["small"], "ask", lambda number: None)
    assert {asked(choice, number) for number in range(3, 11)} == {"large"}
    monkeypatch.setattr(engines["large"], "ask", lambda number: None)
    assert choice.ask(11) is None


def test_a_family_whose_first_trials_failed_is_left_out_aloud() -> None:
    choice, _, said = choosing("broken", "whole")
    for number in (1, 2):
        choice.tell(ended(number, "broken", None))
    choice.tell(ended(3, "whole", 0.5))
    assert {asked(choice, number) for number in range(4, 20)} == {"whole"}
    assert said == ["left out: broken: its first 2 trials failed (ValueError: no words)"]


def test_a_family_that_does_not_fit_into_the_time_is_left_out_aloud(clock_at: dict[str, float]) -> None:
    budget = TimeBudget(clock_at["seconds"] + 120, expected=SECONDS)
    choice, _, said = choosing("slow", "quick", budget=budget)
    assert {asked(choice, number) for number in (1, 2)} == {"quick"}
    assert not said, "the first trial is not done: how fast this machine is, is not known"
    choice.tell(ended(1, "quick", 0.5, seconds=2))
    assert {asked(choice, number) for number in range(3, 9)} == {"quick"}
    [told] = said
    assert told.startswith("left out: slow: a trial would take about 1 min 00 s, and its final fit 1 min 15")


def test_the_last_trial_is_kept_for_a_family_whose_time_is_not_known_yet(clock_at: dict[str, float]) -> None:
    for seconds, follows in ((2.0, "quick"), (1.0, "slow")):
        budget = TimeBudget(clock_at["seconds"] + 120, expected=SECONDS)
        choice, _, _ = choosing("slow", "quick", budget=budget, most=2)
        assert asked(choice, 1) == "quick"
        assert choice.ask(2) is None
        choice.tell(ended(1, "quick", 0.5, seconds=seconds))  # how fast this machine is
        assert asked(choice, 2) == follows


def test_no_trial_is_kept_where_all_families_have_begun_whatever_the_numbers_of_trials() -> None:
    choice, _, _ = choosing("slow", "quick", most=4)
    for number, family in ((1, "slow"), (7, "quick")):  # those between were interrupted
        choice.tell(ended(number, family, 0.5))
    assert [asked(choice, number) for number in (8, 9)]


def test_a_family_is_not_left_out_for_the_slow_start_of_a_quick_one(clock_at: dict[str, float]) -> None:
    budget = TimeBudget(clock_at["seconds"] + 500, expected={"quick": 2.0, "medium": 20.0, "slow": 60.0})
    choice, _, said = choosing("quick", "medium", "slow", budget=budget)
    assert [asked(choice, number) for number in (1, 2)] == ["quick", "medium"]
    choice.tell(ended(1, "quick", 0.5, seconds=20))  # ten times as long as expected
    assert asked(choice, 3) == "quick"
    choice.tell(ended(2, "medium", 0.5, seconds=25))
    assert asked(choice, 4) == "slow"
    assert not said


def test_what_was_measured_elsewhere_is_corrected_by_what_takes_longer_here() -> None:
    budget = TimeBudget(expected=SECONDS)
    assert budget.trial_seconds("slow") == 60
    budget.tell(ended(1, "quick", 0.5, seconds=6))
    assert budget.trial_seconds("slow") == 180
    assert budget.trial_seconds("another") == 0
    budget.tell(ended(2, "slow", 0.5, seconds=100))
    budget.tell(ended(3, "slow", 0.4, seconds=150))
    assert budget.trial_seconds("slow") == 150


def test_the_final_fits_are_set_aside(clock_at: dict[str, float]) -> None:
    one, each = TimeBudget(clock_at["seconds"] + 1000), TimeBudget(clock_at["seconds"] + 1000, fits_each=True)
    for budget in (one, each):
        budget.tell(ended(1, "quick", 0.9, seconds=40))
        budget.tell(ended(2, "slow", 0.5, seconds=80))
        budget.tell(ended(3, "slow", 0.4, seconds=800))  # not its best: it is not fitted once more
        budget.tell(ended(4, "slow", None, seconds=500))
    assert one.left() == 1000 - CLOSING_SECONDS - FINAL_SECONDS - 1.25 * 40
    assert each.left() == 1000 - CLOSING_SECONDS - FINAL_SECONDS - 1.25 * 120
    keeping = TimeBudget(clock_at["seconds"] + 1000, fits_each=True, keeps=True)
    keeping.tell(ended(1, "quick", 0.9, seconds=20))  # too short to be kept
    keeping.tell(ended(2, "slow", 0.5, seconds=80))
    assert keeping.left() == 1000 - CLOSING_SECONDS - FINAL_SECONDS - 1.25 * 20 - 0.25 * 80
    assert not one.is_up()
    clock_at["seconds"] += 1000
    assert one.is_up()
    assert not TimeBudget().is_up()


def test_the_best_is_still_fitted_once_more_after_running_trials_were_stopped(
    clock_at: dict[str, float],
) -> None:
    budget, best = TimeBudget(clock_at["seconds"] + 100), ended(1, "quick", 0.9, seconds=4)
    budget.tell(best)
    while not budget.is_up():
        clock_at["seconds"] += 0.25
    clock_at["seconds"] += 2  # workers are ended
    assert budget.has_time_for_final(best)


@pytest.mark.parametrize("minutes", [1, 10])
@pytest.mark.parametrize("workers", [1, 2])
@settings(max_examples=10)
@given(factor=st.floats(0.3, 5), seed=st.integers(0, 9))
def test_a_search_with_its_final_fits_ends_in_time(
    minutes: int, workers: int, factor: float, seed: int
) -> None:
    now, end = 1000.0, 1000.0 + minutes * 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: now)
        epochs = {"quick": 1, "slow": 3, "unknown": 4}
        seconds = {"quick": 2 * factor, "slow": 60 / factor, "unknown": 20 * factor}

        def train(proposal: Proposal) -> Iterator[Event]:
            nonlocal now
            for epoch in range(1, epochs[proposal.family] + 1):
                now += seconds[proposal.family] / epochs[proposal.family] / workers
                scores = {OBJECTIVE.name: proposal.number / 1000}
                yield Reported(proposal.number, epoch, scores, waits=epoch < epochs[proposal.family])
            yield Done(proposal.number, scores, Result([], {}))

        budget = TimeBudget(end, expected=SECONDS, fits_each=True)
        choice, _, _ = choosing(*epochs, budget=budget, seed=seed)
        pool, notes = FakePool(workers, train), Notes()
        search = Search(choice, pool, Pruner(), notes, OBJECTIVE, budget=budget)
        trials = list(search.run(100))
        assert sorted(notes.begun) == sorted(trial.proposal.number for trial in trials)
        assert now <= end
        complete = [trial for trial in trials if trial.outcome == "complete"]
        assert minutes < 3 or any(map(budget.has_time_for_final, complete))


def test_running_trials_are_stopped_when_the_time_is_up(clock_at: dict[str, float]) -> None:
    def train(proposal: Proposal) -> Iterator[Event]:
        yield Reported(proposal.number, 1, {OBJECTIVE.name: 0.7}, waits=False)
        raise AssertionError("nothing was to happen any more")

    def pick(events: int) -> int:  # trial 1 has an epoch, then nothing happens
        clock_at["seconds"] += 40
        return 0 if clock_at["seconds"] < 1050 else events - 1

    pool, notes = FakePool(2, train, pick), Notes()
    budget = TimeBudget(clock_at["seconds"] + 100)
    search = Search(Numbers(), pool, Pruner(), notes, OBJECTIVE, budget=budget)
    first, second = search.run(2)
    assert (first.outcome, first.score) == ("pruned", 0.7)
    assert (second.outcome, second.score) == ("failed", None)
    assert second.reason == "stopped: the time of the search is up"


@pytest.mark.parametrize("engine", ["hyperopt", "keras-tuner"])
def test_both_engines_propose_by_family_what_the_plan_has(engine: EngineName) -> None:
    spaces: dict[str, dict[str, tuple[Value, ...]]] = {"a": {"x": (1, 2, 3, 4)}, "b": {"y": (0.1, 0.2, 0.3)}}
    plan = SearchPlan(spaces, 6, 3, (1,), [("a", {"x": 3}), ("b", {}), ("a", {"x": 1})])
    choice = Engine.choose(engine, "auto", "auto").by_family(plan, TimeBudget(), print)
    proposals = []
    for number in range(1, 6):
        proposal = choice.ask(number)
        assert proposal
        proposals.append(proposal)
        choice.tell(Trial(proposal, "complete", 0.5))
    of_a = [proposal.settings for proposal in proposals if proposal.family == "a"]
    assert of_a[0] == {"x": 3}
    assert {proposal.family for proposal in proposals[:2]} == {"a", "b"}
    assert all(value in spaces[p.family][name] for p in proposals for name, value in p.settings.items())
