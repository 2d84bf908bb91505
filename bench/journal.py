"""A search's journal: a JSON line per finished epoch, one per finished trial, one at the end; and the limits
of a search.

    {"contestant", "seed", "seconds", "trial", "epoch", "epochs_of_trial", "val_auc"}
    {"contestant", "seed", "seconds", "trial", "trial_seconds", "epochs_run", "best_val_auc", "settings"}
    {"contestant", "seed", "seconds", "trial", "search_seconds"}, for ours also "tracking_seconds",
    "tracking_cpu_seconds"

`seconds` count from the search's begin, `trial` and `epoch` from 1.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Over(BaseException):
    """The search's time or number of trials is used up.

    No `Exception`: a tuner takes those for failed trials.
    """


class Journal:
    """Written while the search runs, so that a search that is broken off leaves what it saw.

    The clock starts when the journal is made: after imports, with the data in memory.
    """

    def __init__(self, file: Path, contestant: str, seed: int, minutes: float, max_trials: int) -> None:
        self._file = file.open("w", encoding="utf-8")
        self._common = {"contestant": contestant, "seed": seed}
        self._end_seconds, self._max_trials = minutes * 60, max_trials
        self._start = time.monotonic()
        self._trial, self._last_trial_end = 0, 0.0
        self._seen: list[float] = []

    @contextmanager
    def trial(self, settings: Mapping[str, Any]) -> Iterator[list[float]]:
        """Record one trial; its seconds begin where those of the trial before end, so that all of the search
        is counted.

        Yields:
            The validation AUC of each epoch, filled while the trial runs.

        Raises:
            Over: all trials were run before.
        """
        if self._max_trials and self._trial >= self._max_trials:
            raise Over
        self._trial, self._seen = self._trial + 1, []
        try:
            yield self._seen
        finally:
            now = self._seconds()
            took, self._last_trial_end = now - self._last_trial_end, now
            best = max(self._seen, default=None)
            self._write(
                trial_seconds=took, epochs_run=len(self._seen), best_val_auc=best, settings=dict(settings)
            )

    def epoch(self, epoch: int, epochs: int, val_auc: float) -> None:
        """Note a finished epoch of the trial under way.

        Raises:
            Over: the time is used up.
        """
        self._seen.append(val_auc)
        self._write(epoch=epoch, epochs_of_trial=epochs, val_auc=val_auc)
        if self._end_seconds and self._seconds() >= self._end_seconds:
            raise Over

    def close(self) -> None:
        """Write the last line; a journal without it is of a search that was broken off."""
        self._write(search_seconds=self._seconds())
        self._file.close()

    def _seconds(self) -> float:
        return time.monotonic() - self._start

    def _write(self, **values: Any) -> None:
        line = {**self._common, "seconds": self._seconds(), "trial": self._trial, **values}
        self._file.write(json.dumps(line, default=float) + "\n")
        self._file.flush()


@dataclass(frozen=True)
class FinishedJournal:
    """A journal read back: (seconds, validation AUC) of each epoch, trials, how long the search took.

    `tracking`, of ours: seconds that the writing thread was busy beside the training, and its processor time.
    """

    epochs: list[tuple[float, float]]
    trials: int
    seconds: float
    tracking: tuple[float, float] | None

    @classmethod
    def read(cls, file: Path) -> "FinishedJournal | None":
        """Read a journal; `None` where there is none, or its search was broken off."""
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        lines = [json.loads(line) for line in text.splitlines()]
        if not lines or "search_seconds" not in lines[-1]:
            return None
        epochs = [(line["seconds"], line["val_auc"]) for line in lines if "val_auc" in line]
        trials, last = sum("trial_seconds" in line for line in lines), lines[-1]
        tracking = (
            (last["tracking_seconds"], last.get("tracking_cpu_seconds", math.nan))
            if "tracking_seconds" in last
            else None
        )
        return cls(epochs, trials, last["search_seconds"], tracking)

    def best(self, until: float = math.inf) -> float:
        """Return the best validation AUC seen by a second of the search.

        Not a number where there was none yet.
        """
        return max((value for seconds, value in self.epochs if seconds <= until), default=math.nan)
