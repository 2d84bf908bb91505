"""How a candidate is fitted: what was asked for, a trial's recipe, and how many epochs follow from the two."""

from dataclasses import replace

import pytest

from starcast.models.catalogue import FAMILIES
from starcast.models.family import ModelSpec, Schedule
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.search_parameters import TuneParameters

RECIPE = ModelSpec("gru_1", {"units_1": 8}, "none", 64, "linear", 4)


@pytest.mark.parametrize(
    ("schedule", "asked", "epochs"),
    [("linear", 0, 4), ("constant", 0, 15), ("linear", 9, 9), ("constant", 9, 9)],
)
def test_a_falling_rate_keeps_the_trial_s_epochs_and_a_constant_one_may_train_longer(
    schedule: Schedule, asked: int, epochs: int
) -> None:
    plan = TuneParameters(epochs=asked).plan(replace(RECIPE, schedule=schedule))
    assert plan.training.epochs == epochs
    assert plan.training.schedule == schedule
    assert (plan.family, plan.settings, plan.training.batch_size) == ("gru_1", {"units_1": 8}, 64)


def test_default_sampling_is_that_of_the_family_s_study() -> None:
    samplings = [
        TrainParameters().plan(replace(RECIPE, family=f, sampling="default")).training.sampling
        for f in ("gru_1", "lstm_1")
    ]
    assert samplings == ["none", "class_weight"]


def test_without_a_run_to_take_it_from_the_recipe_is_what_was_asked_for() -> None:
    given = {"family": "gru_2", "settings": '{"units_1": 16}', "sampling": "class_weight", "batch_size": 32}
    asked = TrainParameters.model_validate(given)
    settings = {**FAMILIES["gru_2"].published, "units_1": 16}
    assert asked.recipe() == ModelSpec("gru_2", settings, "class_weight", 32, "linear", 3)
    assert (
        replace(asked.recipe(), epochs=7) == TrainParameters.model_validate({**given, "epochs": 7}).recipe()
    )


@pytest.mark.parametrize(("schedule", "rate"), [("linear", 0.01), ("constant", 0.001)])
def test_the_published_rate_holds_for_a_constant_one(schedule: Schedule, rate: float) -> None:
    for family in ("lstm_2", "lstm_1"):
        asked = {"family": family, "schedule": schedule}
        settings = TrainParameters.model_validate(asked).recipe().settings
        assert settings == {**FAMILIES[family].published, "learning_rate": rate}
        other = (
            TrainParameters.model_validate({**asked, "settings": '{"learning_rate": 0.0001}'})
            .recipe()
            .settings
        )
        assert other == {**settings, "learning_rate": 0.0001}
