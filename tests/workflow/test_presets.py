"""Presets: what they set, and what the user has given."""

import pytest

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse, resumed
from starcast.models.catalogue import FAMILIES
from starcast.workflow.presets import EPOCH_SECONDS, PRESETS, START_SECONDS, families_of
from starcast.workflow.search import expected_seconds
from starcast.workflow.search_parameters import MAY_CHANGE, MainParameters, TuneParameters


def made(*given: str) -> TuneParameters:
    return parse(TuneParameters, [f"--{argument}" for argument in given], step="tune")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_what_is_not_given(name: str) -> None:
    preset, parameters = dict(PRESETS[name]), made(f"preset={name}")
    preset["families"] = tuple(family for family in families_of(name) if family in parameters.families)
    assert {setting: getattr(parameters, setting) for setting in preset} == dict(preset)
    others = {"preset", *preset}
    assert parameters.model_dump(exclude=others) == made().model_dump(exclude=others)
    assert TuneParameters.model_validate(parameters.model_dump(by_alias=True)) == parameters


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_given_wins(name: str) -> None:
    given = {"families": "gru_1", "max_trials": "7", "minutes": "1.5", "objective": "val_mae"}
    parameters = made(f"preset={name}", *(f"{setting}={value}" for setting, value in given.items()))
    assert {setting: parameters.as_text()[setting] for setting in given} == given


@pytest.mark.parametrize("name", PRESETS)
def test_the_defaults_that_mlproject_passes_count_as_not_given(name: str) -> None:
    passed = [f"{setting}={made().as_text()[setting]}" for setting in TuneParameters.common]
    assert made(*passed, f"preset={name}") == made(f"preset={name}")


def test_without_a_preset_all_is_as_it_was() -> None:
    parameters = made()
    assert parameters.families == ("logistic_regression", "gru_1", "lstm_2")
    assert (parameters.max_trials, parameters.objective, parameters.ensemble) == (12, "val_auc", "never")
    assert parameters.families_together
    assert MainParameters.model_validate({}).families_together
    assert not made("preset=quick").families_together
    assert not made("minutes=5").families_together


def test_presets_grow() -> None:
    quick, good, best = (made(f"preset={name}") for name in ("quick", "good", "best"))
    assert quick.minutes < good.minutes < best.minutes
    assert {*quick.families} < {*good.families} <= {*best.families} <= {*FAMILIES}
    assert {*good.families} < {*families_of("best")}
    assert not any(FAMILIES[family].iterative for family in quick.families)
    assert {*families_of("best")} <= {*EPOCH_SECONDS}


def test_the_time_of_a_first_trial_is_that_of_its_own_epochs(monkeypatch) -> None:
    monkeypatch.setattr(type(FAMILIES["transformer"]), "check_ready", lambda self, space: None)
    expected = expected_seconds(made("preset=best", "max_epochs=3"), 1_000)
    assert expected["ordinal"] == START_SECONDS + EPOCH_SECONDS["ordinal"]
    assert expected["bilstm"] == START_SECONDS + 3 * EPOCH_SECONDS["bilstm"]
    assert expected["transformer"] == START_SECONDS + 2 * EPOCH_SECONDS["transformer"]
    assert expected_seconds(made("preset=best", "max_epochs=1"), 500)["transformer"] == START_SECONDS + 60


def test_a_preset_leaves_out_a_family_that_this_machine_cannot_train_and_says_why(monkeypatch) -> None:
    def missing(self: object, space: object) -> None:
        raise UserError("family transformer needs weights: run x")

    monkeypatch.setattr(type(FAMILIES["transformer"]), "check_ready", missing)
    parameters = made("preset=best")
    assert parameters.families == families_of("good")
    assert parameters.start_notes() == ["without transformer: family transformer needs weights: run x"]
    assert made("preset=best", "families=ordinal").start_notes() == []
    with pytest.raises(UserError, match="needs weights"):
        made("families=transformer")


def test_a_resumed_search_has_its_preset_and_its_time_unless_another_is_given_now() -> None:
    stored = made("preset=good", "minutes=7")
    found = resumed(made("resume=x"), stored.as_text(), MAY_CHANGE)
    assert (found.families, found.minutes) == (stored.families, 7)
    assert resumed(made("resume=x", "minutes=3"), stored.as_text(), MAY_CHANGE).minutes == 3


def test_an_ensemble_is_not_searched_as_a_family() -> None:
    with pytest.raises(UserError, match=r"families: should be one of .*, not .*ensemble"):
        made("families=linear,ensemble")
