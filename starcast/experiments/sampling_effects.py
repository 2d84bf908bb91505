"""Scores of every combination of family, sampling and decision over its fits, and their differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from starcast.evaluation import scores
from starcast.evaluation.intervals import auc_interval
from starcast.evaluation.names import DecisionName
from starcast.evaluation.paired import Difference, Draws, PairedBootstrap, differences
from starcast.evaluation.resampling import Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.experiments.fits import ExperimentData, ScoredFit, by_kind

NOTHING = "none"  # the sampling that others are compared with


@dataclass(frozen=True)
class SampledSystem:
    """A family under a sampling with a decision: all its fits and their test scores."""

    family: str
    sampling: str
    decision: DecisionName
    fittings: Sequence[ScoredFit]
    draws: Draws
    scale: Scale = STARS

    def matrix(self, ratings: np.ndarray) -> np.ndarray:
        """Return the confusion matrix of all fits together, counts, shape (labels, labels)."""
        predicted, labels = (fitting.predicted[self.decision] for fitting in self.fittings), len(self.scale)
        return np.sum([scores.count_matrix(ratings, each, labels) for each in predicted], axis=0)

    def mean(self, fact: str) -> float:
        """Return the mean over fits of `seconds`, `peak_memory_mb` or `rows` (trained on, after sampling)."""
        if fact == "rows":
            return float(np.mean([fitting.fitted.class_counts[1].sum() for fitting in self.fittings]))
        return float(np.mean([getattr(fitting.fitted, fact) for fitting in self.fittings]))


@dataclass(frozen=True)
class Effect:
    """A sampling's effect on a family: score minus that of no sampling, under argmax and tuned decisions."""

    sampling: str
    argmax: Difference
    tuned: Difference

    @property
    def helps(self) -> bool:
        """Return whether it is significantly better than no sampling under tuned decisions."""
        return self.tuned.significant and self.tuned.estimate.value > 0

    @property
    def harms(self) -> bool:
        """Return whether it is significantly worse than no sampling under tuned decisions."""
        return self.tuned.significant and self.tuned.estimate.value < 0

    @property
    def moved_threshold(self) -> bool:
        """Return whether it is significantly better under argmax, but not under tuned decisions."""
        return self.argmax.significant and self.argmax.estimate.value > 0 and not self.helps

    @property
    def verdict(self) -> str:
        """Return the effect in words."""
        if self.helps:
            return "helps beyond the decision"
        moved = "only moved the threshold" if self.moved_threshold else ""
        harmed = "harms" if self.harms else ""
        return ", and ".join(filter(None, (moved, harmed))) or "no significant difference"


@dataclass(frozen=True)
class SamplingScores:
    """All systems of an experiment, in the order of the fits."""

    fittings: Sequence[ScoredFit]
    systems: Sequence[SampledSystem]
    ratings: np.ndarray
    metric: str
    seed: int
    scale: Scale = STARS

    @property
    def families(self) -> list[str]:
        """Return the families, in the order asked."""
        return list(dict.fromkeys(system.family for system in self.systems))

    @property
    def decisions(self) -> list[DecisionName]:
        """Return the decisions, the main one first."""
        return list(dict.fromkeys(system.decision for system in self.systems))

    def of(self, decision: str, family: str = "") -> list[SampledSystem]:
        """Return the systems with a decision, one per sampling of one family or of all."""
        return [s for s in self.systems if s.decision == decision and family in ("", s.family)]

    def find(self, family: str, sampling: str, decision: str) -> SampledSystem | None:
        """Return one system, or None if it was not requested."""
        return next((s for s in self.of(decision, family) if s.sampling == sampling), None)

    def score(self, system: SampledSystem) -> Estimate:
        """Return a system's score with its interval."""
        return system.draws.estimate(self.metric)

    def best(self, family: str = "") -> SampledSystem:
        """Return the system with the highest score, of one family or of all."""
        among = [system for system in self.systems if family in ("", system.family)]
        return max(among, key=lambda system: system.draws.values[self.metric])

    def difference(self, system: SampledSystem, baseline: SampledSystem) -> Difference:
        """Return a system's score minus that of a baseline of its family, paired.

        Its p is adjusted for the comparisons of all systems of the family with the baseline, as the best of
        many may lead by chance.
        """
        others = [each for each in self.systems if each.family == baseline.family and each is not baseline]
        gaps = differences(baseline.draws, [each.draws for each in others], self.metric)
        return next(gap for each, gap in zip(others, gaps, strict=True) if each is system)

    def effects(self, family: str) -> list[Effect]:
        """Return the effect of each sampling on a family; empty without `none`, `argmax` or `tuned`."""
        found = []
        for decision in ("argmax", "tuned"):
            baseline = self.find(family, NOTHING, decision)
            if baseline is None:
                return []
            others = [system for system in self.of(decision, family) if system.sampling != NOTHING]
            found.append(differences(baseline.draws, [system.draws for system in others], self.metric))
        return [Effect(other.sampling, *gaps) for other, *gaps in zip(others, *found, strict=True)]

    @cached_property
    def auc(self) -> dict[tuple[str, str], Estimate]:
        """Return the AUC by family and sampling; it does not depend on the decision."""
        found = {}
        for kind, fits in by_kind(self.fittings).items():
            probabilities = [fitting.fitted.probabilities["test"] for fitting in fits]
            found[kind] = auc_interval(self.ratings, probabilities, self.seed)
        return found


def score_all(fittings: Sequence[ScoredFit], data: ExperimentData, seed: int) -> SamplingScores:
    """Score every system on the same bootstrap resamples of the test reviews."""
    kinds = by_kind(fittings).items()
    wanted = [(*kind, decision, fits) for kind, fits in kinds for decision in data.decisions]
    predicted = [np.stack([fit.predicted[decision] for fit in fits]) for *_, decision, fits in wanted]
    scale = data.scale
    draws = PairedBootstrap(data.test_ratings, seed, scale=scale).draws(predicted)
    systems = [SampledSystem(*system, drawn, scale) for system, drawn in zip(wanted, draws, strict=True)]
    return SamplingScores(fittings, systems, data.test_ratings, data.metric, seed, scale)


def score_rows(scored: SamplingScores) -> pl.DataFrame:
    """Return a row per fit and decision with all its test scores."""
    rows = []
    for fitting in scored.fittings:
        (family, sampling), fitted = fitting.kind, fitting.fitted
        for decision, predicted in fitting.predicted.items():
            which = {"family": family, "sampling": sampling, "decision": decision}
            ids = {"seed": fitting.job.spec.options.seed, "run_id": fitting.run_id}
            found = scores.score(scored.ratings, fitted.probabilities["test"], predicted, scored.scale)
            cost = {"seconds": fitted.seconds, "peak_memory_mb": fitted.peak_memory_mb}
            rows_used = zip(scored.scale.keys, fitted.class_counts[1], strict=True)
            counts = {f"rows_{rating}": int(count) for rating, count in rows_used}
            rows.append({**which, **ids, **found, **cost, **counts})
    return pl.DataFrame(rows)
