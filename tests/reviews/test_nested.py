"""Nested samples: every beginning of the order is stratified and holds the smaller ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.reviews.split import nested_order, smallest_with_all

COUNTS = st.lists(st.integers(0, 60), min_size=1, max_size=5).filter(any)
SEEDS = st.integers(0, 2**32 - 1)


def ratings_of(counts: list[int]) -> np.ndarray:
    """So many of 1 star, 2 stars ..., in mixed order."""
    return np.random.default_rng(0).permutation(np.repeat(np.arange(1, len(counts) + 1), counts))


@settings(max_examples=100)
@given(counts=COUNTS, seed=SEEDS)
def test_the_order_has_every_row_once(counts: list[int], seed: int) -> None:
    ratings = ratings_of(counts)
    assert sorted(nested_order(ratings, seed)) == list(range(len(ratings)))


@settings(max_examples=100)
@given(counts=COUNTS, seed=SEEDS)
def test_every_beginning_keeps_the_shares_to_within_two_rows(counts: list[int], seed: int) -> None:
    ratings = ratings_of(counts)
    chosen = ratings[nested_order(ratings, seed)][:, None] == np.arange(1, len(counts) + 1)
    exact = np.arange(1, len(ratings) + 1)[:, None] * np.array(counts) / len(ratings)
    assert np.abs(chosen.cumsum(axis=0) - exact).max() < 2


def test_shares_of_real_sizes_are_kept_to_within_one_row() -> None:
    counts = [479, 865, 1598, 2737, 6999]  # study A's training split
    ratings = ratings_of(counts)
    order = nested_order(ratings, 42)
    for size in (100, 1_000, 6_339, 12_678):
        kept = np.bincount(ratings[order[:size]], minlength=6)[1:]
        assert np.abs(kept - size * np.array(counts) / len(ratings)).max() <= 1


def test_a_seed_gives_one_order_and_another_seed_draws_other_rows() -> None:
    ratings = ratings_of([50, 20, 30, 100, 200])
    np.testing.assert_array_equal(nested_order(ratings, 7), nested_order(ratings, 7))
    first, other = (set(nested_order(ratings, seed)[:200].tolist()) for seed in (7, 8))
    assert 60 < len(first & other) < 140  # 100 are to be expected of two independent halves of 400


def test_rows_of_a_rating_are_drawn_wherever_they_stand() -> None:
    ratings = np.repeat(np.arange(1, 6), 200)  # in order: a sample of the first of each would be none
    places = nested_order(ratings, 3)[:100] % 200
    assert places.mean() == pytest.approx(100, abs=20)


@settings(max_examples=100)
@given(counts=COUNTS, seed=SEEDS)
def test_the_smallest_sample_with_every_rating_is_just_that(counts: list[int], seed: int) -> None:
    ratings = ratings_of(counts)
    chosen, least = ratings[nested_order(ratings, seed)], smallest_with_all(ratings)
    assert set(chosen[:least]) == set(ratings)
    assert set(chosen[: least - 1]) != set(ratings)
    held = np.bincount(chosen[: smallest_with_all(ratings, 2)], minlength=6)
    assert all(held[rating] >= 2 for rating in set(ratings) if (ratings == rating).sum() >= 2)


def test_of_equal_places_the_rarer_rating_comes_first() -> None:
    assert smallest_with_all(ratings_of([1, 3])) == 2
