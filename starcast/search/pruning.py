"""Pruning: whether a trial goes on after an epoch, compared with trials of the same family (its siblings)."""

from collections import defaultdict
from statistics import median
from typing import Literal, Protocol

from starcast.search.trials import Trial

PrunerName = Literal["none", "median", "asha"]
STARTUP = 5  # siblings the median needs
REDUCTION = 4  # one in four of the trials that reach a rung goes on


class Pruner(Protocol):
    """Decides from the scores of all trials; higher is better."""

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        """Record a trial's score after an epoch (from 1) and return whether it is worth another epoch."""

    def learn(self, trial: Trial) -> None:
        """Record the curve of a trial of an earlier process."""


class Siblings:
    """The best score of each trial up to each epoch, by family: families differ in how fast they learn."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)

    def note(self, number: int, family: str, epoch: int, score: float) -> float:
        """Record a score and return the trial's best up to this epoch."""
        best = max(score, self._best[family, epoch - 1].get(number, score))
        self._best[family, epoch][number] = best
        return best

    def learn(self, trial: Trial) -> None:
        """Record a whole curve."""
        for epoch, score in enumerate(trial.curve, start=1):
            self.note(trial.proposal.number, trial.proposal.family, epoch, score)

    def others(self, number: int, family: str, epoch: int) -> list[float]:
        """Return the best scores of the other trials that reached this epoch."""
        return [best for sibling, best in self._best[family, epoch].items() if sibling != number]


class NoPruner:
    """Lets every trial run to its end."""

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        """Return True."""
        return True

    def learn(self, trial: Trial) -> None:
        """Ignore the trial."""


class MedianPruner(Siblings):
    """Stops a trial whose best score is below the median of its siblings' at the same epoch.

    Golovin et al., Google Vizier: a service for black-box optimization, KDD 2017 (the median stopping rule).
    """

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        """Return whether the trial is in the better half, or has too few siblings to tell."""
        best = self.note(number, family, epoch, score)
        others = self.others(number, family, epoch)
        return len(others) < STARTUP or best >= median(others)


class AshaPruner(Siblings):
    """Asynchronous successive halving: the best quarter of the trials that reached a rung goes on.

    Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020, in the form that stops and
    never pauses. Rungs are epochs 1, 2, 4, 8 ...: closer than the paper's powers of 4, since a trial has few
    epochs.
    """

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        """Return whether the trial is in the best quarter of its rung.

        Among fewer than four, whether it is the best.
        """
        best = self.note(number, family, epoch, score)
        if epoch & (epoch - 1):
            return True  # not a rung
        others = self.others(number, family, epoch)
        better = sum(other > best for other in others)
        return better < max(1, (len(others) + 1) // REDUCTION)


def make_pruner(name: PrunerName) -> Pruner:
    """Return a new pruner by its name."""
    pruners: dict[str, type[Pruner]] = {"none": NoPruner, "median": MedianPruner, "asha": AshaPruner}
    return pruners[name]()
