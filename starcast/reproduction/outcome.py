"""A run and its repetition, metric by metric: equal, within noise, or different.

A fit with the same seed, code, data and versions on the same machine is expected to be equal. "Within noise" is weaker: the
difference is smaller than what the choice of reviews alone brings (`starcast.reproduction.noise`). It does not say that the two
fits answer alike; where both kept their predictions, the reviews that they answer differently are counted.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from starcast.evaluation.paired import Difference
from starcast.reproduction.noise import SPLITS
from starcast.tracking.repetition import RunRecord

Verdict = Literal["equal", "within noise", "different"]
ValueKind = Literal["score", "fact", "cost"]
Value = float | str
COST = re.compile(r"^system/|_seconds|_memory_mb")


@dataclass(frozen=True)
class ComparedValue:
    """One metric or fact of the two runs. Without a verdict it is not judged: a cost, or one run has it alone.

    `noise`: the interval, or the tolerance on either side, in which a score that differs was to lie.
    """

    name: str
    kind: ValueKind
    before: Value | None
    now: Value | None
    verdict: Verdict | None
    noise: tuple[float, float] | None = None

    @property
    def difference(self) -> float | None:
        """Now less before, of numbers."""
        both = isinstance(self.before, float) and isinstance(self.now, float)
        return float(self.now) - float(self.before) if both else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answered:
    """Two fits on the same reviews: how many they answer differently, and the paired difference of macro F1 (now less before)."""

    split: str
    reviews: int
    changed: int
    difference: Difference | None


@dataclass(frozen=True)
class Pair:
    """A run and its repetition."""

    before: RunRecord
    now: RunRecord
    compared: tuple[ComparedValue, ...]
    answered: tuple[Answered, ...]

    @property
    def verdict(self) -> Verdict:
        """Its verdict."""
        return verdict_of(self.compared)


@dataclass(frozen=True)
class Reproduction:
    """A run and its repetition with all runs below them: `pairs`, the run itself first, and runs that have no counterpart."""

    pairs: tuple[Pair, ...]
    only_before: tuple[RunRecord, ...]
    only_now: tuple[RunRecord, ...]

    @property
    def compared(self) -> list[ComparedValue]:
        """Everything that was compared."""
        return [each for pair in self.pairs for each in pair.compared]

    @property
    def verdict(self) -> Verdict:
        """The worst of its fits; what holds them may make it noise, as does a search that tried other settings."""
        of_fits = {pair.verdict for pair in self.pairs if deciding_scores(pair.compared)}
        if "different" in of_fits:
            return "different"
        alike = all(pair.verdict == "equal" for pair in self.pairs) and not (
            self.only_before or self.only_now
        )
        if alike:
            return "equal"
        return "within noise" if of_fits else "different"


def verdict_of(compared: Sequence[ComparedValue]) -> Verdict:
    """The worst verdict of the scores that decide, those of the test split or, without any, of validation.

    Beside them anything else that is not equal, a score of another split or a fact, makes a run within noise; without
    scores at all, different.
    """
    judged = [each for each in compared if each.verdict]
    deciding = {each.verdict for each in deciding_scores(judged)}
    if "different" in deciding:
        return "different"
    if all(each.verdict == "equal" for each in judged):
        return "equal"
    return "within noise" if deciding else "different"


def deciding_scores(compared: Sequence[ComparedValue]) -> list[ComparedValue]:
    """The scores of the last split there is: test, else validation, else train."""
    for split in reversed(SPLITS):
        found = [each for each in compared if each.kind == "score" and each.name.startswith(f"{split}_")]
        if found:
            return found
    return []
