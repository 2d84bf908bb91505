"""What the experiments `sampling` and `learning-curve` have in common: families, their settings, repeats, how to fit."""

import json
from typing import Annotated

from pydantic import AfterValidator, Field

from steps.data_parameters import DataParameters
from steps.models.catalogue import FAMILIES
from steps.models.family import Sampling, Schedule, Settings, Training
from steps.parameters import distinct
from steps.train import PATIENCE, TRIAL_EPOCHS, BatchSize, Measure
from steps.tune_parameters import Families


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
    metric: Measure = Field("f1_macro", description="the score that is compared, and that the decision tuned aims at")
    repeats: int = Field(3, ge=1, le=100, description="fits of each kind, with seeds counted up from seed")
    schedule: Schedule = Field("linear", description="learning rate of networks: linear (falls to zero), constant")
    epochs: int = Field(TRIAL_EPOCHS, ge=1, le=1_000, description="epochs of a network; the best by validation loss is kept")
    batch_size: BatchSize = Field(256, description="reviews per batch of a network")
    neighbours: int = Field(5, ge=1, le=100, description="of each review, for smote and adasyn")
    fewer_neighbours: bool = Field(False, description="take fewer where a rating has too few reviews, instead of refusing")

    def settings_of(self, family: str) -> Settings:
        """A family's settings.

        Raises:
            UserError: they are not in its space.
        """
        given = json.loads(self.settings).get(family, {})
        return FAMILIES[family].check({**FAMILIES[family].published_under(self.schedule), **given})

    def training(self, family: str, sampling: str, repeat: int) -> Training:
        """How a family is fitted for the repeat of that number, from 0.

        Raises:
            UserError: the family does not take the sampling.
        """
        chosen: Sampling = FAMILIES[family].check_sampling(sampling)
        epochs = self.epochs if FAMILIES[family].iterative else 1
        near = self.neighbours, self.fewer_neighbours
        return Training(chosen, epochs, self.batch_size, self.seed + repeat, PATIENCE, self.schedule, *near)

    def data_parameters(self) -> DataParameters:
        """The part that preprocessing wants."""
        return DataParameters(**self.model_dump(include=set(DataParameters.model_fields)))
