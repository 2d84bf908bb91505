"""The line of each epoch of a fit, as it is printed."""

import re

import numpy as np
import pytest

from starcast.models.epoch_lines import EpochLines
from starcast.models.fit_report import FitReport


class Epochs:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.seen: list[FitReport] = []

    def report(self, report: FitReport) -> None:
        self.seen.append(report)


def test_epochs_are_passed_on_as_they_are() -> None:
    recorder, probabilities = Epochs(), np.full((3, 5), 0.2)
    report = FitReport(2, {"val_loss": 1.25}, probabilities)
    EpochLines(recorder, 4).report(report)
    assert recorder.seen == [report]


def test_an_epoch_s_line_has_its_metrics_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    lines = EpochLines(Epochs(), 3)
    for epoch in (1, 3):
        lines.report(FitReport(epoch, {"train_loss": 1.5, "val_loss": 1.23456}, np.empty((0, 5))))
    first, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"  epoch 1/3, train_loss 1\.5000, val_loss 1\.2346, at most \d+ s left", first)
    assert last == "  epoch 3/3, train_loss 1.5000, val_loss 1.2346, at most 0 s left"


def test_a_model_of_one_epoch_has_a_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    EpochLines(Epochs(), 15).report(FitReport(1, {}, np.empty((0, 5))))
    assert capsys.readouterr().out == "  epoch 1/1\n"


def test_the_time_an_epoch_may_still_take_is_that_of_those_before(
    capsys: pytest.CaptureFixture[str], clock_at: dict[str, float]
) -> None:
    lines = EpochLines(Epochs(), 5)
    for epoch in (1, 2):
        clock_at["seconds"] += 30
        lines.report(FitReport(epoch, {"val_loss": 1.0}, np.empty((0, 5))))
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("at most 2 min 00 s left")
    assert second.endswith("at most 1 min 30 s left")
