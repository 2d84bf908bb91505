"""N-grams of characters inside words, held against scikit-learn's `char_wb`, alone and beside words."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from starcast.models import characters as characters_module
from starcast.models import logistic
from starcast.models.characters import inside_texts, most_frequent_inside
from starcast.models.encoding import Encoding
from starcast.models.logistic import NgramVectorizer
from starcast.models.ngrams import Ngrams

# Short and long words, letters of several bytes, combined ones and those outside the basic plane.
WORDS = st.sampled_from(["a", "ab", "aab", "don't", "é", "e\u0301", "雨", "🙂", "abababab", "7"])
TEXTS = st.lists(st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=6)
SOME_TEXTS = TEXTS.filter(lambda texts: any(texts))
LONGEST = st.integers(1, 5)


def column(texts: list[str]) -> pl.Series:
    return pl.Series("cleaned", texts, dtype=pl.String)


def encoded(texts: list[str]) -> Encoding:
    return Encoding.of(column(texts), column([]))


def letters(longest: int, vocabulary: list[str] | None = None, **given: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer="char_wb", ngram_range=(1, longest), lowercase=False, vocabulary=vocabulary, **given
    )


@settings(max_examples=25)
@given(texts=SOME_TEXTS, longest=LONGEST, size=st.integers(1, 40), at_once=st.integers(1, 4))
def test_the_most_frequent_are_kept_and_of_equal_ones_the_shorter_then_the_alphabet(
    texts: list[str], longest: int, size: int, at_once: int
) -> None:
    counts = Counter(name for text in texts for name in letters(longest).build_analyzer()(text))
    best = sorted(counts, key=lambda name: (-counts[name], len(name), name))[:size]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(characters_module, "WORDS_AT_ONCE", at_once)
        found = most_frequent_inside(encoded(texts), longest, size)
    assert found.names.to_list() == sorted(best, key=lambda name: (len(name), name))


@settings(max_examples=25)
@given(train=SOME_TEXTS, others=TEXTS, longest=LONGEST, sublinear=st.booleans(), piece=st.integers(1, 4))
def test_rows_are_those_of_scikit_learns_union(
    train: list[str], others: list[str], longest: int, sublinear: bool, piece: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logistic, "PIECE", piece)
        patch.setattr(characters_module, "WORDS_AT_ONCE", piece)
        vectorizer = NgramVectorizer(2, 25, sublinear, longest)
        rows = vectorizer.fit_transform(encoded(train))
    assert vectorizer.characters
    names = vectorizer.ngrams.names.to_list(), vectorizer.characters.names.to_list()
    words = TfidfVectorizer(
        lowercase=False, token_pattern=r"\S+", ngram_range=(1, 2), vocabulary=names[0], sublinear_tf=sublinear
    )
    peer = FeatureUnion([("words", words), ("letters", letters(longest, names[1], sublinear_tf=sublinear))])
    np.testing.assert_allclose(rows.toarray(), peer.fit_transform(train).toarray(), atol=1e-6)
    found = vectorizer.transform(column(others))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.toarray(), peer.transform(others).toarray(), atol=1e-6)


def test_a_word_never_seen_is_told_by_its_characters() -> None:
    ngrams = most_frequent_inside(encoded(["dress dresses"]), 4, 100)
    counts = inside_texts(ngrams, column(["dressed", "zzz", ""])).toarray()
    found = {name for name, count in zip(ngrams.names, counts[0], strict=True) if count}
    assert {" dre", "ress", "esse"} <= found
    assert counts[1].sum() == 2  # the spaces at its ends
    assert counts[2].sum() == 0


@settings(max_examples=25)
@given(texts=SOME_TEXTS, others=TEXTS, longest=LONGEST)
def test_read_back_it_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], others: list[str], longest: int
) -> None:
    vectorizer = NgramVectorizer(2, 30, True, longest)
    vectorizer.fit_transform(encoded(texts))
    path = tmp_path_factory.mktemp("vectorizer") / "ngrams.json"
    vectorizer.save(path)
    expected, found = (each.transform(column(others)) for each in (vectorizer, NgramVectorizer.load(path)))
    assert found.toarray().tolist() == expected.toarray().tolist()


Values = dict[str, Any]
DAMAGES: dict[str, tuple[Callable[[Values], object], str]] = {
    "order": (lambda d: d["characters"].reverse(), "its n-grams are out of order"),
    "twice": (lambda d: d["characters"].__setitem__(0, d["characters"][1]), "not different n-grams"),
    "letter": (lambda d: d["characters"].remove("b"), "the beginning or a word of an n-gram is missing"),
    "fewer": (lambda d: d["idf"].pop(), "positive weights of its n-grams"),
    "none": (lambda d: d.update(characters=[]), "not different n-grams"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_list_of_characters_is_refused(damage: str, tmp_path: Path) -> None:
    change, message = DAMAGES[damage]
    vectorizer, path = NgramVectorizer(1, 50, True, 2), tmp_path / "ngrams.json"
    vectorizer.fit_transform(encoded(["ab a", "b"]))
    vectorizer.save(path)
    values = json.loads(path.read_text(encoding="utf-8"))
    change(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        NgramVectorizer.load(path)


def test_a_name_joined_by_nothing_is_taken_apart_into_its_characters() -> None:
    ngrams = Ngrams.of(pl.Series(["a", "é", " ", "aé", "aé "]), joiner="")
    assert ngrams.longest == 3
    assert ngrams.count(ngrams.read(pl.Series(["aé a"]))).toarray()[0].tolist() == [1, 2, 1, 1, 1]
