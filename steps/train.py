"""Settings -> one model, fitted with early stop, evaluated on the test split, logged and registered as challenger.

mlflow run . -e train -P family=lstm_2 -P settings='{"units_1": 32}'
mlflow run . -e train -P from_run=<run id of a search or of a trial>
"""

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from steps import candidate, preprocess
from steps.errors import UserError
from steps.models.catalogue import FAMILIES, check_name
from steps.models.family import Sampling, Settings, Training
from steps.parameters import command
from steps.preprocess import DataParameters
from steps.tracking import history, runs, server

PATIENCE = 5  # study A's


class FitParameters(DataParameters):
    """The data's parameters, and how models are fitted."""

    sampling: Literal["default"] | Sampling = Field("default", description="default (as the family's study), none, class_weight")
    epochs: int = Field(15, ge=1, le=1_000, description="most epochs of the final fit; it stops early")
    batch_size: int = Field(128, ge=1, le=65_536, description="reviews per batch; study A used 32")
    # A field named `register` would be taken for ABCMeta's method.
    register_model: bool = Field(True, alias="register", description="register the model as challenger")
    model: str = Field("review-rating", min_length=1, pattern=r"^[^/:@]+$", description="name in the registry")

    def training(self, family: str, epochs: int, patience: int) -> Training:
        """How to fit a family under these parameters."""
        sampling = FAMILIES[family].sampling if self.sampling == "default" else self.sampling
        return Training(sampling, epochs, self.batch_size, self.seed, patience)

    def register_as(self) -> str:
        """The name to register under; empty where nothing is registered."""
        return self.model if self.register_model else ""

    def data_parameters(self) -> DataParameters:
        """The part that preprocessing wants."""
        return DataParameters(**self.model_dump(include=set(DataParameters.model_fields)))


class TrainParameters(FitParameters):
    """One family with given settings, or the best of a search."""

    family: Annotated[str, AfterValidator(check_name)] = Field("logistic_regression", description=", ".join(FAMILIES))
    settings: str = Field("{}", description="JSON; what is left out is the study's best")
    from_run: str = Field("", description="take family and settings from this search or trial")


def run(parameters: TrainParameters) -> candidate.Candidate:
    """Fit, evaluate, log and register one candidate; the step's run is the candidate."""
    given = _read_settings(parameters.settings)
    with runs.step_run("train", parameters.as_text(), f"train {parameters.family}") as run_id:
        family, settings = parameters.family, given
        if parameters.from_run:
            family, settings = history.best_settings(parameters.from_run)
        settings = FAMILIES[family].check(settings)
        prepared = preprocess.run(parameters.data_parameters())
        training = parameters.training(family, parameters.epochs, PATIENCE)
        plan = candidate.Plan(family, settings, training, parameters.register_as())
        fitted = candidate.fit_candidate(run_id, prepared, plan)
    for line in (*fitted.lines(), *server.where_to_look(run_id)):
        print(f"train: {line}", flush=True)
    return fitted


def _read_settings(text: str) -> dict[str, Any]:
    try:
        settings: Settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f'parameter settings: not JSON ({error}); write e.g. {{"units_1": 32}}') from None
    if not isinstance(settings, dict):
        raise UserError(f"parameter settings: a JSON object is expected, not {text!r}")
    return settings


if __name__ == "__main__":
    command("train", TrainParameters, run)
