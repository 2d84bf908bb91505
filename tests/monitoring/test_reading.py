"""New reviews read as those that were learned from; ratings that seem to be on another scale."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.evaluation.scale import STARS, Scale
from starcast.monitoring.parameters import MonitorParameters
from starcast.monitoring.reading import doubt_of_scale, read_new
from starcast.reviews.layouts import Layout
from starcast.tracking.scoring import Trained

TEN = Scale(tuple(range(1, 11)))


def test_what_a_database_writes_for_a_missing_title_or_text_is_no_word(tmp_path: Path) -> None:
    file, trained = tmp_path / "new.csv", Trained(True, Layout("plain", "text", "rating", "title"))
    file.write_text("title,text,rating\nNULL,fine,5\nGreat,\\N,4\n\\N,poor,NULL\n")
    found = read_new(file, MonitorParameters(input=str(file)), trained, [])
    rows = found.reviews.select("title", "text", "rating").sort("text").rows()
    assert rows == [(None, "fine", 4), (None, "poor", -1)]
    assert found.blank == (1, 3)


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
