"""The crank, turned with fake trainings."""

import time
from collections.abc import Callable

import pytest

from steps.search.proposals import Proposal
from steps.search.trials import Scored, Trial, best_of, run_trials


class Numbers:
    """Proposals that count, and remember what they are told."""

    def __init__(self) -> None:
        self.asked = 0
        self.told: list[tuple[int, float | None]] = []

    def ask(self) -> Proposal:
        self.asked += 1
        return Proposal(self.asked, "fake", {"x": self.asked})

    def tell(self, number: int, score: float | None) -> None:
        self.told.append((number, score))


def tenth(proposal: Proposal) -> Scored:
    return Scored(proposal.number / 10, f"run {proposal.number}")


def failing_on(number: int, error: BaseException) -> Callable[[Proposal], Scored]:
    def train(proposal: Proposal) -> Scored:
        if proposal.number == number:
            raise error
        return tenth(proposal)

    return train


def trial(number: int, score: float | None) -> Trial:
    return Trial(Proposal(number, "fake", {}), "failed" if score is None else "complete", score, "", 1.0, f"run {number}")


def test_every_trial_is_trained_told_and_yielded() -> None:
    proposals = Numbers()
    trials = list(run_trials(proposals, tenth, 3))
    assert [(t.proposal.number, t.outcome, t.score, t.reason, t.run_id) for t in trials] == [
        (1, "complete", 0.1, "", "run 1"),
        (2, "complete", 0.2, "", "run 2"),
        (3, "complete", 0.3, "", "run 3"),
    ]
    assert proposals.told == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_a_trial_is_yielded_before_the_next_is_asked_for() -> None:
    proposals = Numbers()
    for trial_done in run_trials(proposals, tenth, 3):
        assert proposals.asked == trial_done.proposal.number == len(proposals.told)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such thing\nand more"), "ValueError: no such thing"),
        (FloatingPointError("not finite"), "FloatingPointError: not finite"),
        (RuntimeError(), "RuntimeError: "),
        (MemoryError("too big"), "MemoryError: too big"),
    ],
)
def test_a_failed_trial_is_told_and_the_search_goes_on(error: Exception, reason: str) -> None:
    proposals = Numbers()
    trials = list(run_trials(proposals, failing_on(2, error), 3))
    assert [t.outcome for t in trials] == ["complete", "failed", "complete"]
    assert (trials[1].score, trials[1].reason, trials[1].run_id) == (None, reason, "")
    assert proposals.told == [(1, 0.1), (2, None), (3, 0.3)]


def test_an_interrupt_passes_through() -> None:
    proposals = Numbers()
    trials = run_trials(proposals, failing_on(2, KeyboardInterrupt()), 5)
    assert next(trials).proposal.number == 1
    with pytest.raises(KeyboardInterrupt):
        next(trials)
    assert (proposals.asked, proposals.told) == (2, [(1, 0.1)])


def slow(proposal: Proposal) -> Scored:
    time.sleep(0.06)
    return tenth(proposal)


def test_no_trial_begins_after_the_timeout() -> None:
    proposals = Numbers()
    trials = list(run_trials(proposals, slow, 50, timeout_seconds=0.1))
    assert 1 <= len(trials) <= 2
    assert proposals.asked == len(trials) == len(proposals.told)


def test_the_first_trial_runs_whatever_the_timeout() -> None:
    assert len(list(run_trials(Numbers(), slow, 50, timeout_seconds=1e-9))) == 1


def test_no_timeout_is_no_limit() -> None:
    assert len(list(run_trials(Numbers(), slow, 4, timeout_seconds=0))) == 4


def test_seconds_are_those_of_the_training() -> None:
    (only,) = run_trials(Numbers(), slow, 1)
    assert 0.05 < only.seconds < 5


def test_the_best_trial_has_the_highest_score() -> None:
    trials = [trial(1, -0.5), trial(2, -0.1), trial(3, None), trial(4, -0.3)]
    assert best_of(trials) == trials[1]


def test_the_earliest_of_equals_is_the_best() -> None:
    trials = [trial(1, 0.2), trial(2, 0.7), trial(3, 0.7)]
    assert best_of(trials) == trials[1]


def test_a_score_of_0_is_a_score() -> None:
    assert best_of([trial(1, None), trial(2, 0.0)]) == trial(2, 0.0)


def test_there_is_no_best_where_all_failed_or_none_ran() -> None:
    assert best_of([trial(1, None), trial(2, None)]) is None
    assert best_of([]) is None
