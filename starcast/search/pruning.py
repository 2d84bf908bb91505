"""Decide whether a trial continues after a report, compared with trials of its family (its siblings)."""

from collections import defaultdict
from statistics import median
from typing import Literal

from starcast.search.trials import Trial

PrunerName = Literal["none", "median", "asha"]
STARTUP = 5  # siblings the median needs
REDUCTION = 4  # one in four of the trials that reach a rung continues


class Pruner:
    """Decides from the best score of each trial up to each report; higher is better. This one stops no trial.

    Families are kept apart: they differ in how fast they learn.
    """

    def __init__(self) -> None:
        self._best: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)

    def goes_on(self, number: int, family: str, report: int, score: float) -> bool:
        """Record a trial's score at a report (from 1) and return whether it is worth training on."""
        best = max(score, self._best[family, report - 1].get(number, score))
        reached = self._best[family, report]
        reached[number] = best
        return self.is_worth(report, best, [other for sibling, other in reached.items() if sibling != number])

    def is_worth(self, report: int, best: float, others: list[float]) -> bool:
        """Return whether a trial continues; `others`: the best scores of siblings that reached the report."""
        return True

    def learn(self, trial: Trial) -> None:
        """Record the curve of a trial of an earlier process."""
        for report, score in enumerate(trial.curve, start=1):
            self.goes_on(trial.proposal.number, trial.proposal.family, report, score)


class MedianPruner(Pruner):
    """Stops a trial whose best score is below the median of its siblings' at the same report.

    Golovin et al., Google Vizier: a service for black-box optimization, KDD 2017 (the median stopping rule).
    """

    def is_worth(self, report: int, best: float, others: list[float]) -> bool:
        """Return whether the trial is in the better half, or has too few siblings to tell."""
        return len(others) < STARTUP or best >= median(others)


class AshaPruner(Pruner):
    """Asynchronous successive halving: the best quarter of the trials that reached a rung continues.

    Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020, in the form that stops and
    never pauses. Rungs are reports 1, 2, 4, 8 ... (epochs, unless a family reports within them): closer
    than the paper's powers of 4, since a trial has few reports.
    """

    def is_worth(self, report: int, best: float, others: list[float]) -> bool:
        """Return whether the trial is in the best quarter of its rung; among fewer than four, the best."""
        is_rung = not report & (report - 1)
        return not is_rung or sum(other > best for other in others) < max(1, (len(others) + 1) // REDUCTION)


PRUNERS: dict[PrunerName, type[Pruner]] = {"none": Pruner, "median": MedianPruner, "asha": AshaPruner}
