"""The time that a search is said to need still."""

import pytest

from starcast.search.time_left import TimeLeft
from starcast.search.trials import Proposal, Trial


class Timed:
    """A search whose trials begin, report and end at told seconds."""

    def __init__(self, clock: dict[str, float], left: TimeLeft | None = None) -> None:
        self.left, self._clock = left or TimeLeft(), clock
        self._begun = dict[int, tuple[Proposal, float]]()

    def begin(self, number: int, family: str, reports: int = 1) -> None:
        proposal = Proposal(number, family, {})
        self._begun[number] = proposal, self._clock["seconds"]
        self.left.begin(proposal, reports)

    def reports_after(self, number: int, *seconds: float) -> None:
        for each in seconds:
            self._clock["seconds"] += each
            self.left.report(number)

    def end_after(self, number: int, seconds: float = 0.0) -> None:
        self._clock["seconds"] += seconds
        proposal, began = self._begun[number]
        self.left.end(Trial(proposal, "complete", 0.5, seconds=self._clock["seconds"] - began))

    def train(self, number: int, family: str, *seconds: float) -> None:
        self.begin(number, family, len(seconds))
        self.reports_after(number, *seconds)
        self.end_after(number)


@pytest.fixture
def timed(clock_at: dict[str, float]) -> Timed:
    return Timed(clock_at)


def test_nothing_is_known_before_a_trial_has_ended(timed: Timed) -> None:
    assert timed.left.seconds(9) is None
    timed.begin(1, "gru_1")
    assert timed.left.seconds(9) is None


def test_trials_of_one_length_add_up(timed: Timed) -> None:
    for number in (1, 2, 3):
        timed.train(number, "linear", 10)
    assert timed.left.seconds(4) == pytest.approx(40)


def test_the_start_of_a_worker_is_not_expected_again(timed: Timed) -> None:
    timed.train(1, "gru_1", 30, 4, 4)
    assert timed.left.seconds(2) == pytest.approx(24), "two trials of three reports, 4 s each"
    timed.train(2, "gru_1", 6, 4, 4)
    assert timed.left.seconds(2) == pytest.approx(28), "the one that began later counts alone"


def test_what_a_trial_under_way_still_needs_is_told_by_its_reports(
    timed: Timed, clock_at: dict[str, float]
) -> None:
    timed.begin(1, "gru_1", 5)
    timed.reports_after(1, 30, 4)
    assert timed.left.seconds(0) == pytest.approx(12)
    clock_at["seconds"] += 3
    assert timed.left.seconds(0) == pytest.approx(9)


def test_a_trial_whose_reports_take_longer_than_others_is_told_by_its_own(timed: Timed) -> None:
    timed.train(1, "gru_1", 4, 4, 4)
    timed.begin(2, "gru_1", 3)
    timed.reports_after(2, 40)
    assert timed.left.seconds(0) == pytest.approx(80)


def test_an_epoch_that_takes_longer_than_others_tells_of_the_next_ones(
    timed: Timed, clock_at: dict[str, float]
) -> None:
    timed.train(1, "gru_1", 4, 4, 4)
    timed.begin(2, "gru_1", 3)
    clock_at["seconds"] += 40
    assert timed.left.seconds(0) == pytest.approx(3 * 1.3 * 40 - 40)
    timed.reports_after(2, 0, 40, 40)
    assert timed.left.seconds(0) == 0, "it has made its reports"


def test_two_workers_share_what_is_left(timed: Timed) -> None:
    timed.begin(1, "linear")
    timed.begin(2, "linear")
    timed.end_after(1, 10)
    timed.end_after(2)
    assert timed.left.seconds(6) == pytest.approx(30)


def test_the_last_trial_is_waited_for_however_many_workers_are_idle(timed: Timed) -> None:
    timed.begin(1, "linear")
    timed.begin(2, "linear")
    timed.end_after(1, 10)
    timed.end_after(2, 20)
    timed.begin(3, "linear")
    assert timed.left.seconds(0) == pytest.approx(20)


def test_quick_families_are_expected_more_often(timed: Timed) -> None:
    timed.train(1, "linear", 1)
    timed.train(2, "gru_1", 100)
    assert timed.left.seconds(10) == pytest.approx(100), "not 505, what it would be if both came as often"


def test_first_points_are_known_and_expected(clock_at: dict[str, float]) -> None:
    left = TimeLeft(first=["linear", "gru_1", "gru_1"], expected={"linear": 10, "gru_1": 50})
    timed = Timed(clock_at, left)
    timed.train(1, "linear", 20)
    assert left.seconds(2) == pytest.approx(200), "this machine takes twice as long"
    assert left.seconds(1) == pytest.approx(100)
    timed.train(2, "gru_1", 60)
    assert left.seconds(1) == pytest.approx(60)
    timed.train(3, "gru_1", 60)
    assert left.seconds(1) < 60, "after the first points, quick families are expected more often"


def test_a_trial_that_takes_longer_than_others_is_not_about_to_end(
    timed: Timed, clock_at: dict[str, float]
) -> None:
    timed.train(1, "linear", 10)
    timed.begin(2, "linear")
    clock_at["seconds"] += 100
    assert timed.left.seconds(0) == pytest.approx(30)


def test_a_trial_that_failed_at_once_tells_nothing_of_others(clock_at: dict[str, float]) -> None:
    left = TimeLeft(first=["linear", "gru_1"], expected={"linear": 10, "gru_1": 50})
    left.begin(Proposal(1, "linear", {}), 1)
    clock_at["seconds"] += 0.1
    left.end(Trial(Proposal(1, "linear", {}), "failed", None, seconds=0.1))
    assert left.seconds(3) is None


def test_a_resumed_search_knows_what_trials_took(clock_at: dict[str, float]) -> None:
    before = [Trial(Proposal(number, "linear", {}), "complete", 0.5, seconds=10) for number in (1, 2)]
    assert TimeLeft(before).seconds(3) == pytest.approx(30)
