"""Parameters of `train`, and how candidates are fitted."""

import json
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from starcast.cli.errors import UserError
from starcast.evaluation import scores
from starcast.evaluation.decision import DecisionName
from starcast.models.catalogue import FAMILIES, check_name
from starcast.models.family import FitOptions, ModelSpec, Precision, Sampling, Schedule, Settings
from starcast.reviews.parameters import DataParameters
from starcast.workflow.candidate import CandidatePlan

PATIENCE, LONGEST = 5, 15  # epochs, of study A's final fits
TRIAL_EPOCHS = 3  # study A's


def check_measure(name: str) -> str:
    """Return the name of a measure that a decision can be tuned for.

    Raises:
        ValueError: it does not follow from the confusion matrix, or lower is better.
    """
    names = [score for score in scores.SCORES if score not in (*scores.LOWER_IS_BETTER, "auc")]
    if name not in names:
        raise ValueError(f"should be one of {', '.join(names)}")
    return name


BatchSize = Annotated[int, Field(ge=1, le=65_536)]
Measure = Annotated[str, AfterValidator(check_measure)]


class FitParameters(DataParameters):
    """The data's parameters, and how candidates are fitted."""

    decision: DecisionName = Field(
        "tuned",
        description="how probabilities become a star: tuned (weights fitted on validation), argmax, expected (rounded mean), "
        "prior_corrected (argmax without what sampling did to the probabilities)",
    )
    decision_metric: Measure = Field("f1_macro", description="what tuned aims at")
    schedule: Schedule = Field(
        "linear",
        description="learning rate of networks: linear (falls to zero over a fit's epochs), constant (study A's)",
    )
    precision: Precision = Field(
        "float32",
        description="in which networks compute while they learn: float32; on GPUs with 16-bit units mixed_bfloat16 (2020 and "
        "later), mixed_float16 (before)",
    )
    epochs: int = Field(
        0,
        ge=0,
        le=1_000,
        description="most epochs of the final fit; 0 is a trial's if linear, else 15 with early stop",
    )
    neighbours: int = Field(5, ge=1, le=100, description="of each review, for smote and adasyn")
    fewer_neighbours: bool = Field(
        False, description="take fewer where a rating has too few reviews, instead of refusing"
    )
    # A field named `register` would be taken for ABCMeta's method.
    register_model: bool = Field(True, alias="register", description="register the model as challenger")
    model: str = Field(
        "review-rating", min_length=1, pattern=r"^[^/:@]+$", description="name in the registry"
    )

    def plan(self, recipe: ModelSpec) -> CandidatePlan:
        """The candidate to fit; a number of epochs that was asked for goes before the recipe's."""
        sampling = FAMILIES[recipe.family].check_sampling(recipe.sampling)
        # A rate that falls over more epochs than a trial's is another rate: only a constant one may just train longer.
        epochs = self.epochs or (recipe.epochs if recipe.schedule == "linear" else LONGEST)
        training = FitOptions(
            sampling,
            epochs,
            recipe.batch_size,
            self.seed,
            PATIENCE,
            recipe.schedule,
            recipe.neighbours,
            recipe.fewer_neighbours,
            recipe.precision,
        )
        name = self.model if self.register_model else ""
        return CandidatePlan(
            recipe.family, recipe.settings, training, self.decision, self.decision_metric, name
        )

    def data_parameters(self) -> DataParameters:
        """The part that preprocessing wants."""
        return DataParameters(**self.model_dump(include=set(DataParameters.model_fields)))


class TrainParameters(FitParameters):
    """One family with given settings, or the best of a search."""

    sampling: Literal["default", Sampling] = Field(
        "default", description=f"default (the family's study's), {', '.join(get_args(Sampling))}"
    )
    batch_size: BatchSize = Field(256, description="reviews per batch; study A used 32")
    family: Annotated[str, AfterValidator(check_name)] = Field(
        "logistic_regression", description=", ".join(FAMILIES)
    )
    settings: str = Field(
        "{}", description="JSON; left out is the study's best, learning_rate 0.01 if linear"
    )
    from_run: str = Field("", description="take all of these from this search, trial or candidate")
    resume: str = Field("", description="go on with this fit after its last epoch: its run id, or latest")

    def recipe(self) -> ModelSpec:
        """What was asked for, without a run to take it from."""
        settings = {**FAMILIES[self.family].published_under(self.schedule), **read_settings(self.settings)}
        epochs = self.epochs or TRIAL_EPOCHS
        near = self.neighbours, self.fewer_neighbours
        return ModelSpec(
            self.family,
            settings,
            self.sampling,
            self.batch_size,
            self.schedule,
            epochs,
            *near,
            self.precision,
        )


def read_settings(text: str) -> dict[str, Any]:
    try:
        settings: Settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f'parameter settings: not JSON ({error}); write e.g. {{"units_1": 32}}') from None
    if not isinstance(settings, dict):
        raise UserError(f"parameter settings: a JSON object is expected, not {text!r}")
    return settings
