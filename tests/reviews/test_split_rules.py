"""Splits by what a row says: given ones, groups that stay whole, and the latest as the test."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS
from starcast.reviews.parameters import DataParameters, SplitBy, SplitRule
from starcast.reviews.split import SPLITS, assign, check_ratings, describe, draw_parts
from starcast.reviews.split_keys import ColumnKeys, SplitKeys, join_keys, read_keys
from starcast.reviews.times import UNREAD

SEEDS = st.integers(0, 2**32 - 1)
TRAIN, VALIDATION, TEST = range(3)


def some_ratings(size: int) -> np.ndarray:
    return np.random.default_rng(size).choice(5, size, p=[0.1, 0.1, 0.1, 0.2, 0.5]).astype(np.int8) + 1


def split_by(keys: np.ndarray, rule: SplitRule, seed: int = 1, sample_size: int = 0) -> np.ndarray:
    return assign(some_ratings(len(keys)), keys, STARS, rule, sample_size, seed)


def shares(assigned: np.ndarray) -> np.ndarray:
    return np.bincount(assigned, minlength=3) / len(assigned)


@settings(max_examples=40)
@given(groups=st.integers(3, 60), seed=SEEDS, skew=st.floats(0, 2))
def test_no_group_is_on_two_sides_and_none_is_lost(groups: int, seed: int, skew: float) -> None:
    sizes = np.arange(1, groups + 1) ** -skew
    keys = np.random.default_rng(seed).choice(groups, 600, p=sizes / sizes.sum())
    keys[:groups] = np.arange(groups)
    assigned = split_by(keys, "group", seed)
    sides = [set(keys[assigned == split].tolist()) for split in (TRAIN, VALIDATION, TEST)]
    assert sum(map(len, sides)) == len(set.union(*sides)) == groups
    assert all(sides)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_groups_are_split_alike_whatever_the_order_of_the_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    ratings, keys = some_ratings(500), random.integers(0, 40, 500)
    mixed = random.permutation(500)
    first = assign(ratings, keys, STARS, "group", 0, seed)
    again = assign(ratings[mixed], keys[mixed], STARS, "group", 0, seed)
    assert (first[mixed] == again).all()


@pytest.mark.parametrize("groups", [20, 300, 5000])
def test_shares_come_near_although_groups_differ_in_size(groups: int) -> None:
    keys = np.random.default_rng(0).zipf(1.5, 20_000) % groups
    ratings = some_ratings(20_000)
    parts = draw_parts(ratings, keys, "group", 1)
    for rating in range(1, 6):
        held = [(ratings[part] == rating).sum() for part in parts]
        assert np.array(held) / sum(held) == pytest.approx([0.56, 0.24, 0.2], abs=0.04)


def test_two_groups_are_too_few() -> None:
    with pytest.raises(UserError, match=r"^split=group: 2 groups are too few for three splits$"):
        split_by(np.arange(100) % 2, "group")


def test_groups_are_counted() -> None:
    keys = np.arange(100) % 10
    assert describe(keys, split_by(keys, "group"), "group") == [
        "split by group: 10 groups, 5 in train, 3 in validation, 2 in test"
    ]


@settings(max_examples=60)
@given(times=st.lists(st.integers(-5, 30), min_size=100, max_size=100), seed=SEEDS)
def test_no_review_is_later_than_one_of_a_later_split(times: list[int], seed: int) -> None:
    keys = np.array([*times, 31, 32, 33])
    assigned = split_by(keys, "time", seed)
    before, between, after = (keys[assigned == split] for split in (TRAIN, VALIDATION, TEST))
    assert before.max() < between.min() <= between.max() < after.min()


@given(days=st.permutations(range(100)))
def test_the_latest_fifth_is_the_test_where_no_times_are_equal(days: list[int]) -> None:
    assert np.bincount(split_by(np.array(days), "time")).tolist() == [56, 24, 20]


def test_days_of_many_reviews_are_cut_nearest_to_the_shares() -> None:
    keys = np.repeat(np.arange(8), [20, 20, 12, 14, 10, 9, 14, 1])
    assert np.bincount(split_by(keys, "time")).tolist() == [52, 24, 24]


def test_two_times_are_too_few() -> None:
    with pytest.raises(UserError, match=r"^split=time: 2 different times are too few for three splits$"):
        split_by(np.arange(100) % 2, "time")


def test_the_time_of_each_split_is_said() -> None:
    day = 24 * 60 * 60 * 1000
    keys = 16_000 * day + day * np.arange(100)
    assert describe(keys, split_by(keys, "time"), "time") == [
        "split by time: train 2013-10-22 to 2013-12-16, validation 2013-12-17 to 2014-01-09, "
        "test 2014-01-10 to 2014-01-29"
    ]
    [line] = describe(keys + 1000, split_by(keys, "time"), "time")
    assert "test 2014-01-10 00:00:01 to" in line


@given(keys=st.lists(st.integers(0, 2), min_size=97, max_size=97), seed=SEEDS)
def test_given_splits_are_kept(keys: list[int], seed: int) -> None:
    given_keys = np.array([*keys, TRAIN, VALIDATION, TEST])
    assigned = split_by(given_keys, "given", seed)
    assert (assigned == given_keys).all()
    assert describe(given_keys, assigned, "given") == []


@pytest.mark.parametrize("missing", [VALIDATION, TEST])
def test_a_split_that_is_not_given_is_drawn_from_training(missing: int) -> None:
    keys = np.where(np.arange(1000) < 700, TRAIN, TEST + VALIDATION - missing)
    ratings = some_ratings(1000)
    assigned = assign(ratings, keys, STARS, "given", 0, 1)
    kept = TEST + VALIDATION - missing
    assert ((assigned == kept) == (keys == kept)).all()
    share = {VALIDATION: 0.3, TEST: 0.2}[missing]
    for rating in range(1, 6):
        of = (keys == TRAIN) & (ratings == rating)
        assert (assigned[of] == missing).sum() == pytest.approx(of.sum() * share, abs=1)
    assert describe(keys, assigned, "given") == [
        f"no {SPLITS[missing]} split is given: it is drawn from train"
    ]


@pytest.mark.parametrize(("only", "named"), [(TRAIN, "only train"), (TEST, "no train")])
def test_a_column_that_names_no_train_or_nothing_else_is_refused(only: int, named: str) -> None:
    with pytest.raises(UserError, match=f"^split=given: the reviews name {named}; name train and test"):
        split_by(np.full(100, only), "given")


def test_a_sample_takes_its_share_of_each_given_split() -> None:
    keys = np.repeat([TRAIN, VALIDATION, TEST], [500, 100, 400])
    assigned = split_by(keys, "given", sample_size=200)
    assert np.bincount(assigned[assigned >= 0]).tolist() == pytest.approx([100, 20, 80], abs=3)
    assert (assigned == keys)[assigned >= 0].all()


@pytest.mark.parametrize("rule", ["group", "time"])
def test_a_sample_of_any_size_is_split_by_the_same_rule(rule: SplitRule) -> None:
    keys = np.arange(1000) // 10
    assigned = split_by(keys, rule, sample_size=300)
    assert (assigned >= 0).sum() == 300
    sides = [set(keys[assigned == split].tolist()) for split in (TRAIN, VALIDATION, TEST)]
    assert sum(map(len, sides)) == len(set.union(*sides))


def test_a_rating_that_a_held_out_split_lacks_is_said_and_one_to_learn_is_needed() -> None:
    ratings, assigned = np.array([1, 2, 1, 2, 1, 3]), np.array([0, 0, 1, 1, 2, -1])
    assert check_ratings(ratings, assigned, STARS, "time", 1) == [
        "no review of rating 2 fell into the test split"
    ]
    with pytest.raises(
        UserError, match=r"^no review of rating 2 fell into the train split, so it cannot be learned"
    ):
        check_ratings(ratings, np.where(assigned < 0, assigned, 2 - assigned), STARS, "given", 1)
    with pytest.raises(UserError, match=r"use split=stratified or a seed other than 1$"):
        check_ratings(ratings, assigned, STARS, "group", 1)


def keys_of(values: list[object], rule: SplitRule) -> SplitKeys:
    keys = read_keys(pl.DataFrame({"x": values}), SplitBy(rule, f"{rule}_column", "x"))
    assert keys is not None
    return keys


def joined(parts: list[list[object]], rule: SplitRule, usable: list[bool] | None = None) -> ColumnKeys:
    """What chunks of a column say together."""
    told = np.array(usable or [True] * sum(map(len, parts)))
    return join_keys([keys_of(part, rule) for part in parts], told, SplitBy(rule, f"{rule}_column", "x"))


def test_splits_are_read_in_their_usual_spellings() -> None:
    keys = keys_of(
        ["Train", "training", " DEV", "valid", "val", "validation", "Test", "testing", "", None], "given"
    )
    assert keys.readings[""][:8].tolist() == [TRAIN] * 2 + [VALIDATION] * 4 + [TEST] * 2
    assert keys.missing.tolist() == [False] * 8 + [True] * 2


def test_other_names_are_found() -> None:
    found = joined([["train", "test"], ["extra", "test", "extra", "x"]], "given")
    assert found.unread == "not train, validation or test in column 'x', but 'extra', 'x'"
    assert found.keys.tolist() == [TRAIN, TEST, UNREAD, TEST, UNREAD, UNREAD]


def test_a_group_is_the_same_as_number_and_as_text() -> None:
    first, second = (keys_of(values, "group") for values in ([7, None, 8], ["7 ", "", "8"]))
    assert first.readings[""].tolist() == second.readings[""].tolist()
    assert first.missing.tolist() == second.missing.tolist() == [False, True, False]


def test_what_a_database_writes_for_a_missing_group_is_none() -> None:
    assert keys_of(["a", "NULL", "\\N", "null"], "group").missing.tolist() == [False, True, True, False]


def test_the_whole_column_decides_how_times_are_read() -> None:
    found = joined([["03/04/2015", "soon"], ["", None], ["25/04/2015"]], "time")
    assert found.keys[0] == datetime(2015, 4, 3, tzinfo=UTC).timestamp() * 1000
    assert found.unread == "not a time in column 'x', but 'soon'"
    assert found.missing.tolist() == [False, False, True, True, False]
    assert (found.keys == UNREAD).tolist() == [False, True, True, True, False]


def test_a_row_that_is_of_no_use_has_no_say_in_how_times_are_read() -> None:
    found = joined([["03/04/2015", "25/04/2015", "04/25/2015"]], "time", [True, True, False])
    assert found.keys[0] == datetime(2015, 4, 3, tzinfo=UTC).timestamp() * 1000


def test_a_column_without_any_time_is_refused() -> None:
    message = r"^time_column: nothing in column 'x' is a time, but 'soon', 'late'; name another column"
    with pytest.raises(UserError, match=message):
        joined([["soon", "late"]], "time")


@pytest.mark.parametrize(
    ("rule", "value"),
    [("time", time(13, 7)), ("time", timedelta(1)), ("group", timedelta(1)), ("group", b"\xff")],
)
def test_a_type_that_names_no_split_is_refused(rule: SplitRule, value: object) -> None:
    with pytest.raises(UserError, match=f"^{rule}_column: column 'x' holds .*; name another column"):
        keys_of([value], rule)


def test_a_file_that_is_one_split_says_so_of_all_rows() -> None:
    keys = read_keys(pl.DataFrame({"x": [1, 2]}), SplitBy("given", part=TEST))
    assert keys is not None
    assert keys.readings[""].tolist() == [TEST, TEST]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"split": "group"}, "parameter split: group needs group_column"),
        ({"split": "time"}, "parameter split: time needs time_column"),
        ({"split": "time", "time_format": "day_first"}, "parameter split: time needs time_column"),
        ({"split": "given"}, "parameter split: given needs split_column or test_data"),
        (
            {"split": "given", "validation_data": "v.csv"},
            "parameter split: given needs split_column or test_data",
        ),
        ({"group_column": "user"}, "parameter group_column: only split=group uses it, not split=stratified"),
        (
            {"split": "group", "group_column": "a", "time_column": "b"},
            "parameter time_column: only split=time uses it",
        ),
        (
            {"split": "given", "split_column": "s", "test_data": "t.csv"},
            "parameter split_column: give it, or files",
        ),
    ],
)
def test_rules_have_their_own_parameters(parameters: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=f"^{message}"):
        DataParameters.model_validate(parameters)
