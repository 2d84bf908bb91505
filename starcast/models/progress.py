"""Print the epochs of a fit as plain lines."""

import time

import numpy as np

from starcast.cli.progress import clock
from starcast.models.family import Recorder


class EpochLines:
    """A recorder that prints a line per epoch and passes everything on."""

    def __init__(self, recorder: Recorder, epochs: int) -> None:
        self._recorder, self._epochs, self._start = recorder, epochs, time.monotonic()

    def epoch(self, epoch: int, metrics: dict[str, float], validation_probabilities: np.ndarray) -> None:
        """Pass the epoch on, then print it with the longest time it may still take."""
        self._recorder.epoch(epoch, metrics, validation_probabilities)
        spent = time.monotonic() - self._start
        seen = "".join(f", {name} {value:.4f}" for name, value in metrics.items())
        left = f", at most {clock(spent / epoch * (self._epochs - epoch))} left" if metrics else ""
        print(f"  epoch {epoch}/{self._epochs if metrics else 1}{seen}{left}", flush=True)
