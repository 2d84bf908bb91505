"""Progress as plain lines: what is done, what came of it, how long it may still take."""

import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from steps.models.family import Recorder, settings_text
from steps.search.objective import Objective
from steps.search.trials import Trial, best_of

EVERY = 5.0  # seconds between two lines of progress


def clock(seconds: float) -> str:
    """Seconds as people say them: `8 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def say(text: str) -> None:
    """A line of a search."""
    print(f"tune: {text}", flush=True)


class WorkLines:
    """Prints what is being done, how much of it has been, how long the rest may take: more rarely the longer it takes."""

    def __init__(self) -> None:
        self._what, self._told = "", time.monotonic()
        self._start = self._printed = self._told

    def show(self, what: str, share: float) -> None:
        """Take what is being done and how much of it has been, 0 to 1."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._start = what, self._told  # it began when the work before it ended
        self._told, spent = now, now - self._start
        if now - self._printed < max(EVERY, spent / 10):
            return
        self._printed = now
        left = f", about {clock(spent / share * (1 - share))} left" if share else ""
        print(f"  {what}: {share:.0%}{left}", flush=True)


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
    """Prints a line per trial with the counts by outcome, the best so far and the time left."""

    def __init__(self, objective: Objective, max_trials: int, finished: Sequence[Trial] = ()) -> None:
        self._objective, self._max_trials = objective, max_trials
        self._start, self._earlier = time.monotonic(), len(finished)
        self._trials = list(finished)

    def show(self, trial: Trial) -> None:
        """Print a finished trial."""
        self._trials.append(trial)
        counts = Counter(each.outcome for each in self._trials)
        done = f"{counts['complete']} done, {counts['pruned']} pruned, {counts['failed']} failed"
        best = best_of(self._trials)
        known = f", best {self._value(best)}" if best else ""
        ended = len(self._trials)
        left = (time.monotonic() - self._start) / (ended - self._earlier) * (self._max_trials - ended)
        proposal = trial.proposal
        print(
            f"  [{ended}/{self._max_trials}: {done}{known}, about {clock(left)} left]  trial {proposal.number} {proposal.family} "
            f"{self._result(trial)} in {clock(trial.seconds)} ({settings_text(proposal.settings)})",
            flush=True,
        )

    def _result(self, trial: Trial) -> str:
        if trial.score is None:
            return f"failed ({trial.reason})"
        value = f"{self._objective.name} {self._value(trial)}"
        return value if trial.outcome == "complete" else f"pruned after epoch {len(trial.curve)} at {value}"

    def _value(self, trial: Trial) -> str:
        return "?" if trial.score is None else f"{self._objective.score(trial.score):.4f}"


class ReviewLines:
    """Prints, every few seconds, how many reviews are done, how fast that is, and how long the rest may take."""

    def __init__(self, done: str = "done", whole: str = "the input") -> None:
        self._done, self._whole = done, whole
        self._start = self._printed = time.monotonic()
        self.reviews = 0

    def show(self, reviews: int, share: float) -> None:
        """Count reviews, with which a share of the whole (0 to 1) is done."""
        self.reviews += reviews
        now = time.monotonic()
        if now - self._printed < EVERY:
            return
        self._printed = now
        left = f", about {clock((now - self._start) / share * (1 - share))} left" if share else ""
        rate = f"{self.per_second():,.0f} a second"
        print(f"  {self.reviews:,} reviews {self._done}, {rate}, {share:.0%} of {self._whole}{left}", flush=True)

    def per_second(self) -> float:
        """Reviews a second since the beginning."""
        return self.reviews / max(time.monotonic() - self._start, 1e-9)
