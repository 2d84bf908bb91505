"""What the experiments `sampling` and `learning-curve` have in common: families, their settings, repeats, how to fit."""

import json
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from starcast.cli.parameters import distinct, split_names
from starcast.evaluation.decision import DECISIONS, DecisionName
from starcast.models.catalogue import FAMILIES
from starcast.models.family import SAMPLINGS, FitOptions, Sampling, Schedule, Settings
from starcast.reviews.parameters import DataParameters
from starcast.workflow.fit_parameters import PATIENCE, TRIAL_EPOCHS, BatchSize, Measure
from starcast.workflow.search_parameters import Families


def _check_settings(text: str) -> str:
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"should be JSON ({error})") from None
    if not isinstance(settings, dict) or not all(isinstance(value, dict) for value in settings.values()):
        raise ValueError('should be a JSON object of families, e.g. {"gru_1": {"units_1": 32}}')
    unknown = ", ".join(name for name in settings if name not in FAMILIES)
    if unknown:
        raise ValueError(f"should have the names of families, of which {unknown} is none")
    return text


class ExperimentParameters(DataParameters):
    """The data's parameters, and how families are fitted to be compared."""

    families: Annotated[Families, AfterValidator(distinct)] = Field(
        ("logistic_regression",), description=f"comma list of {', '.join(FAMILIES)}"
    )
    settings: Annotated[str, AfterValidator(_check_settings)] = Field(
        "{}", description='JSON by family, e.g. {"gru_1": {"units_1": 32}}; left out is the study\'s best'
    )
    metric: Measure = Field(
        "f1_macro", description="the score that is compared, and that the decision tuned aims at"
    )
    repeats: int = Field(3, ge=1, le=100, description="fits of each kind, with seeds counted up from seed")
    schedule: Schedule = Field(
        "linear", description="learning rate of networks: linear (falls to zero), constant"
    )
    epochs: int = Field(
        TRIAL_EPOCHS, ge=1, le=1_000, description="epochs of a network; the best by validation loss is kept"
    )
    batch_size: BatchSize = Field(256, description="reviews per batch of a network")
    neighbours: int = Field(5, ge=1, le=100, description="of each review, for smote and adasyn")
    fewer_neighbours: bool = Field(
        False, description="take fewer where a rating has too few reviews, instead of refusing"
    )

    def settings_of(self, family: str) -> Settings:
        """A family's settings.

        Raises:
            UserError: they are not in its space.
        """
        given = json.loads(self.settings).get(family, {})
        return FAMILIES[family].check({**FAMILIES[family].published_under(self.schedule), **given})

    def training(self, family: str, sampling: str, repeat: int) -> FitOptions:
        """How a family is fitted for the repeat of that number, from 0.

        Raises:
            UserError: the family does not take the sampling.
        """
        chosen: Sampling = FAMILIES[family].check_sampling(sampling)
        epochs = self.epochs if FAMILIES[family].iterative else 1
        near = self.neighbours, self.fewer_neighbours
        return FitOptions(chosen, epochs, self.batch_size, self.seed + repeat, PATIENCE, self.schedule, *near)

    def data_parameters(self) -> DataParameters:
        """The part that preprocessing wants."""
        return DataParameters(**self.model_dump(include=set(DataParameters.model_fields)))


def _ascending(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(sizes)))


Sizes = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(split_names), AfterValidator(_ascending)
]


class LearningCurveParameters(ExperimentParameters):
    """Families over growing, nested samples of the training split, against the whole test split."""

    families: Annotated[Families, AfterValidator(distinct)] = Field(
        ("logistic_regression", "lstm_1"), description=f"comma list of {', '.join(FAMILIES)}"
    )
    sizes: Sizes = Field(
        (),
        description="comma list of reviews to learn from; empty: a 16th of the training split, doubled to all",
    )
    sampling: Literal["default", Sampling] = Field(
        "default", description=f"default (the family's study's), {', '.join(get_args(Sampling))}"
    )
    decision: DecisionName = Field(
        "tuned", description=f"how probabilities become a star: {', '.join(DECISIONS)}"
    )


Variants = Annotated[
    tuple[Sampling, ...], BeforeValidator(split_names), Field(min_length=1), AfterValidator(distinct)
]
Decisions = Annotated[
    tuple[DecisionName, ...], BeforeValidator(split_names), Field(min_length=1), AfterValidator(distinct)
]


class SamplingParameters(ExperimentParameters):
    """Families under every sampling and decision, repeated with seeds, on one split."""

    variants: Variants = Field(SAMPLINGS, description=f"comma list of {', '.join(get_args(Sampling))}")
    decisions: Decisions = Field(
        ("argmax", "tuned", "expected", "prior_corrected"),
        description=f"comma list of {', '.join(DECISIONS)}; the first is shown in most detail",
    )
