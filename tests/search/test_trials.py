"""Trials in the orders that a search needs: the best first, and from the worst to the best."""

from itertools import pairwise

from fakes import complete, failed, pruned
from hypothesis import given
from hypothesis import strategies as st

from starcast.search.trials import Objective, Proposal, Trial, best_of, from_worst_to_best, ranked

SCORES = st.floats(-10, 10)


@st.composite
def some_trials(draw: st.DrawFn) -> list[Trial]:
    trials = []
    for number in range(1, draw(st.integers(0, 12)) + 1):
        proposal, score, epochs = Proposal(number, "fake", {}), draw(SCORES), draw(st.integers(1, 4))
        makes = (complete(proposal, score, epochs), pruned(proposal, score, epochs), failed(proposal))
        trials.append(draw(st.sampled_from(makes)))
    return trials


def of(number: int) -> Proposal:
    return Proposal(number, "fake", {})


@given(value=st.floats(allow_nan=False))
def test_a_score_is_better_when_higher_and_turns_back_into_its_metric(value: float) -> None:
    for objective in (
        Objective("val_auc", lower_is_better=False),
        Objective("val_loss", lower_is_better=True),
    ):
        assert objective.score(objective.score(value)) == value
        better = objective.score(value - 1) > objective.score(value)
        assert better == (objective.lower_is_better and value - 1 != value)


def test_the_best_trial_has_the_highest_score() -> None:
    trials = [complete(of(1), -0.5), complete(of(2), -0.1), failed(of(3)), complete(of(4), -0.3)]
    assert best_of(trials) == trials[1]


def test_the_earliest_of_equals_is_the_best_in_whatever_order_they_ended() -> None:
    trials = [complete(of(3), 0.7), complete(of(1), 0.2), complete(of(2), 0.7)]
    assert best_of(trials) == trials[2]


def test_a_score_of_0_is_a_score() -> None:
    assert best_of([failed(of(1)), complete(of(2), 0.0)]) == complete(of(2), 0.0)


def test_a_pruned_trial_is_never_the_best() -> None:
    trials = [pruned(of(1), 0.9), complete(of(2), 0.1), pruned(of(3), 0.8)]
    assert best_of(trials) == trials[1]
    assert best_of([trials[0]]) is None


def test_there_is_no_best_where_all_failed_or_none_ran() -> None:
    assert best_of([failed(of(1)), failed(of(2))]) is None
    assert best_of([]) is None


@given(trials=some_trials())
def test_ranked_are_the_complete_ones_from_the_best_down(trials: list[Trial]) -> None:
    found = ranked(trials)
    assert sorted(trial.proposal.number for _, trial in found) == [
        t.proposal.number for t in trials if t.outcome == "complete"
    ]
    assert all(score == trial.score for score, trial in found)
    keys = [(-score, trial.proposal.number) for score, trial in found]
    assert keys == sorted(keys)


@given(trials=some_trials())
def test_to_learn_from_complete_ones_are_above_pruned_ones_and_these_are_ordered_by_epoch_then_score(
    trials: list[Trial],
) -> None:
    found = from_worst_to_best(trials)
    assert {t.proposal.number for t in found} == {t.proposal.number for t in trials if t.outcome != "failed"}
    for worse, better in pairwise(found):
        if worse.outcome == better.outcome == "complete":
            assert worse.score <= better.score
        elif worse.outcome == better.outcome:
            assert (len(worse.curve), worse.score) <= (len(better.curve), better.score)
        else:
            assert (worse.outcome, better.outcome) == ("pruned", "complete")


def test_a_complete_trial_that_ended_early_is_judged_by_its_score_alone() -> None:
    short, long = complete(of(1), 0.9, epochs=1), complete(of(2), 0.8, epochs=5)
    assert from_worst_to_best([short, long]) == [long, short]
