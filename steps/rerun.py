"""A run made again from what it logged: its step with its parameters, or one fit of a search; nothing is registered."""

from collections.abc import Callable
from typing import Any

from steps import learning_curve, main, sampling, study_a, train, trial_again, tune
from steps.data_parameters import DataParameters
from steps.errors import UserError
from steps.learning_curve import LearningCurveParameters
from steps.main import MainParameters
from steps.parameters import Parameters, stored
from steps.preprocess import Prepared
from steps.sampling import SamplingParameters
from steps.study_a import StudyAParameters
from steps.tracking import history
from steps.tracking.origin import Origin
from steps.tracking.trial_log import BUDGET
from steps.train import FitParameters, TrainParameters
from steps.tune_parameters import TuneParameters

STEPS: dict[str, tuple[type[Parameters], Callable[[Any], object]]] = {
    "tune": (TuneParameters, tune.run),
    "train": (TrainParameters, train.run),
    "sampling": (SamplingParameters, sampling.run),
    "learning-curve": (LearningCurveParameters, learning_curve.run),
    "study-a": (StudyAParameters, study_a.run),
    "main": (MainParameters, main.run),
}


def parameters_of(origin: Origin) -> Parameters:
    """The parameters of the step that the run was, or of the search it was part of; without registering.

    Raises:
        UserError: this version of the code does not take them.
    """
    model = _model(origin.kind)
    try:
        return stored(model, {**origin.parameters, "register": "false"})
    except UserError as why:
        at = f"; go to its commit, git checkout {origin.code.commit}" if origin.code.commit else ""
        raise UserError(f"run {origin.run_id} was made by another version of starcast, this one says {why}{at}") from None


def missing_parameters(origin: Origin) -> list[str]:
    """Parameters of the step that the run had not, and that are now at their defaults; and those that there are no more."""
    return sorted({*_model(origin.kind)().as_text()} ^ {*origin.parameters})


def _model(kind: str) -> type[Parameters]:
    if kind == "preprocess":
        return DataParameters
    return STEPS["tune" if kind in ("candidate", "trial") else kind][0]


def data_parameters(parameters: Parameters) -> DataParameters:
    """The part that preprocessing wants."""
    if isinstance(parameters, StudyAParameters):
        return parameters.search(parameters.families[0]).data_parameters()
    names = set(DataParameters.model_fields)
    return DataParameters(**parameters.model_dump(include=names))


def run_again(origin: Origin, parameters: Parameters, prepared: Prepared, run_id: str) -> None:
    """Run it below `run_id`, the active run, with these splits.

    Raises:
        UserError: what the step says to its parameters, or a trial that failed.
    """
    if origin.kind == "preprocess":
        return  # `prepared` is it
    if origin.kind in STEPS:
        STEPS[origin.kind][1](parameters)
        return
    assert isinstance(parameters, TuneParameters), "candidates and trials stand below searches"
    if origin.kind == "candidate":
        train.run(_candidate(origin, parameters))
        return
    tags = origin.tags
    budget = int(tags[BUDGET]) if BUDGET in tags else None
    pruned_after = origin.epochs_run if tags["outcome"] == "pruned" and budget is None else None
    again = trial_again.Again(int(tags["trial_number"]), history.recipe_of(origin.run_id), pruned_after, budget)
    trial_again.train_again(again, parameters, prepared, run_id)


def _candidate(origin: Origin, search: TuneParameters) -> TrainParameters:
    """A fit of the candidate's recipe, with the data, the decision and the seed of its search."""
    epochs = history.recipe_of(origin.run_id).epochs
    shared = search.model_dump(by_alias=True, include={*FitParameters.model_fields} - {"epochs"})
    return TrainParameters.model_validate({**shared, "epochs": epochs, "from_run": origin.run_id})
