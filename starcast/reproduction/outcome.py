"""A run and its repetition, metric by metric: equal, within noise, or different.

A fit with the same seed, code, data and versions on the same machine is expected to be equal. "Within noise"
is weaker: the difference is smaller than the sampling of the reviews alone explains
(`starcast.reproduction.noise`). It does not mean that both fits predict the same; where both kept their
predictions, the reviews predicted differently are counted.
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
    """One metric or fact of both runs; costs, and what only one run has, get no verdict.

    `noise`: the interval that a different score should lie in, from the bootstrap or the tolerance.
    """

    name: str
    kind: ValueKind
    before: Value | None
    now: Value | None
    verdict: Verdict | None
    noise: tuple[float, float] | None = None

    @property
    def difference(self) -> float | None:
        """Return now minus before, for numbers."""
        both = isinstance(self.before, float) and isinstance(self.now, float)
        return float(self.now) - float(self.before) if both else None  # type: ignore[arg-type]


@dataclass(frozen=True)
class Answered:
    """How many of the same reviews two fits predict differently, and the paired difference of macro F1 (now
    minus before).
    """

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
        """Return the verdict on this pair."""
        return verdict_of(self.compared)


@dataclass(frozen=True)
class Reproduction:
    """A run, its repetition and all runs below them.

    `pairs`, the run itself first, and runs without a counterpart.
    """

    pairs: tuple[Pair, ...]
    only_before: tuple[RunRecord, ...]
    only_now: tuple[RunRecord, ...]

    @property
    def compared(self) -> list[ComparedValue]:
        """Return everything that was compared."""
        return [each for pair in self.pairs for each in pair.compared]

    @property
    def verdict(self) -> Verdict:
        """Return the worst verdict of the fits.

        Differences above them, or other settings tried, make it noise at least.
        """
        of_fits = {pair.verdict for pair in self.pairs if deciding_scores(pair.compared)}
        if "different" in of_fits:
            return "different"
        matched = not self.only_before and not self.only_now
        if matched and all(pair.verdict == "equal" for pair in self.pairs):
            return "equal"
        return "within noise" if of_fits else "different"


def verdict_of(compared: Sequence[ComparedValue]) -> Verdict:
    """Return the worst verdict of the deciding scores: those of the test split or, without any, of
    validation.

    Any other value that is not equal (a score of another split, a fact) makes a run within noise at best; a
    run without scores is then different.
    """
    judged = [each for each in compared if each.verdict]
    deciding = {each.verdict for each in deciding_scores(judged)}
    if "different" in deciding:
        return "different"
    if all(each.verdict == "equal" for each in judged):
        return "equal"
    return "within noise" if deciding else "different"


def deciding_scores(compared: Sequence[ComparedValue]) -> list[ComparedValue]:
    """Return the scores of the last split that has any: test, else validation, else train."""
    for split in reversed(SPLITS):
        found = [each for each in compared if each.kind == "score" and each.name.startswith(f"{split}_")]
        if found:
            return found
    return []
