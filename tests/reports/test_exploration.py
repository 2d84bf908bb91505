"""Pictures of a data set, read back from their pixels."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from starcast.reports.drawing import Panel
from starcast.reports.figures import BINS, HISTOGRAM, length_picture, split_picture

LENGTHS = pl.DataFrame(
    {"rating": [1, 1, 1, 1, 5, 5], "characters": [10, 20, 30, 100, 7, 9], "reviews": [1, 1, 1, 1, 1, 1]},
    schema_overrides={"reviews": pl.UInt32},
)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    """What was asked of the panels, by method."""
    calls: dict[str, list] = {"bar": [], "reference_lines": [], "text": []}
    for name, seen in calls.items():
        original = getattr(Panel, name)

        def record(panel: Panel, *given: object, seen: list = seen, original: Callable = original) -> None:
            seen.append(given)
            original(panel, *given)

        monkeypatch.setattr(Panel, name, record)
    return calls


def test_one_histogram_per_rating_with_its_count(drawn: dict[str, list]) -> None:
    assert length_picture(LENGTHS, "Length before cleaning").size == (5 * HISTOGRAM[0], HISTOGRAM[1])
    texts = [text for _, _, text, *_ in drawn["text"]]
    assert "Length before cleaning" in texts
    assert [text for text in texts if " star" in text] == [
        "1 star: 4 reviews",
        "2 stars: 0 reviews",
        "3 stars: 0 reviews",
        "4 stars: 0 reviews",
        "5 stars: 2 reviews",
    ]


def test_a_histogram_has_thirty_bins_that_hold_every_review(drawn: dict[str, list]) -> None:
    length_picture(LENGTHS, "")
    heights = np.array([value for _, _, value, _ in drawn["bar"]]).reshape(5, BINS)
    assert BINS == 30
    assert heights.sum(axis=1).tolist() == [4, 0, 0, 0, 2]


def test_lines_stand_at_the_mean_and_the_three_quartiles(drawn: dict[str, list]) -> None:
    length_picture(LENGTHS, "")
    lines, last = ([value for value, *_ in lines] for (lines,) in drawn["reference_lines"])
    assert lines == [40.0, 17.5, 25.0, 47.5]
    assert last == [8, 7.5, 8, 8.5]


def test_a_rating_without_reviews_has_an_empty_histogram() -> None:
    picture = np.array(length_picture(LENGTHS, ""))[:, 2 * HISTOGRAM[0] : 3 * HISTOGRAM[0]]
    assert not (picture == (0x9E, 0xCA, 0xE1)).all(axis=2).any()


def test_reviews_of_one_length_have_a_histogram() -> None:
    one = LENGTHS.filter(pl.col("characters") == 7)
    assert (np.array(length_picture(one, "")) == (0x9E, 0xCA, 0xE1)).all(axis=2).any()


def test_bars_are_the_shares_of_each_rating_in_each_split(drawn: dict[str, list]) -> None:
    splits = {"train": [2, 1, 0, 0, 1], "validation": [0, 0, 1, 0, 1], "test": [0, 0, 0, 1, 0]}
    split_picture(splits)
    heights = np.array([value for _, _, value, _ in drawn["bar"]]).reshape(3, 5)
    assert heights.tolist() == [[0.5, 0.25, 0, 0, 0.25], [0, 0, 0.5, 0, 0.5], [0, 0, 0, 1, 0]]
    texts = [text for _, _, text, *_ in drawn["text"]]
    assert {"train (4)", "validation (2)", "test (1)", "50.0%"} <= set(texts)


def test_bars_of_one_rating_stand_side_by_side_around_it(drawn: dict[str, list]) -> None:
    part = [1, 1, 1, 1, 1]
    split_picture({"train": part, "validation": part, "test": part})
    edges = [bar[:2] for bar in drawn["bar"][2::5]]
    assert np.ravel(edges) == pytest.approx([2.6, 2.8667, 2.8667, 3.1333, 3.1333, 3.4], abs=1e-3)
