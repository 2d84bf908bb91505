"""Progress lines, as they are printed."""

import re

import numpy as np
import pytest

from steps.progress import EpochLines, TrialLines, clock
from steps.search.objective import Objective
from steps.search.proposals import Proposal
from steps.search.trials import Trial


class Epochs:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, dict[str, float], np.ndarray]] = []

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        self.seen.append((epoch, metrics, validation_probabilities))


def trial(number: int, score: float | None, reason: str = "") -> Trial:
    outcome = "failed" if score is None else "complete"
    return Trial(Proposal(number, "gru_1", {"units_1": 8, "dropout_1": 0.3}), outcome, score, reason, 65.2, "")


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


def test_a_trial_s_line_has_score_best_time_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    lines = TrialLines(Objective("val_auc", lower_is_better=False), 3)
    for number, score in ((1, 0.8), (2, 0.75), (3, 0.9)):
        lines.show(trial(number, score))
    assert capsys.readouterr().out.splitlines() == [
        f"  trial {number}/3 gru_1: val_auc {score}, best {best}; took 1 min 05 s, about 0 s left  [units_1 8, dropout_1 0.3]"
        for number, score, best in ((1, "0.8000", "0.8000"), (2, "0.7500", "0.8000"), (3, "0.9000", "0.9000"))
    ]


def test_an_error_is_shown_with_its_own_sign_and_the_lowest_is_best(capsys: pytest.CaptureFixture[str]) -> None:
    lines = TrialLines(Objective("val_mae", lower_is_better=True), 2)
    lines.show(trial(1, -0.5))  # scores are higher the better: an error comes negated
    lines.show(trial(2, -0.7))
    first, second = capsys.readouterr().out.splitlines()
    assert "val_mae 0.5000, best 0.5000;" in first
    assert "val_mae 0.7000, best 0.5000;" in second


def test_a_failed_trial_says_why_and_leaves_the_best_alone(capsys: pytest.CaptureFixture[str]) -> None:
    lines = TrialLines(Objective("val_auc", lower_is_better=False), 3)
    for shown in (trial(1, None, "ValueError: no words"), trial(2, 0.0), trial(3, None, "MemoryError: too big")):
        lines.show(shown)
    first, second, third = capsys.readouterr().out.splitlines()
    assert "gru_1: failed (ValueError: no words); took" in first
    assert "val_auc 0.0000, best 0.0000; took" in second
    assert "failed (MemoryError: too big), best 0.0000; took" in third
