"""Spaces and published settings of the families, against the studies' tables."""

import math
from typing import get_args

import pytest

from starcast.cli.errors import UserError
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.family import Schedule
from starcast.models.recurrent_families import NetworkFamily
from starcast.models.space import Range, Value

STUDIED = ("lstm_2", "gru_1", "gru_2", "gru_4", "lstm_1", "logistic_regression")
NAMES = (*STUDIED, "linear", "ordinal", "bilstm")


def test_the_catalogue_lists_each_family_under_its_own_name() -> None:
    assert tuple(FAMILIES)[: len(NAMES)] == NAMES
    assert all(family.name == name for name, family in FAMILIES.items())


@pytest.mark.parametrize(
    ("name", "count"), [("lstm_2", 12_500), ("gru_1", 700), ("gru_2", 8_000), ("gru_4", 3_200_000)]
)
def test_spaces_have_as_many_settings_as_study_a_counts(name: str, count: int) -> None:
    assert math.prod(map(len, family_named(name).space.values())) == count


@pytest.mark.parametrize(
    ("name", "count"), [("lstm_2", 641_701), ("gru_1", 776_229), ("gru_2", 503_973), ("gru_4", 519_509)]
)
def test_published_winners_have_as_many_parameters_as_study_a_says(name: str, count: int) -> None:
    family = family_named(name)
    assert isinstance(family, NetworkFamily)
    assert family.build(family.published).count_params() == count


@pytest.mark.parametrize("name", NAMES)
def test_the_published_point_lies_in_the_space(name: str) -> None:
    family = family_named(name)
    assert family.published.keys() == family.space.keys()
    for setting, value in family.published.items():
        values = family.space[setting]
        assert value in values
        assert type(value) is (float if isinstance(values, Range) else type(values[0]))


@pytest.mark.parametrize(("name", "published"), [
    (
        "lstm_2",
        {
            **{"units_1": 64, "units_2": 128, "dropout_1": 0.1, "dropout_2": 0.3, "dropout_3": 0.1},
            "learning_rate": 1e-3,
        },
    ),
    ("gru_1", {"units_1": 256, "dropout_1": 0.3, "dropout_2": 0.0, "learning_rate": 1e-2}),
    ("lstm_1", {"units": 64, "spatial_dropout": 0.2, "learning_rate": 1e-3}),
    ("logistic_regression", {"ngrams": 3, "features": 4_000, "sublinear": False, "c": 1.0}),
])  # fmt: skip
def test_published_settings_are_the_studies(name: str, published: dict[str, Value]) -> None:
    assert family_named(name).published == published


def test_each_family_samples_as_its_study_did() -> None:
    assert {name: family_named(name).sampling for name in STUDIED} == {
        **dict.fromkeys(("lstm_2", "gru_1", "gru_2", "gru_4"), "none"),
        **dict.fromkeys(("lstm_1", "logistic_regression"), "class_weight"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_nothing_given_is_completed_to_the_published_point(name: str) -> None:
    assert family_named(name).check({}) == family_named(name).published


def test_given_settings_stay_and_the_rest_is_published() -> None:
    assert family_named("gru_1").check({"units_1": 8}) == {
        "units_1": 8,
        "dropout_1": 0.3,
        "dropout_2": 0.0,
        "learning_rate": 1e-2,
    }
    assert family_named("gru_1").published["units_1"] == 256


@pytest.mark.parametrize(("name", "given"), [
    ("gru_1", {"units_1": 100}),
    ("gru_1", {"dropout_1": 0.25, "learning_rate": 0.005}),
    ("gru_1", {"dropout_1": 0}),
    ("gru_1", {"units_1": 1000, "dropout_1": 0.6, "learning_rate": 0.05}),
    ("bilstm", {"dropout_2": 0.55}),
    ("logistic_regression", {"c": 1, "sublinear": True, "features": 2_001}),
])  # fmt: skip
def test_numbers_between_and_beyond_the_ends_of_a_space_are_taken(name: str, given: dict[str, Value]) -> None:
    assert family_named(name).check(given) == {**family_named(name).published, **given}


@pytest.mark.parametrize(("name", "given", "message"), [
    ("gru_1", {"units": 8}, "gru_1 has no 'units'; it has units_1, dropout_1, dropout_2, learning_rate"),
    ("gru_1", {"units_1": True}, "gru_1's units_1 should be a whole number from 1 to 4096, not True"),
    ("gru_1", {"units_1": "64"}, "should be a whole number from 1 to 4096, not '64'"),
    ("gru_1", {"units_1": 64.0}, "should be a whole number from 1 to 4096, not 64.0"),
    ("gru_1", {"units_1": 0}, "from 1 to 4096, not 0"),
    ("gru_1", {"units_1": 5000}, "from 1 to 4096, not 5000"),
    ("gru_1", {"dropout_1": 1.0}, "should be a number from 0.0 to 0.99, not 1.0"),
    ("gru_1", {"dropout_1": -0.1}, "from 0.0 to 0.99, not -0.1"),
    ("gru_1", {"dropout_1": False}, "should be a number from 0.0 to 0.99, not False"),
    ("gru_1", {"learning_rate": 0}, "should be a number from 1e-08 to 1.0, not 0"),
    ("gru_1", {"vectors": "x.txt"}, "gru_1 has no 'vectors'"),
    ("gru_1", {"learning_rate": float("nan")}, "not nan"),
    ("gru_1", {"learning_rate": None}, "not None"),
    ("gru_1", {"units_1": [64]}, r"not \[64\]"),
    ("logistic_regression", {"sublinear": 1}, "should be one of false, true, not 1"),
    ("logistic_regression", {"sublinear": "True"}, "should be one of false, true, not 'True'"),
])  # fmt: skip
def test_wrong_settings_are_refused_with_what_would_be_right(
    name: str, given: dict[str, Value], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        family_named(name).check(given)


@pytest.mark.parametrize("schedule", get_args(Schedule))
@pytest.mark.parametrize("name", FAMILIES)
def test_a_search_can_begin_where_the_family_says(name: str, schedule: Schedule) -> None:
    family = family_named(name)
    assert {
        key: value in family.space[key] for key, value in family.start(schedule).items()
    } == dict.fromkeys(family.space, True)
