"""What a search optimises, whichever way is better."""

from dataclasses import dataclass
from typing import Literal, Protocol

from starcast.models.family import Settings


@dataclass(frozen=True)
class Objective:
    """A validation metric; inside a search, a score is always better when higher."""

    name: str
    lower_is_better: bool

    def score(self, value: float) -> float:
        """The metric's value as a score; of a score, the metric's value."""
        return -value if self.lower_is_better else value


Outcome = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Proposal:
    """What to train in one trial; `number` counts from 1. `epochs`: fewer than the search's, where its algorithm says so."""

    number: int
    family: str
    settings: Settings
    epochs: int | None = None


@dataclass(frozen=True)
class Trial:
    """One finished trial.

    `curve` holds the objective after each epoch, higher is better; `score` that of the weights kept, absent where the
    trial failed. A pruned trial's score is the one at the epoch it reached, and no measure of the settings' worth.
    """

    proposal: Proposal
    outcome: Outcome
    score: float | None
    curve: tuple[float, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    ended: float = 0.0  # seconds after the search began


class Proposals(Protocol):
    """A source of settings that learns from trials."""

    def ask(self, number: int) -> Proposal | None:
        """Settings for trial `number`; none where they depend on trials that still run, or all have been tried."""

    def tell(self, trial: Trial) -> None:
        """Take a finished trial, whether this source proposed it or an earlier process did."""


def ranked(trials: list[Trial]) -> list[tuple[float, Trial]]:
    """The complete trials with their scores, best first, the earlier of equals first."""
    complete = [
        (trial.score, trial) for trial in trials if trial.outcome == "complete" and trial.score is not None
    ]
    return sorted(complete, key=lambda pair: (-pair[0], pair[1].proposal.number))


def best_of(trials: list[Trial]) -> Trial | None:
    """The best complete trial; none if there is no complete one."""
    return next((trial for _, trial in ranked(trials)), None)


def from_worst_to_best(trials: list[Trial]) -> list[Trial]:
    """Trials with a score, in the order in which a search should learn from them.

    A pruned trial stands below every complete one, whatever its score, since that score is of an earlier epoch; pruned
    ones are ordered by the epoch reached, then by their score there (as Optuna's TPE orders them).
    """
    scored = [
        (trial.outcome == "complete", len(trial.curve), trial.score, trial)
        for trial in trials
        if trial.score is not None
    ]
    return [trial for *_, trial in sorted(scored, key=lambda row: (row[0], row[2]) if row[0] else row[:3])]
