"""The space that a user wants: what narrows, widens and fixes settings, and each mistake in one line."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from starcast.cli.errors import UserError
from starcast.models.catalogue import family_named
from starcast.models.family import Family
from starcast.models.linear_families import LogisticFamily
from starcast.models.space import Choices, Range, Value
from starcast.models.user_space import known_in, user_space

LSTM, LINEAR, BILSTM = map(family_named, ("lstm_2", "logistic_regression", "bilstm"))
LAYERED = LogisticFamily(
    "layered",
    {"layers": 1, "share": 0.5, "units_3": 8, "words": "null"},
    {"layers": (1, 2, 3), "share": (0.1, 0.5), "units_3": (8, 16), "words": ("[1, 1]", "[1, 2]", "null")},
    "none",
    conditions={"units_3": ("layers", (3,))},
    limits={"layers": Range(1, 5, whole=True)},
)


@pytest.mark.parametrize(("family", "name", "given", "expected"), [
    (LSTM, "learning_rate", {"low": 1e-4, "high": 1e-2, "log": True}, Range(1e-4, 1e-2, log=True)),
    (LSTM, "units_1", {"low": 16, "high": 256, "whole": True}, Range(16, 256, whole=True)),
    (LSTM, "units_1", {"low": 16, "high": 256, "log": True}, Range(16, 256, log=True, whole=True)),
    (LSTM, "units_1", [64, 300, 64], (64, 300)),
    (LSTM, "dropout_1", 0.2, (0.2,)),
    (LSTM, "dropout_1", 0, (0.0,)),
    (LSTM, "dropout_1", [0, 0.25], (0.0, 0.25)),
    (LSTM, "dropout_1", {"low": 0, "high": 0.6}, Range(0.0, 0.6)),
    (LSTM, "dropout_1", {"low": 0.1, "high": 0.1}, (0.1,)),
    (LINEAR, "sublinear", True, (True,)),
    (LINEAR, "c", {"low": 1, "high": 30, "log": True}, Range(1.0, 30.0, log=True)),
    (LAYERED, "layers", {"low": 2, "high": 4}, (2, 3, 4)),
    (LAYERED, "words", [[1, 2]], ("[1, 2]",)),
    (LAYERED, "words", None, ("null",)),
])  # fmt: skip
def test_a_setting_gets_the_user_s_values_and_the_others_stay(
    family: Family, name: str, given: Any, expected: Choices | Range
) -> None:
    space = user_space(family, json.loads(json.dumps({name: given})))
    assert space == {**family.space, name: expected}
    assert list(space) == list(family.space)
    values = space[name]
    kinds = {type(value) for value in (values if isinstance(values, tuple) else (values.low, values.high))}
    assert kinds == {type(family.published[name])}


def test_an_optional_setting_is_searched_only_where_it_is_given(tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("dress 0.1 0.2\nnice 0.3 0.4\n")
    space = user_space(BILSTM, {"vectors": ["", str(vectors)]})
    assert space == {**BILSTM.space, "vectors": ("", str(vectors))}
    assert user_space(BILSTM, {}) == BILSTM.space


@pytest.mark.parametrize(("family", "given", "says"), [
    (LSTM, 3, "lstm_2 should have an object such as {\"units_1\": ...}"),
    (LSTM, {"unit_1": 3}, "lstm_2 has no 'unit_1'; did you mean units_1?"),
    (LSTM, {"colour": 3}, "lstm_2 has no 'colour'; it has units_1, units_2, "),
    (LSTM, {"sampling": ["none"]}, "sampling is searched by the parameter sampling, a comma list"),
    (BILSTM, {"vectors": ["", "no.txt"]}, "/no.txt: No such file or directory"),
    (LSTM, {"units_1": []}, "lstm_2's units_1 has an empty list; give values or leave it out"),
    (LSTM, {"units_1": [64, "128"]}, "units_1 should be a whole number from 1 to 4096, not '128'"),
    (LSTM, {"units_1": 64.5}, "units_1 should be a whole number from 1 to 4096, not 64.5"),
    (LSTM, {"units_1": 0}, "units_1 should be a whole number from 1 to 4096, not 0"),
    (LSTM, {"units_1": None}, "not None"),
    (LSTM, {"learning_rate": {"low": 1e-4, "high": math.inf}}, "should be a finite number, not inf"),
    (LSTM, {"learning_rate": math.nan}, "learning_rate should be a number from 1e-08 to 1.0, not nan"),
    (LSTM, {"dropout_1": 1}, "dropout_1 should be a number from 0.0 to 0.99, not 1"),
    (LSTM, {"learning_rate": {"low": 0, "high": 1}}, "should be a number from 1e-08 to 1.0, not 0"),
    (LSTM, {"learning_rate": {"low": -1, "high": 1}}, "not -1"),
    (LSTM, {"dropout_1": {"low": 0.3, "high": 0.2}}, "has low 0.3 above high 0.2; exchange them"),
    (LSTM, {"dropout_1": {"low": 0, "high": 0.5, "log": True}}, "a logarithm needs a low above 0"),
    (LSTM, {"dropout_1": {"low": 0.1}}, "should have low and high, as in {\"low\": 1e-4, "),
    (LSTM, {"dropout_1": {}}, "should have low and high"),
    (LSTM, {"dropout_1": {"min": 0, "max": 1}}, "has 'min'; a range has low, high, log, whole, as in {"),
    (LSTM, {"dropout_1": {"low": 0, "high": "1"}}, "not '1'"),
    (LSTM, {"dropout_1": {"low": 0.1, "high": 0.2, "log": 1}}, "should have true or false for log and whole"),
    (LSTM, {"units_1": {"low": 1, "high": 9, "whole": False}}, "has whole numbers only"),
    (LINEAR, {"c": {"low": 0.5, "high": 9, "whole": True}}, "high 9.0; both should be whole numbers"),
    (LINEAR, {"sublinear": {"low": 0, "high": 1}}, "is one of False, True: give one or a list, not a range"),
    (LAYERED, {"words": [[1, 3]]}, "words should be one of [1, 1], [1, 2], null, not '[1, 3]'"),
    (LINEAR, {"sublinear": 1}, "sublinear should be one of false, true, not 1"),
])  # fmt: skip
def test_a_mistake_is_one_line(family: Family, given: Any, says: str) -> None:
    with pytest.raises(UserError) as refused:
        user_space(family, json.loads(json.dumps(given)))
    [line] = str(refused.value).splitlines()
    assert line.startswith("parameter space: ")
    assert says in line


def test_a_range_that_decides_which_settings_exist_is_a_list_of_its_numbers() -> None:
    """Also one of the family's own: engines nest other settings below each of its values."""
    whole = replace(LAYERED, space={**LAYERED.space, "layers": Range(1, 3, whole=True)})
    assert user_space(whole, {}) == LAYERED.space
    share = replace(LAYERED, conditions={"units_3": ("share", (0.1,))})
    with pytest.raises(UserError, match="layered's share decides which other settings exist"):
        user_space(share, {"share": {"low": 0.1, "high": 0.5}})


@pytest.mark.parametrize(("given", "fitted"), [
    ({}, {"layers": 3, "share": 0.5, "units_3": 8}),
    ({"share": {"low": 0.1, "high": 0.3}}, {"layers": 3, "share": 0.3, "units_3": 8}),
    ({"share": [0.1, 0.3]}, {"layers": 3, "units_3": 8}),
    ({"share": 0.2}, {"layers": 3, "share": 0.2, "units_3": 8}),
    ({"layers": [1, 4]}, {"share": 0.5}),
    ({"layers": 2}, {"layers": 2, "share": 0.5}),
])  # fmt: skip
def test_known_settings_are_fitted_into_a_space(given: Any, fitted: dict[str, Value]) -> None:
    known: dict[str, Value] = {"layers": 3, "share": 0.5, "units_3": 8}
    assert known_in(user_space(LAYERED, given), LAYERED.conditions, known) == fitted


@pytest.mark.parametrize(("given", "whole"), [
    ({}, {"layers": 1, "share": 0.5}),
    ({"layers": 3}, {"layers": 3, "share": 0.5, "units_3": 8}),
    ({"layers": 3, "units_3": 12}, {"layers": 3, "share": 0.5, "units_3": 12}),
    ({"units_3": 8}, {"layers": 1, "share": 0.5}),  # the published value, as `train` gives all of them
])  # fmt: skip
def test_a_family_completes_settings_to_those_that_exist(
    given: dict[str, Value], whole: dict[str, Value]
) -> None:
    assert LAYERED.check(given) == {**whole, "words": "null"}


def test_a_setting_without_effect_is_refused() -> None:
    with pytest.raises(UserError, match="settings: layered has units_3 only where layers is 3; leave it out"):
        LAYERED.check({"units_3": 16})
