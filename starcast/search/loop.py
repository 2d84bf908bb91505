"""The loop of a search: propose, train on an idle worker, prune, learn, until trials or time are used up."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from starcast.cli.refusals import RefusedError
from starcast.search.pruning import Pruner
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import STOPPED_EARLY, Objective, Outcome, Proposal, Proposals, Trial

LOOK_EVERY = 1.0  # seconds between looks at the tracking server while every worker trains


@dataclass(frozen=True)
class Reported:
    """A trial made its `report`-th report (from 1) and, if `waits`, waits for the answer whether to continue.

    `predicted`: its most probable ratings (from 0) of the validation reviews at `places`, or of all (None).
    """

    number: int
    report: int
    metrics: Mapping[str, float]
    waits: bool
    predicted: np.ndarray | None = field(default=None, compare=False)
    places: np.ndarray | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Result:
    """What is logged about a trial that was trained to its end.

    `predicted`: ratings (from 0) of the validation set, one array per execution; `further_curves`: scores of
    the later executions by report; `class_counts`: training rows per rating before and after sampling,
    shape (2, labels); `probabilities`: of the validation set, shape (reviews, labels), 16 bits each, if the
    trial has one execution.
    """

    predicted: list[np.ndarray]
    facts: Mapping[str, float]
    further_curves: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    class_counts: np.ndarray | None = None
    probabilities: np.ndarray | None = None


@dataclass(frozen=True)
class Done:
    """A trial was trained to its end, or was stopped by the search and then has no result."""

    number: int
    metrics: Mapping[str, float]
    result: Result | None


@dataclass(frozen=True)
class Failed:
    """A trial raised an error, or its process ended; one that every trial would meet `ends_search`."""

    number: int
    reason: str
    traceback: str
    ends_search: bool = False


Event = Reported | Done | Failed


class Pool(Protocol):
    """Where trials are trained."""

    def idle(self) -> bool:
        """Return whether another trial can begin now."""

    def begin(self, proposal: Proposal) -> None:
        """Start training a proposal on an idle worker."""

    def wait(self, seconds: float) -> Event | None:
        """Return the next event, or None if there is none within this time."""

    def answer(self, number: int, goes_on: bool) -> None:
        """Tell a waiting trial whether to continue."""


class Watcher(Protocol):
    """Records what happens, without making the search wait."""

    def begin(self, proposal: Proposal) -> None:
        """Record that a trial begins."""

    def report(self, event: Reported) -> None:
        """Record a report of a trial."""

    def end(self, trial: Trial, event: Done | Failed) -> None:
        """Record how a trial ended."""

    def check(self) -> None:
        """Raise the error of an earlier record, if there was one."""


@dataclass
class _Running:
    proposal: Proposal
    began: float
    curve: list[float] = field(default_factory=list)
    stopped: str = ""  # why it was to stop after its last report


@dataclass
class Search:
    """One search: `proposals` chooses settings, `pool` trains them, `pruner` stops trials, `watcher` records.

    `age`: seconds since the search began in another process. `budget`: when its time is up, running trials
    are stopped; after a report also one that has become too long for its final fit.
    """

    proposals: Proposals
    pool: Pool
    pruner: Pruner
    watcher: Watcher
    objective: Objective
    age: float = 0
    budget: TimeBudget = field(default_factory=TimeBudget)
    _running: dict[int, _Running] = field(default_factory=dict)
    _start: float = field(default_factory=lambda: time.monotonic())  # a lambda, as tests replace the clock

    def run(self, trials: int, first_number: int = 1, timeout_seconds: float = 0) -> Iterator[Trial]:
        """Run this many trials, numbered from `first_number`, and yield each when it has ended.

        No trial but the first begins after `timeout_seconds` (0: no limit). A failed trial does not end the
        search; an interrupt or an error of the watcher does.

        Raises:
            RefusedError: the machine refused a trial what all need.
        """
        number, last = first_number, first_number + trials - 1
        while True:
            self.watcher.check()
            while number <= last and self.pool.idle():
                seconds = time.monotonic() - self._start
                late = bool(timeout_seconds) and number > first_number and seconds >= timeout_seconds
                proposal = None if late else self.proposals.ask(number)
                if proposal is None:
                    break
                self._running[number] = _Running(proposal, time.monotonic())
                self.watcher.begin(proposal)
                self.pool.begin(proposal)
                number += 1
            if self.budget.is_up():
                yield from map(self._stop, list(self._running))
            if not self._running:
                return
            event = self.pool.wait(LOOK_EVERY)
            if isinstance(event, Reported):
                self._prune(event)
            elif event:
                yield self._end(event)

    def _prune(self, event: Reported) -> None:
        running = self._running[event.number]
        score = self.objective.score(event.metrics[self.objective.name])
        running.curve.append(score)
        family, seconds = running.proposal.family, time.monotonic() - running.began
        if not self.pruner.goes_on(event.number, family, event.report, score):
            running.stopped = f"not among the better trials of {family} so far"
        elif self.budget.is_up(family, seconds):
            running.stopped = "no time would be left to fit it once more"
        if event.waits:
            self.pool.answer(event.number, not running.stopped)
        self.watcher.report(event)

    def _stop(self, number: int) -> Trial:
        """End a running trial: as pruned after its last report or, before its first, as failed."""
        curve, name = self._running[number].curve, self.objective.name
        self._running[number].stopped = "the time of the search is up"
        if curve:
            return self._end(Done(number, {name: self.objective.score(curve[-1])}, None))
        return self._end(Failed(number, STOPPED_EARLY, ""))

    def _end(self, event: Done | Failed) -> Trial:
        if isinstance(event, Failed) and event.ends_search:
            raise RefusedError(event.reason)
        running, now = self._running.pop(event.number), time.monotonic()
        outcome, score, reason = self._outcome(running, event)
        took, ended = now - running.began, self.age + now - self._start
        trial = Trial(running.proposal, outcome, score, tuple(running.curve), reason, took, ended)
        self.proposals.tell(trial)
        self.watcher.end(trial, event)
        return trial

    def _outcome(self, running: _Running, event: Done | Failed) -> tuple[Outcome, float | None, str]:
        """Return how a trial ended, its score and, unless it is complete, the reason."""
        if isinstance(event, Failed):
            return "failed", None, event.reason
        score = self.objective.score(event.metrics[self.objective.name])
        if event.result is None:
            return "pruned", score, running.stopped
        if running.proposal.epochs is not None:
            return "pruned", score, f"the algorithm gave it {running.proposal.epochs} epochs"
        return "complete", score, ""
