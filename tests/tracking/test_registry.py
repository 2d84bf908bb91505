"""What an address of a registered model means, and what is said where it means nothing."""

import mlflow
import pytest

from starcast.cli.errors import UserError
from starcast.tracking.commands import command_line
from starcast.tracking.registry import Version, find

NAME = "review-rating"


@pytest.fixture
def registry(store: mlflow.MlflowClient, tmp_path: object) -> mlflow.MlflowClient:
    """A registry with three versions of one model; the newest is the challenger, none is the champion."""
    store.create_registered_model(NAME)
    with mlflow.start_run() as run:
        for _ in range(3):
            store.create_model_version(NAME, f"{tmp_path}/model", run.info.run_id)
    store.set_registered_model_alias(NAME, "challenger", "3")
    return store


def found(uri: str) -> tuple[str, str]:
    version: Version = find(uri)
    assert version.name == NAME
    return version.version, version.called


def refusal(uri: str) -> str:
    with pytest.raises(UserError) as refused:
        find(uri)
    said = str(refused.value)
    assert "\n" not in said
    assert "must be an integer" not in said
    return said


def test_a_name_alone_is_the_champion_or_while_there_is_none_the_challenger(
    registry: mlflow.MlflowClient,
) -> None:
    assert found(f"models:/{NAME}") == ("3", "alias challenger, as there is no champion yet")
    registry.set_registered_model_alias(NAME, "champion", "2")
    assert found(f"models:/{NAME}") == ("2", "alias champion")
    assert found(f"models:/{NAME}@challenger") == ("3", "alias challenger")


@pytest.mark.parametrize(("number", "version"), [("1", "1"), ("02", "2"), ("latest", "3")])
def test_a_version_is_a_number_or_the_newest(
    registry: mlflow.MlflowClient, number: str, version: str
) -> None:
    assert found(f"models:/{NAME}/{number}")[0] == version


def test_the_newest_is_the_newest_that_is_left(registry: mlflow.MlflowClient) -> None:
    registry.delete_model_version(NAME, "3")
    assert found(f"models:/{NAME}/latest") == ("2", "newest")
    said = refusal(f"models:/{NAME}")
    assert said == f"model models:/{NAME}: there is no alias 'challenger'; aliases: none; versions: 2, 1"


THERE = "; aliases: @challenger (version 3); versions: 3, 2, 1"


@pytest.mark.parametrize("stage", ["Production", "staging", "Archived", "None"])
def test_stages_are_aliases_now(registry: mlflow.MlflowClient, stage: str) -> None:
    said = refusal(f"models:/{NAME}/{stage}")
    assert said == f"model models:/{NAME}/{stage}: stages such as {stage} are aliases now{THERE}"


def test_an_alias_that_is_spelled_otherwise_is_named(registry: mlflow.MlflowClient) -> None:
    for spelled in ("Challenger", "challanger"):
        assert f"did you mean models:/{NAME}@challenger?{THERE}" in refusal(f"models:/{NAME}@{spelled}")
    assert f"there is no alias 'best'{THERE}" in refusal(f"models:/{NAME}@best")


def test_without_a_champion_the_way_to_one_is_named(registry: mlflow.MlflowClient) -> None:
    said, promote = refusal(f"models:/{NAME}@champion"), command_line("promote", model=NAME, mode="enabled")
    assert f"no version is promoted yet; run promote: {promote}{THERE}" in said
    assert "there is no earlier champion yet" in refusal(f"models:/{NAME}@previous_champion")


@pytest.mark.parametrize("number", ["9", "first", "9" * 30, "\u00b2", "-1"])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(
    registry: mlflow.MlflowClient, number: str
) -> None:
    assert refusal(f"models:/{NAME}/{number}").endswith(f"there is no version {number!r}{THERE}")


def test_another_name_is_answered_with_the_names_that_there_are(registry: mlflow.MlflowClient) -> None:
    registry.create_registered_model("it's ours")
    said = refusal("models:/Review-Ratings@challenger")
    assert "no model 'Review-Ratings' is registered in sqlite:" in said
    assert said.endswith("; did you mean review-rating? registered: it's ours, review-rating")
    assert "tune" not in said
    assert refusal("models:/nothing/1").endswith("; registered: it's ours, review-rating")
    assert "aliases: none; versions: none" in refusal("models:/it's ours/latest")


def test_only_an_empty_registry_is_answered_with_how_to_make_a_model(store: mlflow.MlflowClient) -> None:
    assert refusal(f"models:/{NAME}").endswith(f"; make one first: {command_line('tune')}")


@pytest.mark.parametrize(
    "uri", ["", "models:/", "models:/a@b@c", "models:/../x/1", "runs:/x", "models:/a/1/2"]
)
def test_another_form_is_refused(registry: mlflow.MlflowClient, uri: str) -> None:
    assert "should read models:/<name>, models:/<name>@<alias> or models:/<name>/<version>" in refusal(uri)


def test_the_beginning_that_was_left_out_is_named(registry: mlflow.MlflowClient) -> None:
    assert refusal(f"{NAME}@champion").endswith(f"; did you mean models:/{NAME}@champion?")
