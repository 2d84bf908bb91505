"""The space in which reviews are neighbours, and the neighbours looked for in it."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.neighbours import DIRECTIONS, FarthestRows, RowNeighbours, review_space
from starcast.models.texts import Sequences
from tests.models.vocabularies import vocabulary_of

WORDS = ["soft", "silk", "awful", "torn", "itchy", "blue"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), min_size=2, max_size=30)


def sequences_of(texts: list[str]) -> Sequences:
    series = pl.Series("cleaned", texts, dtype=pl.String)
    return vocabulary_of(series).encode(series)


@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
@settings(max_examples=40)
@given(TEXTS)
def test_reviews_are_unit_vectors_or_nothing(texts: list[str]) -> None:
    space = review_space(sequences_of(texts))
    assert space.shape[0] == len(texts)
    assert 1 <= space.shape[1] <= min(DIRECTIONS, len(WORDS) + 2, len(texts))
    assert space.dtype == np.float32
    lengths = np.linalg.norm(space, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()
    np.testing.assert_array_equal(space, review_space(sequences_of(texts)))


def many(reviews: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(f"w{i}" for i in random.integers(400, size=12)) for _ in range(reviews)]


def test_there_are_no_more_directions_than_is_said() -> None:
    assert review_space(sequences_of(many(150))).shape == (150, DIRECTIONS)
    assert review_space(sequences_of(many(40))).shape == (40, 40)


@pytest.mark.parametrize("texts", [["soft", "soft"], ["soft", "silk"], ["", "soft", ""]])
def test_vocabularies_of_a_word_or_two_are_enough(texts: list[str]) -> None:
    space = review_space(sequences_of(texts))
    assert np.isfinite(space).all()
    assert space.shape[0] == len(texts)
    for i in range(len(texts)):
        assert np.linalg.norm(space[i]) == pytest.approx(1 if texts[i] else 0, abs=1e-5)


def test_equal_words_in_another_order_are_the_same_place() -> None:
    space = review_space(sequences_of(["soft silk blue", "blue soft silk", "awful torn", "itchy torn blue"]))
    assert space[0] == pytest.approx(space[1], abs=1e-5)
    assert np.abs(space[0] - space[2]).max() > 0.1


def test_words_that_go_together_are_near_though_reviews_share_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "starcast.models.neighbours.DIRECTIONS", 2
    )  # fewer than words, as with any real reviews
    fabric = [f"silk {word}" for word in ("soft", "smooth", "fine") * 10]
    faults = [f"torn {word}" for word in ("awful", "itchy", "cheap") * 10]
    *_, soft, smooth, awful = review_space(sequences_of([*fabric, *faults, "soft", "smooth", "awful"]))
    assert soft @ smooth > 0.9
    assert abs(soft @ awful) < 0.1


def test_reviews_mapped_from_files_are_taken_as_they_are(tmp_path: Path) -> None:
    """What a worker of a search has: arrays that cannot be written."""
    texts = pl.Series("cleaned", ["soft silk soft", "torn awful", "blue silk", "itchy blue torn"])
    part = CorpusSplit(texts, np.array([4, 0, 3, 1]))
    made = Corpus(part, part)
    made.save(tmp_path)
    opened = Corpus.open(tmp_path)
    assert not opened.train_sequences.tokens.flags.writeable
    np.testing.assert_array_equal(opened.review_space, made.review_space)
    np.testing.assert_array_equal(opened.train_sequences.tokens, made.train_sequences.tokens)


def unit(rows: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, 4)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_neighbours_of_identity_rows_are_those_of_the_rows_places() -> None:
    space = unit(50, 0)
    rows = sparse.identity(50, dtype=np.float32, format="csr")
    among, asked = np.arange(5, 50, 2), np.array([40, 3, 7])
    found = RowNeighbours(space, 4).fit(rows[among])
    expected = NearestNeighbors(n_neighbors=4).fit(space[among])
    for given_number in (None, 2):
        ours, theirs = (
            found.kneighbors(rows[asked], given_number),
            expected.kneighbors(space[asked], given_number),
        )
        np.testing.assert_allclose(ours[0], theirs[0], atol=1e-3)
        np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_array_equal(
        found.kneighbors(rows[asked], return_distance=False), expected.kneighbors(space[asked])[1]
    )


@settings(max_examples=25)
@given(seed=st.integers(0, 1_000), members=st.integers(1, 20), wanted=st.integers(1, 5))
def test_the_farthest_are_the_last_of_all_distances(seed: int, members: int, wanted: int) -> None:
    space = unit(60, seed)
    rows = sparse.identity(60, dtype=np.float32, format="csr")
    ours, _ = FarthestRows(space, wanted).fit(rows[:members]).kneighbors(rows[members:], n_neighbors=members)
    every = np.sort(np.linalg.norm(space[members:, None] - space[None, :members], axis=2), axis=1)
    np.testing.assert_allclose(ours, every[:, -wanted:], atol=1e-3)
