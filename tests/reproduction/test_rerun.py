"""The parameters of a run that is made again.

Read back as it logged them, never registering; its data's part.
"""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters, parse_logged
from starcast.reproduction.rerun import STEPS, data_parameters, missing_parameters, parameters_of
from starcast.reviews.parameters import DataParameters
from starcast.tracking.code_record import Code
from starcast.tracking.origin import Origin
from starcast.workflow.fit_parameters import FitParameters, TrainParameters


def origin(kind: str, commit: str = "", **parameters: str) -> Origin:
    return Origin("abc", "made up", kind, parameters, {}, 0, Code(commit, ""), {}, "", {}, False)


@given(st.text(), st.integers(0, 2**32 - 1), st.sampled_from(["{}", '{"c": 0.3}', '{ "c" : 1 }']))
def test_values_are_read_as_mlflow_run_quotes_them(column: str, seed: int, settings: str) -> None:
    asked = TrainParameters(text_column=column, seed=seed, settings=settings)
    quoted = {name: shlex.quote(value) for name, value in asked.as_text().items()}
    assert parse_logged(TrainParameters, quoted) == asked


@pytest.mark.parametrize(
    "text", ["", "two words", "a 'quoted' word", "'unbalanced", '{"a b": "c"}', "C:\\data"]
)
def test_values_that_were_not_quoted_stay_as_they_are(text: str) -> None:
    assert parse_logged(TrainParameters, {"text_column": text}).text_column == text


@pytest.mark.parametrize("kind", [*STEPS, "preprocess", "candidate", "trial"])
def test_every_kind_has_parameters_and_data_and_registers_nothing(kind: str) -> None:
    found = parameters_of(origin(kind, seed="7", data="sample", register="true"))
    if isinstance(found, FitParameters):
        assert not found.register_model
    assert data_parameters(found).seed == 7
    assert isinstance(data_parameters(found), DataParameters)


def test_what_another_version_logged_is_told_with_its_commit() -> None:
    with pytest.raises(UserError, match=r"parameter family: .*; check out its commit: git checkout c0ffee"):
        parameters_of(origin("train", "c0ffee", family="random_forest"))
    assert isinstance(parameters_of(origin("train", colour="red")), Parameters)


def test_parameters_added_or_gone_since_are_named() -> None:
    logged = {**TrainParameters().as_text(), "colour": "red"}
    del logged["schedule"]
    assert missing_parameters(origin("train", **logged)) == ["colour", "schedule"]
