"""Fit models on a set's training split as `train` would, and answer its validation split by cross-fitting."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.stored import StepStore, artifact
from starcast.evaluation.answer_rule import FittedRule, fit_rule
from starcast.evaluation.decision import RatingShares
from starcast.evaluation.names import DecisionName
from starcast.evaluation.paired import Draws, PairedBootstrap
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.ensemble import blend_fits, shares_of
from starcast.models.family import Fit, ModelSpec
from starcast.models.fit_report import NoCurve
from starcast.workflow.fit_parameters import TrainParameters

TUNED: tuple[DecisionName, str] = ("tuned", "f1_macro")  # the default decision of candidates


@dataclass(frozen=True)
class Fitted:
    """A model fitted with one seed, the shares of ratings that it saw, and the processor seconds it took."""

    spec: ModelSpec
    fit: Fit
    shares: RatingShares
    seconds: float

    def with_seed(self, seed: int) -> "Fitted":
        """Return the same fit with another seed, which draws other folds."""
        return replace(self, spec=replace(self.spec, options=replace(self.spec.options, seed=seed)))

    def rule(self, ratings: np.ndarray, accuracy: float = 0.8) -> FittedRule:
        """Return calibration, decision and threshold, and answers by those of the other folds."""
        validation = ratings, self.fit.validation_probabilities
        return fit_rule(validation, self.shares, TUNED, accuracy, self.spec.options.seed)


def corpus_of(store: StepStore, data: str, split: str, title: str = "") -> Corpus:
    """Return the training and validation split that `preprocess` writes, their words as numbers."""
    asked = {"data": data, "split": split, **({"title_column": title} if title else {})}
    prepared = store.step(f"splits {title}".strip(), "preprocess", asked)
    folder = artifact(prepared, "splits")
    corpus = Corpus.stored(Path(folder, "train.parquet"), Path(folder, "validation.parquet"))
    assert len(corpus.encoding.train)  # made here, so that no fit's seconds have it
    return corpus


def fitted(corpus: Corpus, seed: int, family: str, settings: str = "{}", sampling: str = "default") -> Fitted:
    """Fit one model with the options of `train`."""
    values = {"family": family, "settings": settings, "sampling": sampling, "seed": seed}
    asked = TrainParameters.model_validate(values)
    spec, began = asked.plan(asked.spec()).spec, time.process_time()
    fit = family_named(family).fit(corpus, spec, NoCurve())
    return Fitted(spec, fit, shares_of(corpus, spec, fit), time.process_time() - began)


def blended(corpus: Corpus, members: Sequence[Fitted]) -> Fitted:
    """Blend fitted models; their seconds add up."""
    fit = blend_fits(corpus, [each.spec for each in members], [each.fit for each in members])
    true = members[0].shares.true  # a blend is of calibrated probabilities
    return Fitted(members[0].spec, fit, RatingShares(true, true), sum(each.seconds for each in members))


def draws_of(ratings: np.ndarray, systems: Sequence[Sequence[Fitted]]) -> list[Draws]:
    """Return every system's scores on the same resamples of reviews, and of its fits."""
    answers = [[each.rule(ratings).held_out for each in system] for system in systems]
    return PairedBootstrap(ratings, seed=0).draws(
        [np.stack([each.predicted for each in system]) for system in answers],
        [np.stack([each.probabilities for each in system]) for system in answers],
    )
