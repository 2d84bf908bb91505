"""The time of a search: what a trial of a family takes, what the final fits need, and what is left."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starcast.search.trials import Trial, best_of, ranked

FINAL_SECONDS = 25.0  # to score, draw, package and log a candidate, whatever its family
CLOSING_SECONDS = 5.0  # to stop running trials and end their workers, before the final fits begin
ANSWER_SHARE = 0.25  # of a trial's seconds: to answer the training and the test split
WORTH_KEEPING = 30.0  # seconds: a fit that took so long is kept, and not made again as the final one


def slower_here(first: Mapping[str, float], expected: Mapping[str, float]) -> float:
    """Return how many times as long as expected the first trial of the slowest family took; 0: not known.

    Args:
        first, expected: seconds of the first trial by family, here and on another machine.
    """
    known = [family for family in first if expected.get(family)]
    slowest = max(known, key=lambda family: expected[family], default="")
    return first[slowest] / expected[slowest] if slowest else 0.0


@dataclass
class TimeBudget:
    """The time until `ends` (of `time.monotonic`; infinity: no limit), shared by trials and final fits.

    Attributes:
        expected: seconds of a family's first trial, as measured on another machine; `start` of these are
            the start of its worker, which a final fit does not need.
        fits_each: whether the best trial of every family is fitted once more, not only the best of all.
        keeps: whether fits that take long are kept.
        longer: how many times the epochs of its trial a family's final fit may take, if not as many.
    """

    ends: float = math.inf
    expected: Mapping[str, float] = field(default_factory=dict)
    fits_each: bool = False
    keeps: bool = False
    start: float = 0.0
    longer: Mapping[str, float] = field(default_factory=dict)
    _seconds: dict[str, list[float]] = field(default_factory=dict)  # of trials that were not stopped early
    _best: dict[str, Trial] = field(default_factory=dict)

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial how long its family takes."""
        family = trial.proposal.family
        if trial.outcome == "complete":
            self._seconds.setdefault(family, []).append(trial.seconds)
            earlier = [self._best[family]] if family in self._best else []
            self._best[family] = ranked([trial, *earlier])[0][1]

    def trial_seconds(self, family: str) -> float:
        """Return what a trial of a family takes at most: its longest so far, else as measured elsewhere.

        What was measured elsewhere is corrected by how much longer the first trial of the slowest other
        family took here: of a quick family, most is its start. 0: not known.
        """
        if family in self._seconds:
            return max(self._seconds[family])
        measured = {name: seconds[0] for name, seconds in self._seconds.items()}
        return self.expected.get(family, 0.0) * (slower_here(measured, self.expected) or 1.0)

    def final_seconds(self, family: str = "", seconds: float = 0.0) -> float:
        """Return what the final fits take; with a family, if a trial of so many seconds were its best."""
        fits = {name: trial.seconds for name, trial in self._best.items()}
        if not self.fits_each and (best := best_of([*self._best.values()])):
            fits = {best.proposal.family: best.seconds}
        if family:
            fits[family] = max(seconds, fits.get(family, 0.0))
        needed = (self.final_fit_seconds(*fit) for fit in fits.items())
        return CLOSING_SECONDS + FINAL_SECONDS + (sum(needed) if self.fits_each else max(needed, default=0.0))

    def final_fit_seconds(self, family: str, seconds: float) -> float:
        """Return what the final fit takes of a trial that took so many seconds."""
        longer = self.longer.get(family, 1.0)
        kept = self.keeps and longer == 1 and seconds >= WORTH_KEEPING
        return (ANSWER_SHARE if kept else longer + ANSWER_SHARE) * seconds

    def left(self, family: str = "", seconds: float = 0.0) -> float:
        """Return the seconds left for trials, once what the final fits need is set aside."""
        return self.ends - time.monotonic() - self.final_seconds(family, seconds)

    def has_time_for(self, family: str) -> bool:
        """Return whether a trial of a family, and its final fit, would end in time."""
        seconds = self.trial_seconds(family)
        fit = seconds if family in self._seconds else max(0.0, seconds - self.start)
        return self.left(family, fit) > seconds

    def has_time_for_final(self, trial: Trial) -> bool:
        """Return whether a trial can be fitted once more, and the candidate finished, in time."""
        fit = self.final_fit_seconds(trial.proposal.family, trial.seconds)
        return self.ends - time.monotonic() >= FINAL_SECONDS + fit

    def is_up(self, family: str = "", seconds: float = 0.0) -> bool:
        """Return whether the final fits must begin now; with a family, if its best took so many seconds."""
        return self.left(family, seconds) <= 0
