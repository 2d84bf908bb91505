"""Progress lines, as they are printed."""

import re
import time

import numpy as np
import pytest

from starcast.cli.progress import Progress, clock
from starcast.models.family import EpochLines
from starcast.search.progress import TrialLines, say
from starcast.search.trials import Objective, Outcome, Proposal, Trial


class Epochs:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, dict[str, float], np.ndarray]] = []

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        self.seen.append((epoch, metrics, validation_probabilities))


def trial(number: int, score: float | None, reason: str = "", outcome: Outcome = "complete") -> Trial:
    proposal = Proposal(number, "gru_1", {"units_1": 8, "dropout_1": 0.3})
    return Trial(proposal, "failed" if score is None else outcome, score, (0.5, 0.5), reason, 65.2)


def lines_of(capsys: pytest.CaptureFixture[str], lines: TrialLines, *trials: Trial) -> list[str]:
    for each in trials:
        lines.show(each)
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def clock_at(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Time that passes only where a test says so."""
    now = {"seconds": 1000.0}
    monkeypatch.setattr(time, "monotonic", lambda: now["seconds"])
    return now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (8.2, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.7, "1 h 00 min"),
        (4_200, "1 h 10 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_clock_speaks_as_people_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_epochs_are_passed_on_as_they_are() -> None:
    recorder, probabilities = Epochs(), np.full((3, 5), 0.2)
    EpochLines(recorder, 4).epoch(2, {"val_loss": 1.25}, probabilities)
    assert recorder.seen == [(2, {"val_loss": 1.25}, probabilities)]


def test_an_epoch_s_line_has_its_metrics_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    lines = EpochLines(Epochs(), 3)
    for epoch in (1, 3):
        lines.epoch(epoch, {"train_loss": 1.5, "val_loss": 1.23456}, np.empty((0, 5)))
    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"  epoch 1/3, train_loss 1\.5000, val_loss 1\.2346, at most \d+ s left", first)
    assert last == "  epoch 3/3, train_loss 1.5000, val_loss 1.2346, at most 0 s left"


def test_a_model_of_one_epoch_has_a_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    EpochLines(Epochs(), 15).epoch(1, {}, np.empty((0, 5)))
    assert capsys.readouterr().out == "  epoch 1/1\n"


def test_the_time_an_epoch_may_still_take_is_that_of_those_before(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    lines = EpochLines(Epochs(), 5)
    for epoch in (1, 2):
        clock_at["seconds"] += 30
        lines.epoch(epoch, {"val_loss": 1.0}, np.empty((0, 5)))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("at most 2 min 00 s left")
    assert second.endswith("at most 1 min 30 s left")


def test_what_is_said_is_the_search_s(capsys: pytest.CaptureFixture[str]) -> None:
    say("the server is back")
    assert capsys.readouterr().out == "tune: the server is back\n"


AUC, MAE = Objective("val_auc", lower_is_better=False), Objective("val_mae", lower_is_better=True)
SETTINGS = "(units_1 8, dropout_1 0.3)"


def test_a_trial_s_line_has_counts_best_time_score_and_settings(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    lines = TrialLines(AUC, 4)
    clock_at["seconds"] += 60
    (one,) = lines_of(capsys, lines, trial(1, 0.8))
    clock_at["seconds"] += 30
    (two,) = lines_of(capsys, lines, trial(2, 0.75))
    assert one == (
        "  [1/4: 1 done, 0 pruned, 0 failed, best 0.8000, about 3 min 00 s left]  trial 1 gru_1 val_auc "
        f"0.8000 in 1 min 05 s {SETTINGS}"
    )
    assert two == (
        "  [2/4: 2 done, 0 pruned, 0 failed, best 0.8000, about 1 min 30 s left]  trial 2 gru_1 val_auc "
        f"0.7500 in 1 min 05 s {SETTINGS}"
    )


def test_an_error_is_shown_with_its_own_sign_and_the_lowest_is_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Scores are higher the better: an error comes negated.
    first, second = lines_of(capsys, TrialLines(MAE, 2), trial(1, -0.5), trial(2, -0.7))
    assert "best 0.5000," in first
    assert "val_mae 0.5000 in" in first
    assert "best 0.5000," in second
    assert "val_mae 0.7000 in" in second


def test_a_pruned_trial_says_where_it_was_stopped_and_is_never_the_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = lines_of(capsys, TrialLines(AUC, 2), trial(1, 0.9, outcome="pruned"), trial(2, 0.6))
    assert first.startswith("  [1/2: 0 done, 1 pruned, 0 failed, about")
    assert "trial 1 gru_1 pruned after epoch 2 at val_auc 0.9000 in 1 min 05 s" in first
    assert second.startswith("  [2/2: 1 done, 1 pruned, 0 failed, best 0.6000, about")


def test_a_failed_trial_says_why_and_leaves_the_best_alone(capsys: pytest.CaptureFixture[str]) -> None:
    shown = (trial(1, None, "ValueError: no words"), trial(2, 0.0), trial(3, None, "MemoryError: too big"))
    first, second, third = lines_of(capsys, TrialLines(AUC, 3), *shown)
    assert first.startswith("  [1/3: 0 done, 0 pruned, 1 failed, about")
    assert "gru_1 failed (ValueError: no words) in" in first
    assert second.startswith("  [2/3: 1 done, 0 pruned, 1 failed, best 0.0000,")
    assert third.startswith("  [3/3: 1 done, 0 pruned, 2 failed, best 0.0000,")
    assert "failed (MemoryError: too big) in" in third


def test_trials_count_as_they_end_whatever_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = lines_of(capsys, TrialLines(AUC, 9), trial(3, 0.5), trial(1, 0.6))
    assert first.startswith("  [1/9: ")
    assert "trial 3 gru_1" in first
    assert second.startswith("  [2/9: ")
    assert "trial 1 gru_1" in second


def test_a_resumed_search_counts_on_and_estimates_from_its_own_trials(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    before = [trial(1, 0.7), trial(2, 0.9, outcome="pruned"), trial(3, None, "ValueError: no words")]
    lines = TrialLines(AUC, 6, before)
    clock_at["seconds"] += 10
    (line,) = lines_of(capsys, lines, trial(5, 0.6))
    assert line.startswith("  [4/6: 2 done, 1 pruned, 1 failed, best 0.7000, about 20 s left]  trial 5 ")
    assert len(before) == 3


def test_work_that_takes_long_is_shown_with_the_time_left(
    clock_at: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Progress()
    told = [
        ("numbering", 0.5, 2),
        ("numbering", 1.0, 2),
        ("counting", 0.0, 2),
        ("counting", 0.25, 10),
        ("counting", 0.3, 1),
    ]
    for what, share, passed in told:
        clock_at["seconds"] += passed
        lines.show(what, share)
    assert capsys.readouterr().out.splitlines() == ["  counting: 0%", "  counting: 25%, about 36 s left"]


def test_work_that_takes_very_long_is_shown_more_rarely(
    clock_at: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Progress()
    for second in range(1, 601):
        clock_at["seconds"] += 1
        lines.show("fitting", second / 600)
    assert 20 < len(capsys.readouterr().out.splitlines()) < 40
