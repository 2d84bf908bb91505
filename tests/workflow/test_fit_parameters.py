"""How a candidate is fitted: what was asked for, how a trial was fitted, and the epochs that follow."""

from dataclasses import replace
from pathlib import Path

import pytest

from starcast.models.catalogue import family_named
from starcast.models.family import FitOptions, ModelSpec, Schedule
from starcast.models.transformer_family import TransformerFamily
from starcast.search.trial_worker import TrialOptions
from starcast.search.trials import Proposal
from starcast.workflow.finals import final_spec
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.search_parameters import TuneParameters

OPTIONS = FitOptions(sampling="none", epochs=4, batch_size=64, seed=1, schedule="linear")
SPEC = ModelSpec("gru_1", {"units_1": 8}, OPTIONS)


@pytest.mark.parametrize(
    ("schedule", "asked", "epochs"),
    [("linear", 0, 4), ("constant", 0, 15), ("linear", 9, 9), ("constant", 9, 9)],
)
def test_a_falling_rate_keeps_the_trial_s_epochs_and_a_constant_one_may_train_longer(
    schedule: Schedule, asked: int, epochs: int
) -> None:
    plan = TuneParameters(epochs=asked).plan(replace(SPEC, options=replace(OPTIONS, schedule=schedule)))
    options = replace(OPTIONS, epochs=epochs, schedule=schedule, seed=42, patience=5)
    assert plan.spec == replace(SPEC, options=options)


@pytest.mark.parametrize(
    ("family", "schedule", "epochs"),
    [("ordinal", "linear", 1), ("ordinal", "constant", 1), ("transformer", "constant", 4)],
)
def test_only_networks_without_epochs_of_their_own_train_longer_than_a_trial(
    family: str, schedule: Schedule, epochs: int
) -> None:
    spec = ModelSpec(family, {}, replace(OPTIONS, schedule=schedule))
    assert TuneParameters().plan(spec).spec.options.epochs == epochs


@pytest.mark.parametrize(
    ("given", "gru_1", "transformer"),
    [({}, 1, 1), ({"schedule": "constant"}, 5, 1), ({"epochs": 6}, 2, 2), ({"epochs": 2}, 1, 1)],
)
def test_how_much_longer_a_final_fit_may_take(
    given: dict[str, object], gru_1: float, transformer: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TransformerFamily, "check_ready", lambda *_: None)  # its packages are an extra
    families = "gru_1,transformer,ordinal"
    asked = TuneParameters.model_validate({"families": families, **given})
    assert asked.longer() == {"gru_1": gru_1, "transformer": transformer}


@pytest.mark.parametrize("family", ["ordinal", "gru_1", "transformer"])
def test_a_trial_s_fit_is_that_of_its_candidate(family: str, tmp_path: Path) -> None:
    asked = TuneParameters.model_validate({"sampling": "none"})
    trials = TrialOptions(tmp_path, asked.goal(), asked.trial_options(), executions=1, prunes=False)
    proposal = Proposal(3, family, family_named(family).published)
    trial, final = trials.spec(proposal), final_spec(asked, proposal)
    assert replace(final, options=replace(final.options, patience=trial.options.patience)) == trial


def test_default_sampling_is_that_of_the_family_s_study() -> None:
    samplings = [
        TrainParameters()
        .plan(ModelSpec(family, {}, replace(OPTIONS, sampling="default")))
        .spec.options.sampling
        for family in ("gru_1", "lstm_1")
    ]
    assert samplings == ["none", "class_weight"]


def test_without_a_run_to_take_it_from_the_model_is_what_was_asked_for() -> None:
    given = {"family": "gru_2", "settings": '{"units_1": 16}', "sampling": "class_weight", "batch_size": 32}
    asked = TrainParameters.model_validate(given)
    settings = {**family_named("gru_2").published, "units_1": 16}
    options = FitOptions(
        sampling="class_weight", epochs=3, batch_size=32, seed=42, patience=5, schedule="linear"
    )
    assert asked.spec() == ModelSpec("gru_2", settings, options)
    longer = TrainParameters.model_validate({**given, "epochs": 7}).spec()
    assert longer == replace(asked.spec(), options=replace(options, epochs=7))


@pytest.mark.parametrize(("schedule", "rate"), [("linear", 0.01), ("constant", 0.001)])
def test_the_published_rate_holds_for_a_constant_one(schedule: Schedule, rate: float) -> None:
    for family in ("lstm_2", "lstm_1"):
        asked = {"family": family, "schedule": schedule}
        settings = TrainParameters.model_validate(asked).spec().settings
        assert settings == {**family_named(family).published, "learning_rate": rate}
        other = (
            TrainParameters.model_validate({**asked, "settings": '{"learning_rate": 0.0001}'}).spec().settings
        )
        assert other == {**settings, "learning_rate": 0.0001}
