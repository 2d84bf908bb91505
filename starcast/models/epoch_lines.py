"""A line on the terminal for each report of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starcast.cli.progress import Progress

if TYPE_CHECKING:
    from starcast.models.family import Recorder
    from starcast.models.fit_report import FitReport


class EpochLines:
    """A recorder that prints a line per epoch and passes everything on."""

    def __init__(self, recorder: Recorder, epochs: int, reports: int = 1) -> None:
        self._recorder, self._epochs, self._progress = recorder, epochs, Progress()
        self._reports = reports  # per epoch

    def report(self, report: FitReport) -> None:
        """Pass the report on, then print it with the longest time that the remaining epochs may take."""
        self._recorder.report(report)
        seen = "".join(f", {name} {value:.4f}" for name, value in report.metrics.items())
        done = report.number / self._reports
        left = self._progress.left(done / self._epochs, "at most") if seen else ""
        print(f"  epoch {done:g}/{self._epochs if seen else 1}{seen}{left}", flush=True)
