"""Parameters of `train`, and how candidates are fitted."""

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from starcast.cli.parameters import ModelName, one_of
from starcast.evaluation.names import LOWER_IS_BETTER, PER_LABEL, RATING_SCORES, DecisionName
from starcast.models.catalogue import FAMILIES, family_named, is_named
from starcast.models.ensemble_family import ENSEMBLE
from starcast.models.family import (
    PATIENCE,
    FitOptions,
    ModelSpec,
    Precision,
    Sampling,
    Schedule,
    split_choices,
)
from starcast.models.references import registered
from starcast.models.space import Settings
from starcast.reviews.parameters import DataParameters

LONGEST = 15  # epochs of study A's final fits
TRIAL_EPOCHS = 3  # study A's
BATCH_SIZE = 256
FAMILY_NAMES = f"{', '.join(FAMILIES)}, or module:name for one of your own"


def _check_family(name: str) -> str:
    if not is_named(name):
        choices = (*FAMILIES, *registered(), "module:name for one of your own")
        raise PydanticCustomError("one_of", "should be one of the names", {"choices": choices})
    family_named(name)
    return name


def _check_kind(name: str) -> str:
    return name if name == ENSEMBLE.name else _check_family(name)


BatchSize = Annotated[int, Field(ge=1, le=65_536)]
FamilyName = Annotated[str, AfterValidator(_check_family)]
Measure = Annotated[str, one_of((name for name in RATING_SCORES if name not in LOWER_IS_BETTER), PER_LABEL)]


def json_object(text: str, example: str = '{"units_1": 32}') -> dict[str, Any]:
    """Return the object of a JSON text; raise a ValueError if it is not an object."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"should be JSON such as {example} ({error})") from None
    if not isinstance(value, dict):
        raise ValueError(f"should be a JSON object such as {example}")
    return value


def _check_json(text: str) -> str:
    json_object(text)
    return text


@dataclass(frozen=True)
class CandidatePlan:
    """What to fit, how to decide (tuned for which score), and the name to register it under (empty: none).

    `review_accuracy`: how often ratings are to be right that need no review.
    """

    spec: ModelSpec
    decision: DecisionName
    decision_metric: str
    register_as: str
    review_accuracy: float


class RegistryParameters(DataParameters):
    """The data, and the name of the model in the registry."""

    group: ClassVar = "Registry"
    # A field named `register` would clash with ABCMeta's method.
    register_model: bool = Field(True, alias="register")
    """register the model as challenger"""
    model: ModelName = "review-rating"
    """the model's name in the registry"""


class FitParameters(RegistryParameters):
    """The data's parameters, and how candidates are fitted."""

    group: ClassVar = "Fit"
    decision: DecisionName = "tuned"
    """how probabilities become a rating: argmax, tuned (argmax after weights fitted on the validation set),
    expected (rounded mean), prior_corrected (as argmax, because served probabilities are calibrated)"""
    decision_metric: Measure = "f1_macro"
    """score that decision=tuned maximises"""
    review_accuracy: float = Field(0.8, gt=0, lt=1)
    """accuracy that served ratings which need no review should have; the higher, the fewer there are"""
    schedule: Schedule = "linear"
    """learning rate of networks: linear (falls to zero over the epochs) or constant (study A)"""
    precision: Precision = "float32"
    """precision in which networks are trained: float32, or on GPUs mixed_bfloat16 (2020 and later) or
    mixed_float16 (older)"""
    epochs: int = Field(0, ge=0, le=1_000)
    """maximum epochs of the final fit; 0: as in a trial (linear schedule) or 15 with early stopping"""
    neighbours: int = Field(5, ge=1, le=100)
    """neighbours of a review in smote and adasyn; fewer where a rating is rare"""

    def fit_options(self, *, sampling: str, epochs: int, batch_size: int) -> FitOptions:
        """Return how models are fitted, with the options that each step names or searches in its own way."""
        shared = self.model_dump(include={"seed", "schedule", "neighbours", "precision"})
        return FitOptions(sampling=sampling, epochs=epochs, batch_size=batch_size, **shared)

    def plan(self, spec: ModelSpec) -> CandidatePlan:
        """Return the candidate to fit; a requested number of epochs overrides that of `spec`."""
        family, epochs = family_named(spec.family), self.epochs or spec.options.epochs
        # A falling rate depends on the number of epochs: only with a constant rate can a fit be longer.
        if not self.epochs and spec.options.schedule == "constant" and family.stops_early:
            epochs = LONGEST
        if not family.iterative:
            epochs = 1
        sampling = family.check_sampling(spec.options.sampling)
        options = replace(spec.options, sampling=sampling, epochs=epochs, seed=self.seed, patience=PATIENCE)
        name = self.model if self.register_model else ""
        decided = self.decision, self.decision_metric, name, self.review_accuracy
        return CandidatePlan(replace(spec, options=options), *decided)


def own_options(published: Settings, epochs: int, batch_size: int) -> Settings:
    """Return the options of a fit that are settings of its family, as far as the user has changed them."""
    changed = {"epochs": epochs, "batch_size": batch_size if batch_size != BATCH_SIZE else 0}
    return {name: value for name, value in changed.items() if name in published and value}


class TrainParameters(FitParameters):
    """One family with given settings, or the best of a search."""

    group: ClassVar = "Model"
    common: ClassVar = ("data", "family", "settings", "from_run", "resume")
    sampling: Literal["default", Sampling] = "default"
    """how to balance the ratings of the training set; default: as the family's study did"""
    batch_size: BatchSize = BATCH_SIZE
    """reviews per batch; study A used 32; with 256, the default, a transformer keeps its own setting"""
    family: Annotated[str, AfterValidator(_check_kind)] = Field(
        "logistic_regression", description=f"kind of model: {FAMILY_NAMES}, {ENSEMBLE.name}"
    )
    settings: Annotated[str, AfterValidator(_check_json)] = "{}"
    """settings as JSON, e.g. {"units_1": 32}; others are the study's, the studies' networks with learning
    rate 0.01 under the linear schedule"""
    from_run: str = ""
    """take family, settings and how to fit from this search, trial or candidate (run id)"""
    resume: str = ""
    """continue an interrupted fit after its last epoch: run id, or latest (this user's)"""
    force: bool = False
    """take over what `resume` names from a process that still runs; that process stops"""

    def spec(self) -> ModelSpec:
        """Return the requested model, if it is not taken from a run.

        Raises:
            UserError: the family does not support the sampling or the settings.
        """
        family = family_named(self.family)
        given, published = json.loads(self.settings), family.published_under(self.schedule)
        settings = family.check(
            {**published, **own_options(published, self.epochs, self.batch_size), **given}
        )
        family.check_ready({name: (value,) for name, value in settings.items()})
        sampling, epochs = family.check_sampling(self.sampling), self.epochs or TRIAL_EPOCHS
        options = self.fit_options(sampling=sampling, epochs=epochs, batch_size=self.batch_size)
        return ModelSpec(self.family, *split_choices(settings, options))

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if not self.from_run:
            self.spec()
        return self
