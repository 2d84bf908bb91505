"""Print the epochs of a fit as plain lines."""

import numpy as np

from starcast.cli.progress import Progress
from starcast.models.family import Recorder


class EpochLines:
    """A recorder that prints a line per epoch and passes everything on."""

    def __init__(self, recorder: Recorder, epochs: int) -> None:
        self._recorder, self._epochs, self._progress = recorder, epochs, Progress()

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        """Pass the epoch on, then print it with the longest time that the others may take."""
        self._recorder.epoch(epoch, metrics, validation_probabilities)
        seen = "".join(f", {name} {value:.4f}" for name, value in metrics.items())
        left = self._progress.left(epoch / self._epochs, "at most") if metrics else ""
        print(f"  epoch {epoch}/{self._epochs if metrics else 1}{seen}{left}", flush=True)
