"""The vocabulary of a search: objective, proposal, trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Protocol

from starcast.models.space import Conditions, Settings, Space, count_points, points_of

if TYPE_CHECKING:
    import numpy as np

Outcome = Literal["complete", "pruned", "failed"]
Point = tuple[str, Settings]  # a family, and some of its settings
STOPPED_EARLY = "stopped: the time of the search is up"  # why a trial failed that had reported nothing yet


@dataclass(frozen=True)
class Objective:
    """A validation metric to optimise; within a search, a higher score is always better."""

    name: str
    lower_is_better: bool

    def score(self, value: float) -> float:
        """Convert a metric's value to a score, or a score back to the metric's value."""
        return -value if self.lower_is_better else value


@dataclass(frozen=True)
class SearchPlan:
    """What settings are proposed from: a space per family, and how long the search is.

    The points of `first` are proposed first; settings left out are drawn at random. A setting whose condition
    (of its family's `conditions`) is not met is absent from a proposal.
    """

    spaces: Mapping[str, Space]
    max_trials: int
    max_epochs: int
    seed: Sequence[int]
    first: Sequence[Point] = ()
    conditions: Mapping[str, Conditions] = field(default_factory=dict)
    most_startup: int = 20

    @property
    def startup(self) -> int:
        """Return how many trials precede the algorithm's first model: a third, at least 5, at most 20.

        With hyperopt's default of 20, a short search would be random to its end; so would a family whose
        share of the trials is more than it has time for, so that it has at most 10.
        """
        return min(self.most_startup, max(5, self.max_trials // 3))

    @property
    def points(self) -> float:
        """Return how many different proposals there are."""
        return count_points(self.spaces, self.conditions)

    def left(self, tried: Sequence[Point], random: np.random.Generator) -> Point | None:
        """Return a point that was not tried, of a family with so many; None if there is none."""
        for family, space in self.spaces.items():
            conditions = self.conditions.get(family, {})
            if math.isfinite(count_points({family: space}, self.conditions)):
                for settings in points_of(space, conditions, random):
                    if (family, settings) not in tried:
                        return family, settings
        return None

    def of(self, family: str) -> SearchPlan:
        """Return the plan of one family, with its equal share of the trials."""
        trials, first = -(-self.max_trials // len(self.spaces)), [p for p in self.first if p[0] == family]
        own = {family: self.spaces[family]}
        return replace(self, spaces=own, max_trials=trials, first=first, most_startup=10)


@dataclass(frozen=True)
class Proposal:
    """What trial `number` (from 1) trains; `epochs`: where the algorithm asks for fewer than the search's."""

    number: int
    family: str
    settings: Settings
    epochs: int | None = None


@dataclass(frozen=True)
class Trial:
    """One finished trial.

    `curve` holds the score at each report, one per epoch unless the family reports within epochs; `score` is
    that of the weights kept, None where the trial failed. A pruned trial's score is that of its last report,
    which says little about its settings.
    """

    proposal: Proposal
    outcome: Outcome
    score: float | None
    curve: tuple[float, ...] = ()
    reason: str = ""
    seconds: float = 0.0
    ended: float = 0.0  # seconds after the search began

    @property
    def epochs(self) -> float:
        """Return how many epochs it was trained: a report may be a part of one."""
        from starcast.models.catalogue import reports_of  # workers need no families of ours to begin

        return len(self.curve) / reports_of(self.proposal.family)


class Proposals(Protocol):
    """A source of settings that learns from trials."""

    def ask(self, number: int) -> Proposal | None:
        """Propose settings for a trial; None if they depend on running trials or all have been tried."""

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial, whether this source or an earlier process proposed it."""


def ranked(trials: list[Trial]) -> list[tuple[float, Trial]]:
    """Return the complete trials with their scores, best first; ties in the order of the trials."""
    scored = [(trial.score, trial) for trial in trials if trial.score is not None]
    complete = [(score, trial) for score, trial in scored if trial.outcome == "complete"]
    return sorted(complete, key=lambda pair: (-pair[0], pair[1].proposal.number))


def best_of(trials: list[Trial]) -> Trial | None:
    """Return the best complete trial, or None."""
    return next((trial for _, trial in ranked(trials)), None)


def best_of_families(trials: list[Trial]) -> list[Trial]:
    """Return the best complete trial of each family that has one, the best of all first."""
    found = dict[str, Trial]()
    for _, trial in ranked(trials):
        found.setdefault(trial.proposal.family, trial)
    return [*found.values()]


def from_worst_to_best(trials: list[Trial]) -> list[Trial]:
    """Return the trials that have a score in the order in which a search should rank them.

    Every pruned trial ranks below every complete one, because its score is from an earlier epoch; pruned ones
    are ordered by the epoch reached, then by their score there (as in Optuna's TPE).
    """

    def rank(trial: Trial) -> tuple:
        is_complete = trial.outcome == "complete"
        return is_complete, 0 if is_complete else len(trial.curve), trial.score

    return sorted((trial for trial in trials if trial.score is not None), key=rank)
