"""Scores of every family, sampling and decision over their fits, and the differences that matter."""

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

NOTHING = "none"  # the sampling that others are held against


@dataclass(frozen=True)
class SampledSystem:
    """A family under a sampling with a decision: all its fits, and their scores on the test split."""

    family: str
    sampling: str
    decision: DecisionName
    fittings: Sequence[ScoredFit]
    draws: Draws

    def matrix(self, ratings: np.ndarray) -> np.ndarray:
        """Confusion matrix of all fits together, counts, shape (5, 5)."""
        return np.sum(
            [scores.count_matrix(ratings, fitting.predicted[self.decision]) for fitting in self.fittings],
            axis=0,
        )

    def mean(self, fact: str) -> float:
        """Mean over the fits of `seconds`, `peak_memory_mb` or `rows` (learned from, after sampling)."""
        if fact == "rows":
            return float(np.mean([fitting.fitted.class_counts[1].sum() for fitting in self.fittings]))
        return float(np.mean([getattr(fitting.fitted, fact) for fitting in self.fittings]))


@dataclass(frozen=True)
class Effect:
    """What a sampling did to a family: its score less that of no sampling, under argmax and under tuned decisions."""

    sampling: str
    argmax: Difference
    tuned: Difference

    @property
    def verdict(self) -> str:
        """In words."""
        if self.helps:
            return "helps beyond the decision"
        moved = "only moved the threshold" if self.moved_threshold else ""
        harmed = "harms" if self.harms else ""
        return ", and ".join(filter(None, (moved, harmed))) or "no difference beyond chance"

    @property
    def helps(self) -> bool:
        """Whether it is better than no sampling once decisions are tuned."""
        return self.tuned.significant and self.tuned.estimate.value > 0

    @property
    def harms(self) -> bool:
        """Whether it is worse than no sampling once decisions are tuned."""
        return self.tuned.significant and self.tuned.estimate.value < 0

    @property
    def moved_threshold(self) -> bool:
        """Whether it is better under argmax, and no longer once decisions are tuned."""
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
        """Names of the families, in the order asked."""
        return list(dict.fromkeys(system.family for system in self.systems))

    @property
    def decisions(self) -> list[DecisionName]:
        """Names of the decisions, the main one first."""
        return list(dict.fromkeys(system.decision for system in self.systems))

    def of(self, family: str, decision: DecisionName) -> list[SampledSystem]:
        """The systems of a family with a decision, one per sampling."""
        return [system for system in self.systems if (system.family, system.decision) == (family, decision)]

    def find(self, family: str, sampling: str, decision: str) -> SampledSystem | None:
        """One system, if it was asked for."""
        wanted = family, sampling, decision
        return next((s for s in self.systems if (s.family, s.sampling, s.decision) == wanted), None)

    def best(self, family: str = "") -> SampledSystem:
        """The system with the highest score, of one family or of all."""
        among = [system for system in self.systems if family in ("", system.family)]
        return max(among, key=lambda system: system.draws.values[self.metric])

    def difference(self, system: SampledSystem, baseline: SampledSystem) -> Difference:
        """How much higher one system scores than another."""
        return differences(baseline.draws, [system.draws], self.metric)[0]

    def effects(self, family: str) -> list[Effect]:
        """What each sampling did to a family; nothing where `none`, `argmax` or `tuned` was not asked for."""
        gaps = [self._above_nothing(family, decision) for decision in ("argmax", "tuned")]
        return [
            Effect(sampling, gap, gaps[1][sampling])
            for sampling, gap in gaps[0].items()
            if sampling in gaps[1]
        ]

    def _above_nothing(self, family: str, decision: DecisionName) -> dict[str, Difference]:
        baseline = self.find(family, NOTHING, decision)
        if baseline is None:
            return {}
        others = [system for system in self.of(family, decision) if system.sampling != NOTHING]
        found = differences(baseline.draws, [system.draws for system in others], self.metric)
        return {system.sampling: difference for system, difference in zip(others, found, strict=True)}

    @cached_property
    def auc(self) -> dict[tuple[str, str], Estimate]:
        """AUC by family and sampling: no decision changes it."""
        return {
            kind: auc_interval(
                self.ratings, [fitting.fitted.probabilities["test"] for fitting in fits], self.seed
            )
            for kind, fits in by_kind(self.fittings).items()
        }


def score_all(fittings: Sequence[ScoredFit], ground: ExperimentData, seed: int) -> SamplingScores:
    """Score every system on the same resampled test reviews."""
    wanted = [
        (kind, fits, decision) for kind, fits in by_kind(fittings).items() for decision in ground.decisions
    ]
    predicted = [np.stack([fitting.predicted[decision] for fitting in fits]) for _, fits, decision in wanted]
    draws = PairedBootstrap(ground.test_ratings, seed).draws(predicted)
    systems = [
        SampledSystem(*kind, decision, fits, drawn)
        for (kind, fits, decision), drawn in zip(wanted, draws, strict=True)
    ]
    return SamplingScores(fittings, systems, ground.test_ratings, ground.metric, seed)


def score_rows(scored: SamplingScores) -> pl.DataFrame:
    """A row per fit and decision with all its scores on the test split."""
    rows = []
    for fitting in scored.fittings:
        for decision, predicted in fitting.predicted.items():
            found = scores.score(scored.ratings, fitting.fitted.probabilities["test"], predicted)
            family, sampling = fitting.kind
            asked = {
                "family": family,
                "sampling": sampling,
                "decision": decision,
                "seed": fitting.job.spec.options.seed,
            }
            cost = {"seconds": fitting.fitted.seconds, "peak_memory_mb": fitting.fitted.peak_memory_mb}
            counts = {
                f"rows_{rating}": int(count)
                for rating, count in enumerate(fitting.fitted.class_counts[1], start=1)
            }
            rows.append({**asked, "run_id": fitting.run_id, **found, **cost, **counts})
    return pl.DataFrame(rows)
