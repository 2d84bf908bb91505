"""The crank: propose, train, tell, until the trials or the time are used up. A failed trial does not end it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from steps.search.proposals import Proposal

Outcome = Literal["complete", "failed"]


@dataclass(frozen=True)
class Trial:
    """One finished trial; `score` is the objective, higher is better, absent where the trial failed."""

    proposal: Proposal
    outcome: Outcome
    score: float | None
    reason: str
    seconds: float
    run_id: str


@dataclass(frozen=True)
class Scored:
    """What a training hands back: its objective, higher is better, and the run that holds the rest."""

    score: float
    run_id: str


class Proposals(Protocol):
    """A source of settings that learns from scores."""

    def ask(self) -> Proposal:
        """The next settings to try."""

    def tell(self, number: int, score: float | None) -> None:
        """Report a trial's score; `None` where it failed."""


def run_trials(
    proposals: Proposals, train: Callable[[Proposal], Scored], max_trials: int, timeout_seconds: float = 0
) -> Iterator[Trial]:
    """Run up to `max_trials` trials one after the other and yield each when it is done.

    No trial but the first starts once `timeout_seconds` have passed (0: no limit). Any `Exception` of `train` makes a
    failed trial; an interrupt passes through.
    """
    start = time.monotonic()
    for begun in range(max_trials):
        if begun and timeout_seconds and time.monotonic() - start >= timeout_seconds:
            return
        proposal = proposals.ask()
        trial = _run(proposal, train)
        proposals.tell(proposal.number, trial.score)
        yield trial


def _run(proposal: Proposal, train: Callable[[Proposal], Scored]) -> Trial:
    start = time.monotonic()
    try:
        scored = train(proposal)
    except Exception as error:  # whatever a model library raises: the trial failed, the search goes on
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return Trial(proposal, "failed", None, reason, time.monotonic() - start, "")
    return Trial(proposal, "complete", scored.score, "", time.monotonic() - start, scored.run_id)


def ranked(trials: list[Trial]) -> list[tuple[float, Trial]]:
    """The complete trials with their scores, best first, the earlier of equals first."""
    complete = [(trial.score, trial) for trial in trials if trial.score is not None]
    return sorted(complete, key=lambda pair: -pair[0])


def best_of(trials: list[Trial]) -> Trial | None:
    """The best complete trial; none if all failed."""
    return next((trial for _, trial in ranked(trials)), None)
