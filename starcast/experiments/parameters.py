"""Parameters of `sampling` and `learning-curve`, and those that the two share."""

import json
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from starcast.cli.errors import UserError
from starcast.cli.parameters import COMMA_LIST, distinct
from starcast.evaluation.names import DecisionName
from starcast.models.catalogue import family_named, is_named
from starcast.models.family import SAMPLINGS, FitOptions, ModelSpec, Sampling, Schedule, split_choices
from starcast.reviews.parameters import DataParameters
from starcast.workflow.fit_parameters import (
    BATCH_SIZE,
    FAMILY_NAMES,
    TRIAL_EPOCHS,
    BatchSize,
    Measure,
    json_object,
    own_options,
)
from starcast.workflow.search_parameters import Families


def _check_settings(text: str) -> str:
    settings = json_object(text)
    if not all(isinstance(value, dict) for value in settings.values()):
        raise ValueError('should be JSON by family, e.g. {"gru_1": {"units_1": 32}}')
    unknown = ", ".join(name for name in settings if not is_named(name))
    if unknown:
        raise ValueError(f"should be JSON by family; no such family: {unknown}")
    return text


DistinctFamilies = Annotated[Families, AfterValidator(distinct)]


class ExperimentParameters(DataParameters):
    """The parameters of the data, and how the families to compare are fitted."""

    group: ClassVar = "Fit"
    families: DistinctFamilies = Field(
        ("logistic_regression",), description=f"comma list of families: {FAMILY_NAMES}"
    )
    settings: Annotated[str, AfterValidator(_check_settings)] = "{}"
    """settings by family as JSON, e.g. {"gru_1": {"units_1": 32}}; others are the study's"""
    metric: Measure = "f1_macro"
    """score to compare, which decision tuned maximises"""
    repeats: int = Field(3, ge=1, le=100)
    """fits of each kind, with the seeds seed, seed + 1, ..."""
    schedule: Schedule = "linear"
    """learning rate of networks: linear (falls to zero over the epochs) or constant"""
    epochs: int = Field(0, ge=0, le=1_000)
    """epochs of a network, of which that of the lowest validation loss is kept; 0: 3, a transformer's own"""
    batch_size: BatchSize = BATCH_SIZE
    """reviews per batch of a network; with 256, the default, a transformer keeps its own setting"""
    neighbours: int = Field(5, ge=1, le=100)
    """neighbours of a review in smote and adasyn; fewer where a rating is rare"""

    @model_validator(mode="after")
    def _check_families(self) -> Self:
        if others := [name for name in json.loads(self.settings) if name not in self.families]:
            raise UserError(f"settings: {', '.join(others)} is not among the families, which are fitted")
        for family in self.families:
            if not (samplings := self.samplings_of(family)):
                raise UserError(f"variants: {family} takes none of these: leave it out, or add others")
            for sampling in samplings:
                self.spec(family, sampling, 0)
        return self

    def samplings_of(self, family: str) -> Sequence[str]:
        """Return the samplings under which a family is fitted."""
        raise NotImplementedError

    def spec(self, family: str, sampling: str, repeat: int) -> ModelSpec:
        """Return the model of a family that a repeat, numbered from 0, fits.

        Raises:
            UserError: the family does not support the sampling, or the settings are not in its space.
        """
        kind, given = family_named(family), json.loads(self.settings).get(family, {})
        options = FitOptions(
            sampling=kind.check_sampling(sampling),
            epochs=(self.epochs or TRIAL_EPOCHS) if kind.iterative else 1,
            batch_size=self.batch_size,
            seed=self.seed + repeat,
            schedule=self.schedule,
            neighbours=self.neighbours,
        )
        published = kind.published_under(self.schedule)
        settings = kind.check({**published, **own_options(published, self.epochs, self.batch_size), **given})
        kind.check_ready({name: (value,) for name, value in settings.items()})
        return ModelSpec(family, *split_choices(settings, options))


def _ascending(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(sizes)))


Sizes = Annotated[tuple[Annotated[int, Field(ge=1)], ...], COMMA_LIST, AfterValidator(_ascending)]


class LearningCurveParameters(ExperimentParameters):
    """Families over growing, nested samples of the training set, against the whole test set."""

    group: ClassVar = "Learning curve"
    common: ClassVar = ("data", "families", "sizes", "repeats")
    families: DistinctFamilies = Field(
        ("logistic_regression", "lstm_1"), description=f"comma list of families: {FAMILY_NAMES}"
    )
    sizes: Sizes = ()
    """comma list of numbers of training reviews; empty: 1/16, 1/8, 1/4, 1/2 and all of them"""
    sampling: Literal["default", Sampling] = "default"
    """how to balance the ratings of the training set; default: as the family's study did"""
    decision: DecisionName = "tuned"
    """how probabilities become a rating"""

    def samplings_of(self, family: str) -> Sequence[str]:
        """Return the one sampling, which every family must support."""
        return (self.sampling,)


Variants = Annotated[tuple[Sampling, ...], COMMA_LIST, Field(min_length=1), AfterValidator(distinct)]
Decisions = Annotated[tuple[DecisionName, ...], COMMA_LIST, Field(min_length=1), AfterValidator(distinct)]


class SamplingParameters(ExperimentParameters):
    """Families under every sampling and decision, repeated with seeds, on one split."""

    group: ClassVar = "Sampling"
    common: ClassVar = ("data", "families", "variants", "repeats")
    variants: Variants = SAMPLINGS
    """comma list of ways to balance the ratings; for networks also adasyn_token_ids"""
    decisions: Decisions = ("argmax", "tuned", "expected", "prior_corrected")
    """comma list of ways to make probabilities a rating; the first is reported in most detail"""

    def samplings_of(self, family: str) -> Sequence[str]:
        """Return the variants; where more is asked for than of one family, those that this one supports."""
        if len(self.families) == 1 and self.variants != SAMPLINGS:
            return self.variants
        return [variant for variant in self.variants if variant in family_named(family).samplings]
