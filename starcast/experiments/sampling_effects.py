"""Scores of every family, sampling and decision over their fits, and their differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from starcast.evaluation import scores
from starcast.evaluation.intervals import auc_interval
from starcast.evaluation.names import DecisionName
from starcast.evaluation.paired import Difference, Draws, Estimate, PairedBootstrap, differences
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

    def matrix(self, ratings: np.ndarray) -> np.ndarray:
        """Return the confusion matrix of all fits together, counts, shape (5, 5)."""
        predicted = (fitting.predicted[self.decision] for fitting in self.fittings)
        return np.sum([scores.count_matrix(ratings, stars) for stars in predicted], axis=0)

    def mean(self, fact: str) -> float:
        """Return the mean over fits of `seconds`, `peak_memory_mb` or `rows` (trained on, after sampling)."""
        if fact == "rows":
            return float(np.mean([fitting.fitted.class_counts[1].sum() for fitting in self.fittings]))
        return float(np.mean([getattr(fitting.fitted, fact) for fitting in self.fittings]))


@dataclass(frozen=True)
class Effect:
    """The effect of a sampling on a family.

    Score minus that without sampling, under argmax and tuned decisions.
    """

    sampling: str
    argmax: Difference
    tuned: Difference

    @property
    def verdict(self) -> str:
        """Return the effect in words."""
        if self.helps:
            return "helps beyond the decision"
        moved = "only moved the threshold" if self.moved_threshold else ""
        harmed = "harms" if self.harms else ""
        return ", and ".join(filter(None, (moved, harmed))) or "no significant difference"

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


@dataclass(frozen=True)
class SamplingScores:
    """All systems of an experiment, in the order of the fits."""

    fittings: Sequence[ScoredFit]
    systems: Sequence[SampledSystem]
    ratings: np.ndarray
    metric: str
    seed: int

    @property
    def families(self) -> list[str]:
        """Return the families, in the order asked."""
        return list(dict.fromkeys(system.family for system in self.systems))

    @property
    def decisions(self) -> list[DecisionName]:
        """Return the decisions, the main one first."""
        return list(dict.fromkeys(system.decision for system in self.systems))

    def of(self, family: str, decision: DecisionName) -> list[SampledSystem]:
        """Return the systems of a family with a decision, one per sampling."""
        return [system for system in self.systems if (system.family, system.decision) == (family, decision)]

    def find(self, family: str, sampling: str, decision: str) -> SampledSystem | None:
        """Return one system, or None if it was not asked for."""
        wanted = family, sampling, decision
        return next((s for s in self.systems if (s.family, s.sampling, s.decision) == wanted), None)

    def best(self, family: str = "") -> SampledSystem:
        """Return the system with the highest score, of one family or of all."""
        among = [system for system in self.systems if family in ("", system.family)]
        return max(among, key=lambda system: system.draws.values[self.metric])

    def difference(self, system: SampledSystem, baseline: SampledSystem) -> Difference:
        """Return a system's score minus that of a baseline, paired."""
        return differences(baseline.draws, [system.draws], self.metric)[0]

    def effects(self, family: str) -> list[Effect]:
        """Return the effect of each sampling on a family; empty without `none`, `argmax` or `tuned`."""
        gaps = [self._above_nothing(family, decision) for decision in ("argmax", "tuned")]
        both = [sampling for sampling in gaps[0] if sampling in gaps[1]]
        return [Effect(sampling, gaps[0][sampling], gaps[1][sampling]) for sampling in both]

    def _above_nothing(self, family: str, decision: DecisionName) -> dict[str, Difference]:
        baseline = self.find(family, NOTHING, decision)
        if baseline is None:
            return {}
        others = [system for system in self.of(family, decision) if system.sampling != NOTHING]
        found = differences(baseline.draws, [system.draws for system in others], self.metric)
        return {system.sampling: difference for system, difference in zip(others, found, strict=True)}

    @cached_property
    def auc(self) -> dict[tuple[str, str], Estimate]:
        """Return the AUC by family and sampling; it does not depend on the decision."""
        probabilities = {
            kind: [fitting.fitted.probabilities["test"] for fitting in fits]
            for kind, fits in by_kind(self.fittings).items()
        }
        return {kind: auc_interval(self.ratings, of, self.seed) for kind, of in probabilities.items()}


def score_all(fittings: Sequence[ScoredFit], ground: ExperimentData, seed: int) -> SamplingScores:
    """Score every system on the same bootstrap resamples of the test reviews."""
    kinds = by_kind(fittings).items()
    wanted = [(kind, fits, decision) for kind, fits in kinds for decision in ground.decisions]
    predicted = [np.stack([fitting.predicted[decision] for fitting in fits]) for _, fits, decision in wanted]
    draws = PairedBootstrap(ground.test_ratings, seed).draws(predicted)
    systems = [
        SampledSystem(*kind, decision, fits, drawn)
        for (kind, fits, decision), drawn in zip(wanted, draws, strict=True)
    ]
    return SamplingScores(fittings, systems, ground.test_ratings, ground.metric, seed)


def score_rows(scored: SamplingScores) -> pl.DataFrame:
    """Return a row per fit and decision with all its test scores."""
    rows = []
    for fitting in scored.fittings:
        for decision, predicted in fitting.predicted.items():
            found = scores.score(scored.ratings, fitting.fitted.probabilities["test"], predicted)
            family, sampling = fitting.kind
            seed, trained_on = fitting.job.spec.options.seed, fitting.fitted.class_counts[1]
            asked = {"family": family, "sampling": sampling, "decision": decision, "seed": seed}
            cost = {"seconds": fitting.fitted.seconds, "peak_memory_mb": fitting.fitted.peak_memory_mb}
            counts = {f"rows_{rating}": int(count) for rating, count in enumerate(trained_on, start=1)}
            rows.append({**asked, "run_id": fitting.run_id, **found, **cost, **counts})
    return pl.DataFrame(rows)
