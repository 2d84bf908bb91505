"""Batches of similar length: every row once, little padding, and shapes that Keras takes."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from starcast.models.batches import POOL, TrainingBatches, similar_length
from starcast.models.sampling import Resampled, TrainingRows
from starcast.models.texts import UNKNOWN, Sequences

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=200).map(np.array)


def sequences_of(lengths: np.ndarray) -> Sequences:
    """Row i holds the token i + 2 as often as the row is long, so that a batch tells which rows it holds."""
    return Sequences(
        np.repeat(np.arange(len(lengths)) + 2, lengths), np.concatenate([[0], np.cumsum(lengths)])
    )


def batches_of(lengths: np.ndarray, batch_size: int, seed: int = 1) -> TrainingBatches:
    """Rating and weight of row i are i and i / 2: they must stay with their row."""
    rows = np.arange(len(lengths))
    return TrainingBatches(TrainingRows(sequences_of(lengths), rows), rows / 2, batch_size, seed)


def padded_cells(lengths: np.ndarray, batches: list[np.ndarray]) -> int:
    return sum(len(rows) * int(lengths[rows].max()) for rows in batches) - int(lengths.sum())


@given(lengths=LENGTHS, batch_size=st.integers(1, 50), seed=st.integers(0, 99))
def test_every_row_is_in_exactly_one_batch(lengths: np.ndarray, batch_size: int, seed: int) -> None:
    batches = similar_length(lengths, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert all(1 <= len(rows) <= batch_size for rows in batches)
    assert len(batches) == -(-len(lengths) // batch_size)


def test_padding_is_far_below_padding_to_the_longest() -> None:
    random = np.random.default_rng(0)
    lengths = np.clip(random.lognormal(3.3, 0.8, size=5_000).astype(int), 1, 256)
    batches = similar_length(lengths, 32, random)
    plain = np.split(random.permutation(5_000), range(32, 5_000, 32))
    assert padded_cells(lengths, batches) < 0.1 * padded_cells(lengths, [np.arange(5_000)])
    assert padded_cells(lengths, batches) < 0.2 * padded_cells(lengths, plain)


def test_equal_seeds_draw_equal_batches_and_other_seeds_others() -> None:
    lengths = np.arange(100) % 17
    one, again, other = (similar_length(lengths, 8, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert [rows.tolist() for rows in one] == [rows.tolist() for rows in again]
    assert [rows.tolist() for rows in one] != [rows.tolist() for rows in other]


def test_batches_do_not_come_in_order_of_length() -> None:
    lengths = np.arange(8 * POOL)
    longest = [int(lengths[rows].max()) for rows in similar_length(lengths, 8, np.random.default_rng(0))]
    assert longest != sorted(longest)
    assert longest != sorted(longest, reverse=True)


@given(lengths=LENGTHS, batch_size=st.integers(1, 50), seed=st.integers(0, 99))
def test_words_rating_and_weight_of_a_row_stay_together(
    lengths: np.ndarray, batch_size: int, seed: int
) -> None:
    batches = batches_of(lengths, batch_size, seed)
    seen: list[int] = []
    for i in range(len(batches)):
        words, ratings, weights = batches[i]
        for row, rating, weight in zip(words, ratings, weights, strict=True):
            assert row[row != 0].tolist() == ([rating + 2] * lengths[rating] or [UNKNOWN])
            assert weight == rating / 2
        seen += ratings.tolist()
    assert sorted(seen) == list(range(len(lengths)))


@given(lengths=LENGTHS, batch_size=st.integers(1, 50), epochs=st.integers(0, 3))
def test_first_two_batches_never_share_their_width(lengths: np.ndarray, batch_size: int, epochs: int) -> None:
    batches = batches_of(lengths, batch_size)
    for _ in range(epochs):
        batches.on_epoch_end()
    if len(batches) > 1:
        assert batches[0][0].shape[1] != batches[1][0].shape[1]


def test_each_epoch_draws_anew_and_equal_seeds_draw_equal_epochs() -> None:
    lengths = np.arange(60) % 13
    one, again = batches_of(lengths, 8, seed=3), batches_of(lengths, 8, seed=3)
    epochs = []
    for _ in range(2):
        ratings = [[batches[i][1].tolist() for i in range(len(batches))] for batches in (one, again)]
        assert ratings[0] == ratings[1]
        epochs.append(ratings[0])
        one.on_epoch_end()
        again.on_epoch_end()
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    "lengths",
    [
        pytest.param([4] * 20, id="equal lengths"),
        pytest.param([4] * 36 + [9] * 4, id="two widths"),
        pytest.param([0] * 9, id="no words at all"),
        pytest.param([1, 2, 3, 4, 5], id="a last batch of one"),
        pytest.param([3, 5, 1], id="one batch only"),
        pytest.param([7], id="one review only"),
    ],
)
def test_keras_fits_on_batches_of_any_widths(lengths: list[int]) -> None:
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(50, 2),
            keras.layers.GlobalMaxPooling1D(),
        ]
    )
    network.compile(optimizer="sgd", loss="mse")
    count = len(lengths)
    rows = TrainingRows(sequences_of(np.array(lengths)), np.zeros((count, 2)))
    batches = TrainingBatches(rows, np.ones(count), 4, seed=0)
    history = network.fit(batches, epochs=3, verbose=0)
    assert len(history.history["loss"]) == 3
    assert np.isfinite(history.history["loss"]).all()


@settings(max_examples=20)
@given(least=st.integers(0, 30), lengths=st.lists(st.integers(0, 20), min_size=2, max_size=20).map(np.array))
def test_a_least_width_only_adds_padding(least: int, lengths: np.ndarray) -> None:
    sequences, rows = sequences_of(lengths), np.arange(len(lengths))
    bare, wide = sequences.padded(rows), sequences.padded(rows, least)
    assert wide.shape[1] == max(bare.shape[1], least)
    assert wide[:, : bare.shape[1]].tolist() == bare.tolist()


def resampled_of(parts: list[tuple[int, int, float]], reviews: int) -> Resampled:
    """Rows of a first review, a second, and the share of the second; the rating of row i is i."""
    rows = sparse.lil_matrix((len(parts), reviews), dtype=np.float32)
    for i, (first, second, share) in enumerate(parts):
        rows[i, first] += 1 - share
        if share:
            rows[i, second] += share
    return Resampled(rows.tocsr(), np.arange(len(parts)))


MIXED_ROWS = st.integers(2, 12).flatmap(
    lambda reviews: st.tuples(
        st.lists(st.integers(0, 9), min_size=reviews, max_size=reviews).map(np.array),
        st.lists(
            st.tuples(st.integers(0, reviews - 2), st.just(reviews - 1), st.sampled_from([0, 0.25, 0.75])),
            min_size=1,
            max_size=30,
        ),
    )
)


@given(made=MIXED_ROWS, batch_size=st.integers(1, 9), epochs=st.integers(0, 2))
def test_a_mixed_row_has_the_words_of_both_reviews_and_its_share(
    made: tuple[np.ndarray, list[tuple[int, int, float]]], batch_size: int, epochs: int
) -> None:
    lengths, parts = made
    parts = [*parts, (0, len(lengths) - 1, 0.5)]  # one at least is of two
    resampled, rows = resampled_of(parts, len(lengths)), np.arange(len(parts))
    batches = TrainingBatches(TrainingRows(sequences_of(lengths), rows, resampled), rows / 2, batch_size, 1)
    for _ in range(epochs):
        batches.on_epoch_end()
    seen: list[int] = []
    for i in range(len(batches)):
        (words, shares), ratings, weights = batches[i]
        assert words.shape == (len(ratings), words.shape[1], 2)
        assert shares.dtype == np.float32
        for both, share, rating, weight in zip(words, shares, ratings, weights, strict=True):
            first, second, wanted = parts[rating]
            assert share == pytest.approx(wanted)
            assert both[both[:, 0] != 0, 0].tolist() == ([first + 2] * lengths[first] or [UNKNOWN])
            other = second if wanted else first
            assert both[both[:, 1] != 0, 1].tolist() == ([other + 2] * lengths[other] or [UNKNOWN])
            assert weight == rating / 2
            for words_of_one in both.T:  # padded on the right
                assert (np.diff((words_of_one != 0).astype(int)) <= 0).all()
        seen += ratings.tolist()
    assert sorted(seen) == list(range(len(parts)))
    if len(batches) > 1:
        assert batches[0][0][0].shape[1] != batches[1][0][0].shape[1]


def test_rows_that_are_reviews_come_as_word_indices_also_when_resampled() -> None:
    lengths = np.array([3, 1, 0, 5])
    resampled = resampled_of([(3, 0, 0), (1, 0, 0), (3, 0, 0)], 4)
    rows = TrainingRows(sequences_of(lengths), resampled.ratings, resampled)
    batches = TrainingBatches(rows, np.ones(3), 2, 1)
    seen = {}
    for i in range(len(batches)):
        words, ratings, _ = batches[i]
        seen |= {int(rating): row[row != 0].tolist() for row, rating in zip(words, ratings, strict=True)}
    assert seen == {0: [5] * 5, 1: [3], 2: [5] * 5}


def test_rows_of_two_reviews_are_sorted_by_the_longer_one() -> None:
    lengths = np.array([1, 40, 2])
    resampled = resampled_of([(0, 1, 0.25)] * 20 + [(0, 2, 0.25)] * 20, 3)
    rows = TrainingRows(sequences_of(lengths), resampled.ratings, resampled)
    batches = TrainingBatches(rows, np.ones(40), 10, 1)
    widths = sorted(batches[i][0][0].shape[1] for i in range(1, len(batches)))
    assert set(widths) == {2, 40}
