"""Ranges, conditions, and what was logged of a point."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.models.space import (
    Conditions,
    Range,
    Settings,
    Space,
    Value,
    completed,
    count_points,
    existing,
    exists,
    parents_first,
    points_of,
    read_point,
)

# Three floors: `pool` exists with two or three layers, `heads` with pooling by attention. The last named
# first, as nothing says that a space should name them in order.
LAYERED: Space = {
    "heads": Range(1, 8, whole=True),
    "pool": ("mean", "attention"),
    "layers": (1, 2, 3),
    "units_3": Range(8, 512, log=True, whole=True),
    "rate": Range(1e-5, 1e-1, log=True),
}
CONDITIONS: Conditions = {
    "heads": ("pool", ("attention",)),
    "pool": ("layers", (2, 3)),
    "units_3": ("layers", (3,)),
}


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    log, whole = draw(st.booleans()), draw(st.booleans())
    least, most = (1 if log else -1_000), 1_000
    numbers = st.integers(least, most) if whole else st.floats(1e-9 if log else -1e6, 1e6)
    low, high = sorted((draw(numbers), draw(numbers)))
    return Range(low, high, log, whole)


@given(values=ranges(), seed=st.integers(0, 9_999))
def test_what_is_drawn_lies_in_the_range(values: Range, seed: int) -> None:
    drawn = values.draw(np.random.default_rng(seed))
    assert drawn in values
    assert type(drawn) is (int if values.whole else float)


@given(values=ranges(), value=st.floats(-1e9, 1e9))
def test_the_nearest_number_lies_in_the_range_and_one_of_its_own_stays(values: Range, value: float) -> None:
    nearest = values.nearest(value)
    assert nearest in values
    assert values.nearest(nearest) == nearest


def test_the_ends_of_whole_numbers_are_drawn_as_often_as_the_others() -> None:
    random = np.random.default_rng(0)
    counts = np.bincount([Range(1, 4, whole=True).draw(random) for _ in range(4_000)])[1:]
    assert counts.min() > 900


def test_each_order_of_magnitude_is_drawn_as_often() -> None:
    random = np.random.default_rng(0)
    drawn = [Range(1e-4, 1, log=True).draw(random) for _ in range(4_000)]
    counts, _ = np.histogram(np.log10(drawn), bins=4)
    assert counts.min() > 900


@pytest.mark.parametrize("value", [True, "5", None, 5.5, float("nan"), 0, 11])
def test_what_is_no_number_of_a_range_is_not_in_it(value: object) -> None:
    assert value not in Range(1, 10, whole=True)


def test_a_setting_stands_after_those_on_which_it_depends() -> None:
    assert parents_first(LAYERED, CONDITIONS) == ["layers", "rate", "pool", "units_3", "heads"]


def test_a_setting_does_not_exist_without_the_one_on_which_it_depends() -> None:
    # As after layers was made 1: `heads` goes, though its own condition is met.
    settings: Settings = {"layers": 1, "pool": "attention", "heads": 4}
    assert not exists("heads", settings, CONDITIONS)
    assert existing(settings, CONDITIONS) == {"layers": 1}


def known_settings() -> st.SearchStrategy[Settings]:
    some: Mapping[str, st.SearchStrategy[Value]] = {
        "layers": st.sampled_from((1, 2, 3)),
        "pool": st.sampled_from(("mean", "attention")),
        "heads": st.integers(1, 8),
    }
    return st.fixed_dictionaries({}, optional=dict(some))


@given(known=known_settings(), spare=known_settings(), seed=st.integers(0, 99))
def test_a_completed_point_lies_in_the_space_and_has_the_known_settings_that_exist(
    known: Settings, spare: Settings, seed: int
) -> None:
    point = completed(known, spare, LAYERED, CONDITIONS, np.random.default_rng(seed))
    assert point == existing(point, CONDITIONS)
    assert point.keys() == {name for name in LAYERED if exists(name, point, CONDITIONS)}
    assert all(value in LAYERED[name] for name, value in point.items())
    assert existing({**point, **known}, CONDITIONS).items() <= point.items()


@given(seed=st.integers(0, 9_999))
def test_a_point_is_read_from_its_logged_text_as_it_was(seed: int) -> None:
    point = completed({}, {}, LAYERED, CONDITIONS, np.random.default_rng(seed))
    logged = {name: str(value) for name, value in point.items()}
    read = read_point({**logged, "epochs": "3"}, LAYERED, CONDITIONS)
    assert read == point
    assert list(map(type, read.values())) == list(map(type, point.values()))


@pytest.mark.parametrize(
    "logged",
    [
        {"layers": "4", "rate": "0.1"},
        {"layers": "1", "rate": "0.2"},
        {"layers": "1", "rate": "nan"},
        {"layers": "1", "rate": "fast"},
        {"layers": "2", "rate": "0.1"},
        {"layers": "2", "rate": "0.1", "pool": "attention", "heads": "2.0"},
    ],
)
def test_what_is_no_point_of_the_space_is_refused(logged: dict[str, str]) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_point(logged, LAYERED, CONDITIONS)


def test_points_are_counted_with_their_conditions() -> None:
    assert count_points({}, {}) == 0
    assert count_points({"f": {}}, {}) == 1
    assert count_points({"f": {"x": (1, 2, 3), "y": Range(5, 8, whole=True)}, "g": {"z": (1, 2)}}, {}) == 14
    assert count_points({"f": LAYERED}, {"f": CONDITIONS}) == math.inf
    whole: Space = {name: LAYERED[name] for name in ("heads", "pool", "layers")} | {"units_3": (8, 16)}
    # One layer; two with a mean or 8 heads; three with the same, and two sizes of the third.
    assert count_points({"f": whole}, {"f": CONDITIONS}) == 1 + 9 + 9 * 2


@given(chosen=st.sets(st.sampled_from(["heads", "pool", "layers", "units_3"])))
def test_as_many_points_are_drawn_as_are_counted(chosen: set[str]) -> None:
    space: Space = {name: (1, 2) if name == "units_3" else LAYERED[name] for name in chosen}
    conditions = {
        name: CONDITIONS[name] for name in CONDITIONS if name in space and CONDITIONS[name][0] in space
    }
    random = np.random.default_rng(0)
    drawn = {str(completed({}, {}, space, conditions, random)) for _ in range(1_000)}
    assert len(drawn) == count_points({"f": space}, {"f": conditions})
    listed = [str(each) for each in points_of(space, conditions, random)]
    assert sorted(listed) == sorted(drawn)
