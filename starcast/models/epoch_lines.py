"""A line on the terminal for each report of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starcast.cli.progress import Progress

if TYPE_CHECKING:
    import numpy as np

    from starcast.models.family import Recorder


class EpochLines:
    """A recorder that prints a line per epoch and passes everything on."""

    def __init__(self, recorder: Recorder, epochs: int, reports: int = 1) -> None:
        self._recorder, self._epochs, self._progress = recorder, epochs, Progress()
        self._reports = reports  # per epoch

    def epoch(
        self,
        epoch: int,
        metrics: dict[str, float],
        validation_probabilities: np.ndarray,
        some: np.ndarray | None = None,
    ) -> None:
        """Pass the epoch on, then print it with the longest time that the remaining epochs may take."""
        of = () if some is None else (some,)
        self._recorder.epoch(epoch, metrics, validation_probabilities, *of)
        seen = "".join(f", {name} {value:.4f}" for name, value in metrics.items())
        done = epoch / self._reports
        left = self._progress.left(done / self._epochs, "at most") if metrics else ""
        print(f"  epoch {done:g}/{self._epochs if metrics else 1}{seen}{left}", flush=True)
