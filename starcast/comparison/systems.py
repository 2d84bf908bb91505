"""Systems: groups of scored runs that are fits of the same model."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Scale
from starcast.tracking.scored_runs import ComparedAnswers, ScoredRun

OF_EVERY_RUN = {"command", "process"}  # tags that differ between any two runs


@dataclass(frozen=True)
class System:
    """One run, or several fits whose scores are averaged; all were scored on the same reviews."""

    name: str
    runs: tuple[ScoredRun, ...]

    @property
    def answers(self) -> list[ComparedAnswers]:
        """Return the predictions that its runs kept."""
        return [run.answers for run in self.runs if run.answers]

    @property
    def probabilities(self) -> list[np.ndarray]:
        """Return those of its runs, if the score is of them, each of shape (reviews, labels)."""
        return [each.probabilities for each in self.answers if each.probabilities is not None]

    @property
    def reviews(self) -> str:
        """Return the digest of the reviews it was scored on; empty if only matrices were kept."""
        answers = self.runs[0].answers
        return answers.reviews if answers else ""

    @property
    def matrix(self) -> np.ndarray:
        """Return the sum of the fits' confusion matrices, counts, shape (labels, labels)."""
        return np.sum([run.matrix for run in self.runs], axis=0)

    @property
    def scale(self) -> Scale:
        """Return the ratings, the same for all fits."""
        return self.runs[0].scale

    @property
    def seconds(self) -> float:
        """Return the mean duration of a fit."""
        return float(np.mean([run.seconds for run in self.runs]))

    @property
    def parameters(self) -> float | None:
        """Return the mean number of trained parameters, if known for every fit."""
        known = [run.parameters for run in self.runs if run.parameters is not None]
        return float(np.mean(known)) if len(known) == len(self.runs) else None

    def score(self, name: str) -> float:
        """Return the mean of a score over the fits; NaN if a run lacks it."""
        return float(np.mean([run.scores.get(name, np.nan) for run in self.runs]))

    def get(self, name: str) -> str:
        """Return a tag or setting by name: its value, or the values of the fits."""
        return ", ".join(dict.fromkeys(run.get(name) for run in self.runs if run.get(name)))


def make_systems(runs: Sequence[ScoredRun], by: str) -> list[System]:
    """Return one system per run or, if `by` names a tag or setting, per value of it.

    Runs without the value are left out; fits that were scored on other reviews are a separate system.
    Equal names are distinguished by the beginning of the run's id or by the digest of the reviews.

    Raises:
        UserError: no run has such a tag or setting.
    """
    if not by:
        often = Counter(run.name for run in runs)
        names = [r.name if often[r.name] == 1 else f"{r.name} {r.run_id[:6]}" for r in runs]
        return [System(name, (run,)) for name, run in zip(names, runs, strict=True)]
    groups: dict[tuple[str, str], list[ScoredRun]] = defaultdict(list)
    for run in runs:
        if run.get(by):
            groups[run.get(by), run.answers.reviews if run.answers else ""].append(run)
    if not groups:
        ways = ", ".join(group_names(runs)) or "nothing"
        raise UserError(f"parameter by: no run has {by!r}; the runs differ in {ways}")
    often = Counter(value for value, _ in groups)
    return [
        System(value if often[value] == 1 else f"{value}, reviews {reviews or 'unknown'}", tuple(members))
        for (value, reviews), members in groups.items()
    ]


def group_names(runs: Sequence[ScoredRun]) -> list[str]:
    """Return the tags and settings by which the runs fall into more than one group."""
    names = {name for run in runs for name in (*run.settings, *run.tags) if not name.startswith("mlflow.")}
    return sorted(name for name in names - OF_EVERY_RUN if len({run.get(name) for run in runs} - {""}) > 1)


def differing_settings(systems: Sequence[System]) -> list[str]:
    """Return the settings with at least two values in the systems, in the order of the runs."""
    names = dict.fromkeys(name for system in systems for run in system.runs for name in run.settings)
    return [name for name in names if len({system.get(name) for system in systems} - {""}) > 1]
