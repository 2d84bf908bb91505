"""Study A's exploration figures and its summary of lengths."""

import numpy as np
import polars as pl
import pytest

from starcast.reviews.describe import BINS, length_figure, length_summary, share_figure

LENGTHS = pl.DataFrame(
    {"rating": [1, 1, 1, 1, 5, 5], "characters": [10, 20, 30, 100, 7, 9], "reviews": [1, 1, 1, 1, 1, 1]},
    schema_overrides={"reviews": pl.UInt32},
)


def test_one_histogram_per_rating_with_its_count() -> None:
    figure = length_figure(LENGTHS, "Length before cleaning")
    assert figure.get_suptitle() == "Length before cleaning"
    assert [axes.get_title() for axes in figure.axes] == [
        "1 star: 4 reviews",
        "2 stars: 0 reviews",
        "3 stars: 0 reviews",
        "4 stars: 0 reviews",
        "5 stars: 2 reviews",
    ]


def test_a_histogram_has_thirty_bins_that_hold_every_review() -> None:
    bars = length_figure(LENGTHS, "").axes[0].patches
    assert len(bars) == BINS == 30
    assert sum(bar.get_height() for bar in bars) == 4


def test_lines_stand_at_the_mean_and_the_three_quartiles() -> None:
    lines = length_figure(LENGTHS, "").axes[0].lines
    assert [line.get_xdata()[0] for line in lines] == [40.0, 17.5, 25.0, 47.5]


def test_a_rating_without_reviews_has_an_empty_histogram() -> None:
    axes = length_figure(LENGTHS, "").axes[2]
    assert not axes.patches
    assert not axes.lines


def test_bars_are_the_shares_of_each_rating_in_each_split() -> None:
    splits = {"train": [2, 1, 0, 0, 1], "validation": [0, 0, 1, 0, 1], "test": [0, 0, 0, 1, 0]}
    axes = share_figure(splits).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == [[0.5, 0.25, 0, 0, 0.25], [0, 0, 0.5, 0, 0.5], [0, 0, 0, 1, 0]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "train (4)",
        "validation (2)",
        "test (1)",
    ]


def test_bars_of_one_rating_stand_side_by_side_around_it() -> None:
    part = [1, 1, 1, 1, 1]
    axes = share_figure({"train": part, "validation": part, "test": part}).axes[0]
    edges = [(bars[2].get_x(), bars[2].get_x() + bars[2].get_width()) for bars in axes.containers]
    assert np.ravel(edges) == pytest.approx([2.6, 2.8667, 2.8667, 3.1333, 3.1333, 3.4], abs=1e-3)


def test_summary_of_lengths_by_hand() -> None:
    expected = {"mean": 3.0, "std": 1.5811388, "min": 1.0, "q1": 2.0, "median": 3.0, "q3": 4.0, "max": 5.0}
    assert length_summary(pl.DataFrame({"characters": [5, 1, 4, 2, 3], "reviews": [1] * 5})) == pytest.approx(
        expected
    )
