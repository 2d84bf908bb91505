"""Scales of labels: their names, in columns, metrics and sentences, and ratings as labels and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.evaluation.scale import STARS, Label, Scale

HALVES = Scale(tuple(number / 2 for number in range(2, 11)))
WORDS = Scale(("bad", "ok", "good"))


def test_names_are_short_and_values_are_numbers_or_ranks() -> None:
    assert HALVES.names[:3] == ("1", "1.5", "2")
    assert WORDS.probabilities == ("probability_bad", "probability_ok", "probability_good")
    assert HALVES.values.tolist() == list(HALVES.labels)
    assert WORDS.values.tolist() == [1, 2, 3]
    assert Scale((0, 1)).values.tolist() == [0, 1]


def test_only_stars_are_called_so() -> None:
    assert (STARS.noun, STARS.said(0), STARS.said(3)) == ("stars", "1 star", "4 stars")
    assert (WORDS.noun, WORDS.said(2), Scale((0, 1)).said(0)) == ("rating", "rating good", "rating 0")


@given(
    scale=st.sampled_from([STARS, HALVES, WORDS, Scale((-1, 0, 1)), Scale(tuple(range(20)))]),
    places=st.lists(st.integers(0, 1_000), max_size=30),
)
def test_labels_turn_back_into_ratings(scale: Scale, places: list[int]) -> None:
    ratings = np.array([place % len(scale) for place in places], dtype=np.int64)
    labels = scale.label_of(ratings)
    assert labels.tolist() == [scale.labels[i] for i in ratings]
    assert scale.index_of(labels).tolist() == ratings.tolist()
    assert scale.index_of(labels.astype(object)).tolist() == ratings.tolist()


@pytest.mark.parametrize(("scale", "other"), [(STARS, 6), (WORDS, "fine")])
def test_a_label_of_another_scale_is_no_rating(scale: Scale, other: Label) -> None:
    with pytest.raises(KeyError):
        scale.index_of(np.array([scale.labels[0], other]))


def test_labels_that_metrics_cannot_name_are_told_apart_by_rank() -> None:
    assert Scale(("😡", "😐", "😊")).keys == ("_1", "_2", "_3")
    assert Scale(("<3", ">3")).keys == ("_31", "_32")
    assert Scale(("très bien!", "bien")).keys == ("très bien_", "bien")
