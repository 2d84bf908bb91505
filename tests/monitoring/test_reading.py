"""When new ratings look as if they were on another scale than the model's."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.evaluation.scale import STARS, Scale
from starcast.monitoring.reading import doubt_of_scale

TEN = Scale(tuple(range(1, 11)))


def test_stars_for_a_model_of_ten_points_are_doubted() -> None:
    [line] = doubt_of_scale(pl.Series([0, 4, 4, 3] * 25), pl.Series([9, 7, 4, 9, -1]), TEN)
    assert line.startswith("no new rating is above 5, 75% of the test split's are: ")
    assert "another scale than 1-10" in line


@pytest.mark.parametrize("now", [[4] * 100, [0] * 5, [-1] * 100, []])
def test_the_top_or_few_ratings_are_not(now: list[int]) -> None:
    assert doubt_of_scale(pl.Series(now, dtype=pl.Int64), pl.Series([4, 4, 0, 1]), STARS) == []


@given(st.lists(st.integers(-1, 4), max_size=300), st.lists(st.integers(-1, 4), max_size=20))
def test_words_are_never_and_numbers_only_where_the_test_split_goes_higher(
    now: list[int], before: list[int]
) -> None:
    sides = pl.Series(now, dtype=pl.Int64), pl.Series(before, dtype=pl.Int64)
    assert doubt_of_scale(*sides, Scale(tuple("abcde"))) == []
    if doubt_of_scale(*sides, STARS):
        assert max(before) > max(now) >= 0
