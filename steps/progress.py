"""Progress as plain lines: what is done, what came of it, how long it may still take."""

import time

import numpy as np

from steps.models.family import Recorder, settings_text
from steps.search.objective import Objective
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

    def __init__(self, objective: Objective, max_trials: int) -> None:
        self._objective, self._max_trials = objective, max_trials
        self._start, self._best = time.monotonic(), -np.inf

    def show(self, trial: Trial) -> None:
        """Print a finished trial."""
        number, name = trial.proposal.number, self._objective.name
        if trial.score is None:
            result = f"failed ({trial.reason})"
        else:
            result = f"{name} {self._objective.score(trial.score):.4f}"
            self._best = max(self._best, trial.score)
        best = f", best {self._objective.score(self._best):.4f}" if np.isfinite(self._best) else ""
        left = (time.monotonic() - self._start) / number * (self._max_trials - number)
        print(
            f"  trial {number}/{self._max_trials} {trial.proposal.family}: {result}{best}; took {clock(trial.seconds)}, "
            f"about {clock(left)} left  [{settings_text(trial.proposal.settings)}]",
            flush=True,
        )
