"""The n-gram vectoriser, held against scikit-learn's TfidfVectorizer."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from starcast.cli.errors import UserError
from starcast.models import texts as texts_module
from starcast.models.encoding import Encoding
from starcast.models.logistic import NgramVectorizer

# Few words, so that n-grams repeat; punctuation around a space's code point tests the order of names.
WORDS = st.sampled_from(["a", "b", "ab", "a!", "don't", "é", "雨", "🙂", "ß", "7"])
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), min_size=1, max_size=8)
SOME_TEXTS = TEXTS.filter(lambda texts: any(texts))
LONGEST = st.integers(1, 4)


def column(texts: list[str]) -> pl.Series:
    return pl.Series("cleaned", texts, dtype=pl.String)


def encoded(texts: list[str]) -> Encoding:
    return Encoding.of(column(texts), column([]))


def fitted(texts: list[str], longest: int = 2, size: int = 1_000, sublinear: bool = False) -> NgramVectorizer:
    vectorizer = NgramVectorizer(longest, size, sublinear)
    vectorizer.fit_transform(encoded(texts))
    return vectorizer


def names(texts: list[str], longest: int = 2, size: int = 1_000) -> list[str]:
    return fitted(texts, longest, size).ngrams.names.to_list()


def ngrams_of(text: str, longest: int) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1)]


def peer(vocabulary: list[str], longest: int, sublinear: bool) -> TfidfVectorizer:
    return TfidfVectorizer(
        lowercase=False,
        token_pattern=r"\S+",
        ngram_range=(1, longest),
        vocabulary=vocabulary,
        sublinear_tf=sublinear,
        dtype=np.float32,
    )


@given(texts=SOME_TEXTS, longest=LONGEST, size=st.integers(1, 60))
def test_the_most_frequent_are_kept_and_of_equal_ones_the_shorter_then_the_alphabet(
    texts: list[str], longest: int, size: int
) -> None:
    counts = Counter(name for text in texts for name in ngrams_of(text, longest))
    best = sorted(counts, key=lambda name: (-counts[name], name.count(" "), name))[:size]
    assert names(texts, longest, size) == sorted(best, key=lambda name: (name.count(" "), name))


@given(train=SOME_TEXTS, others=TEXTS, longest=LONGEST, size=st.integers(1, 60), sublinear=st.booleans())
def test_rows_are_those_of_scikit_learn(
    train: list[str], others: list[str], longest: int, size: int, sublinear: bool
) -> None:
    vectorizer = NgramVectorizer(longest, size, sublinear)
    rows = vectorizer.fit_transform(encoded(train))
    other = peer(vectorizer.ngrams.names.to_list(), longest, sublinear)
    for given_rows, expected in (
        (rows, other.fit_transform(train)),
        (vectorizer.transform(column(others)), other.transform(others)),
    ):
        assert given_rows.dtype == np.float32
        np.testing.assert_array_equal(given_rows.toarray(), expected.toarray())


@given(texts=SOME_TEXTS, longest=LONGEST)
def test_with_room_for_all_the_ngrams_are_those_of_scikit_learn(texts: list[str], longest: int) -> None:
    expected = TfidfVectorizer(lowercase=False, token_pattern=r"\S+", ngram_range=(1, longest)).fit(texts)
    assert set(names(texts, longest)) == set(expected.get_feature_names_out())


def test_without_ties_at_the_cut_the_ngrams_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    texts = [" ".join(f"w{number}" for number in random.geometric(0.1, 30)) for _ in range(400)]
    counts = sorted(Counter(name for text in texts for name in ngrams_of(text, 3)).values(), reverse=True)
    size = next(size for size in range(150, 999) if counts[size - 1] > counts[size])
    expected = TfidfVectorizer(
        lowercase=False, token_pattern=r"\S+", ngram_range=(1, 3), max_features=size
    ).fit(texts)
    assert set(names(texts, 3, size)) == set(expected.get_feature_names_out())


@given(texts=SOME_TEXTS, others=TEXTS, longest=LONGEST, size=st.integers(1, 60), chunk=st.integers(1, 3))
def test_reading_in_chunks_changes_nothing(
    texts: list[str], others: list[str], longest: int, size: int, chunk: int
) -> None:
    whole = fitted(texts, longest, size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "CHUNK", chunk)
        chunked = fitted(texts, longest, size)
        rows = chunked.transform(column(others)).toarray().tolist()
    assert chunked.ngrams.names.to_list() == whole.ngrams.names.to_list()
    assert rows == whole.transform(column(others)).toarray().tolist()


@given(texts=SOME_TEXTS)
def test_order_of_the_texts_does_not_change_the_ngrams(texts: list[str]) -> None:
    assert names(texts, 3, 5) == names(texts[::-1], 3, 5)


def test_rows_are_sorted_and_hold_each_ngram_once() -> None:
    rows = NgramVectorizer(3, 100, False).fit_transform(encoded(["b a b a b", "a"]))
    assert isinstance(rows, sparse.csr_matrix)
    assert rows.has_canonical_format
    assert rows.shape == (2, 6)  # a, b, a b, b a, a b a, b a b
    assert rows.nnz == 7


def test_ngrams_do_not_cross_from_one_text_into_the_next() -> None:
    assert names(["a b", "c d"], 3) == ["a", "b", "c", "d", "a b", "c d"]


def test_words_with_another_between_them_are_no_ngram() -> None:
    texts = [
        "a v a w a x a y a",
        "b",
        "b",
    ]  # the pairs are too rare for two n-grams; "a", any word, "a" is not
    assert names(texts, 3, 2) == ["a", "b"]


def test_an_unknown_word_parts_its_neighbours() -> None:
    vectorizer = fitted(["a b c"], 3)
    row = vectorizer.transform(column(["a new b c"])).toarray()[0]
    assert [name for name, value in zip(vectorizer.ngrams.names, row, strict=True) if value] == [
        "a",
        "b",
        "c",
        "b c",
    ]


def test_one_word_repeated() -> None:
    assert names(["la la la la"], 3) == ["la", "la la", "la la la"]
    row = fitted(["la la la la"], 3).transform(column(["la la la la"])).toarray()[0]
    assert row == pytest.approx(np.array([4, 3, 2]) / np.sqrt(4**2 + 3**2 + 2**2))


def test_texts_without_a_known_word_are_all_zeros_and_keep_their_place() -> None:
    rows = fitted(["a b"]).transform(column(["", "a", "neverseen", " ", "b"]))
    assert (rows.toarray() != 0).any(axis=1).tolist() == [False, True, False, False, True]


def test_more_spaces_than_one_part_words_as_one_does() -> None:
    assert names(["a  b ", " a b"]) == ["a", "b", "a b"]


@pytest.mark.parametrize("texts", [[], [""], ["", "  "]])
def test_nothing_to_learn_from_is_the_users_to_mend(texts: list[str]) -> None:
    with pytest.raises(UserError, match="no review has a word"):
        fitted(texts)


@given(train=SOME_TEXTS, others=TEXTS, longest=LONGEST, size=st.integers(1, 20), sublinear=st.booleans())
def test_read_back_it_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    train: list[str],
    others: list[str],
    longest: int,
    size: int,
    sublinear: bool,
) -> None:
    vectorizer = fitted(train, longest, size, sublinear)
    path = tmp_path_factory.mktemp("vectorizer") / "ngrams.json"
    vectorizer.save(path)
    loaded = NgramVectorizer.load(path)
    assert loaded.ngrams.names.to_list() == vectorizer.ngrams.names.to_list()
    assert (
        loaded.transform(column(others)).toarray().tolist()
        == vectorizer.transform(column(others)).toarray().tolist()
    )


def test_its_file_is_readable_json(tmp_path: Path) -> None:
    fitted(["très 雨 don't"], sublinear=True).save(tmp_path / "ngrams.json")
    values = json.loads((tmp_path / "ngrams.json").read_text(encoding="utf-8"))
    assert values["ngrams"] == ["don't", "très", "雨", "très 雨", "雨 don't"]
    assert values["sublinear"] is True
    assert values["idf"] == [1.0] * 5
