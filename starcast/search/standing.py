"""How a search stands: the trials under way, how others have ended, the best so far, the time left."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starcast.cli.progress import clock
from starcast.search.loop import Reported
from starcast.search.time_budget import TimeBudget
from starcast.search.time_left import TimeLeft
from starcast.search.trials import Objective, Proposal, Trial, best_of


class Length(NamedTuple):
    """How many epochs a trial may take, and how often it reports within each; epochs of 0: none are told."""

    epochs: int
    reports: int = 1


@dataclass
class UnderWay:
    """A trial that is being trained; `value` is the objective at its last report."""

    proposal: Proposal
    length: Length
    began: float
    reports: int = 0
    value: float | None = None

    def epoch(self) -> str:
        """Return e.g. `2/3`; empty for a family without epochs."""
        done = self.reports / self.length.reports
        return f"{done:g}/{self.length.epochs}" if self.length.epochs else ""

    def seconds(self) -> float:
        """Return how long it has been trained."""
        return time.monotonic() - self.began


class SearchStanding:
    """Follows a search of `max_trials`, of which `finished` have ended in an earlier process.

    `length` says how long a trial is. `budget`: the time of the search. `first`: the families of its first
    points.
    """

    def __init__(
        self,
        objective: Objective,
        max_trials: int,
        finished: Sequence[Trial] = (),
        budget: TimeBudget | None = None,
        length: Callable[[Proposal], Length] = lambda _: Length(0),
        first: Sequence[str] = (),
    ) -> None:
        self.objective, self.max_trials, self.ended = objective, max_trials, list(finished)
        self.under_way: dict[int, UnderWay] = {}
        self._began = time.monotonic()
        self._budget, self._length = budget or TimeBudget(), length
        self._left = TimeLeft(finished, first, self._budget.expected)

    def begin(self, proposal: Proposal) -> None:
        """Count a trial that begins."""
        length = self._length(proposal)
        self.under_way[proposal.number] = UnderWay(proposal, length, time.monotonic())
        self._left.begin(proposal, max(1, length.epochs) * length.reports)

    def report(self, event: Reported) -> None:
        """Count a report."""
        trial = self.under_way[event.number]
        trial.reports, trial.value = event.report, event.metrics[self.objective.name]
        self._left.report(event.number)

    def epochs(self, trial: Trial) -> str:
        """Return the epochs that a trial has taken, e.g. `2` or, where it reports within epochs, `1.5`."""
        return f"{len(trial.curve) / self._length(trial.proposal).reports:g}"

    def end(self, trial: Trial) -> None:
        """Count a trial that has ended."""
        self.under_way.pop(trial.proposal.number, None)
        self.ended.append(trial)
        self._left.end(trial)

    def seconds(self) -> float:
        """Return how long the search has been watched."""
        return time.monotonic() - self._began

    def counts(self) -> str:
        """Return how many trials ended how."""
        counts = Counter(trial.outcome for trial in self.ended)
        return f"{counts['complete']} done, {counts['pruned']} pruned, {counts['failed']} failed"

    def best(self) -> Trial | None:
        """Return the best complete trial, if there is one."""
        return best_of(self.ended)

    def value(self, trial: Trial) -> str:
        """Return a trial's objective with its own sign; `?` for one that failed."""
        return "?" if trial.score is None else f"{self.objective.score(trial.score):.4f}"

    def left(self) -> str:
        """Return e.g. `about 2 min 05 s left`; with a time limit that comes earlier, what it leaves."""
        waiting = self.max_trials - len(self.ended) - len(self.under_way)
        seconds, limit = self._left.seconds(waiting), max(0.0, self._budget.left())
        if math.isfinite(limit) and (seconds is None or limit < seconds):
            return f"{clock(limit)} left for trials"
        return "" if seconds is None else f"about {clock(seconds)} left"
