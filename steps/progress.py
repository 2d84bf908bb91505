"""Progress as plain lines: what is done, what came of it, how long it may still take."""

import time

import numpy as np

from steps.models.family import Recorder
from steps.search.trials import Trial


def clock(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


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


class TrialLines:
    """Prints a line per trial with the best so far and the time left."""

    def __init__(self, objective: str, max_trials: int, lower_is_better: bool) -> None:
        self._objective, self._max_trials, self._sign = objective, max_trials, -1 if lower_is_better else 1
        self._start, self._best = time.monotonic(), -np.inf

    def show(self, trial: Trial) -> None:
        """Print a finished trial."""
        number = trial.proposal.number
        self._best = max(self._best, -np.inf if trial.score is None else trial.score)
        result = f"{self._objective} {trial.score * self._sign:.4f}" if trial.score is not None else f"failed ({trial.reason})"
        best = f", best {self._best * self._sign:.4f}" if np.isfinite(self._best) else ""
        left = (time.monotonic() - self._start) / number * (self._max_trials - number)
        settings = ", ".join(f"{name} {value}" for name, value in trial.proposal.settings.items())
        print(
            f"  trial {number}/{self._max_trials} {trial.proposal.family}: {result}{best}; took {clock(trial.seconds)}, "
            f"about {clock(left)} left  [{settings}]",
            flush=True,
        )
