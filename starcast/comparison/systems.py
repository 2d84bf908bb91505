"""Runs that were scored, and the systems that they are fits of."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcast.cli.errors import UserError
from starcast.tracking.scored_runs import ScoredRun

OF_EVERY_RUN = ("command", "process")  # tags that tell any two runs apart


@dataclass(frozen=True)
class System:
    """What is compared: one run, or several fits whose scores are averaged. All of them saw the same reviews."""

    name: str
    runs: tuple[ScoredRun, ...]

    @property
    def reviews(self) -> str:
        """The digest of the reviews it answered; empty if only matrices were kept."""
        answers = self.runs[0].answers
        return answers.reviews if answers else ""

    @property
    def matrix(self) -> np.ndarray:
        """Confusion matrix of all fits together, counts, shape (5, 5)."""
        return np.sum([run.matrix for run in self.runs], axis=0)

    @property
    def seconds(self) -> float:
        """Mean duration of a fit."""
        return float(np.mean([run.seconds for run in self.runs]))

    @property
    def parameters(self) -> float | None:
        """Mean number of trained parameters, if known of every fit."""
        known = [run.parameters for run in self.runs if run.parameters is not None]
        return float(np.mean(known)) if len(known) == len(self.runs) else None

    def score(self, name: str) -> float:
        """Mean of a score over the fits; not a number if a run lacks it."""
        return float(np.mean([run.scores.get(name, np.nan) for run in self.runs]))

    def get(self, name: str) -> str:
        """A tag or setting by name: its value, or values, in the fits."""
        return ", ".join(dict.fromkeys(run.get(name) for run in self.runs if run.get(name)))


def each_run(runs: Sequence[ScoredRun]) -> list[System]:
    """Every run as a system of its own; of equal names each gets the beginning of its run's id."""
    often = Counter(run.name for run in runs)
    return [
        System(run.name if often[run.name] == 1 else f"{run.name} {run.run_id[:6]}", (run,)) for run in runs
    ]


def grouped(runs: Sequence[ScoredRun], by: str) -> list[System]:
    """Runs with the same value of a tag or setting as one system; runs without it are left out.

    Fits that answered other reviews are a system of their own, named after the digest of these.
    """
    groups: dict[tuple[str, str], list[ScoredRun]] = defaultdict(list)
    for run in runs:
        if run.get(by):
            groups[run.get(by), run.answers.reviews if run.answers else ""].append(run)
    often = Counter(value for value, _ in groups)
    names = {
        key: key[0] if often[key[0]] == 1 else f"{key[0]}, reviews {key[1] or 'unknown'}" for key in groups
    }
    return [System(names[key], tuple(members)) for key, members in groups.items()]


def group_names(runs: Sequence[ScoredRun]) -> list[str]:
    """What runs can be grouped by with more than one group as result, by name."""
    names = {
        name for run in runs for name in (*run.settings, *run.tags) if not name.startswith("mlflow.")
    } - {*OF_EVERY_RUN}
    return sorted(name for name in names if len({run.get(name) for run in runs} - {""}) > 1)


def differing_settings(systems: Sequence[System]) -> list[str]:
    """The settings that take at least two values in the systems, in the order in which the runs name them."""
    names = dict.fromkeys(name for system in systems for run in system.runs for name in run.settings)
    return [name for name in names if len({system.get(name) for system in systems} - {""}) > 1]


def _systems(scored: list[ScoredRun], by: str) -> list[System]:
    if not by:
        return each_run(scored)
    systems = grouped(scored, by)
    if not systems:
        raise UserError(
            f"parameter by: no run has {by!r}; they differ in {', '.join(group_names(scored)) or 'nothing'}"
        )
    return systems
