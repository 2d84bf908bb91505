"""Words to indices and back, against plain Python."""

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from starcast.models.encoding import Vocabulary
from starcast.models.texts import PADDING, UNKNOWN, Sequences
from tests.models.vocabularies import vocabulary_of

WORDS = st.text(alphabet="abcé雨ß", min_size=1, max_size=3)
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=8)


def column(texts: list[str]) -> pl.Series:
    return pl.Series("cleaned", texts, dtype=pl.String)


def rows_of(sequences: Sequences) -> list[list[int]]:
    ends = sequences.offsets
    return [sequences.tokens[ends[i] : ends[i + 1]].tolist() for i in range(len(ends) - 1)]


def decoded(sequences: Sequences, vocabulary: Vocabulary) -> list[str]:
    names = ("", "[UNK]", *vocabulary.words)
    return [" ".join(names[number] for number in row) for row in rows_of(sequences)]


def expected_text(text: str, vocabulary: Vocabulary) -> str:
    last_words = text.split()[-vocabulary.max_length :]
    return " ".join(word if word in vocabulary.words else "[UNK]" for word in last_words)


@given(train=TEXTS, others=TEXTS, size=st.integers(2, 8), longest=st.integers(1, 10))
def test_decoded_text_is_its_source_with_unknown_words_marked(
    train: list[str], others: list[str], size: int, longest: int
) -> None:
    vocabulary = vocabulary_of(column(train), size, longest)
    for texts in (train, others):
        expected = [expected_text(text, vocabulary) for text in texts]
        assert decoded(vocabulary.encode(column(texts)), vocabulary) == expected


@given(texts=TEXTS, size=st.integers(2, 8))
def test_words_are_the_most_frequent_first_and_ties_follow_the_alphabet(texts: list[str], size: int) -> None:
    counts = Counter(word for text in texts for word in text.split())
    expected = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
    assert list(vocabulary_of(column(texts), size).words) == expected


def test_order_of_the_texts_does_not_change_the_vocabulary() -> None:
    texts = ["d c b a", "b a", "c a"]
    assert vocabulary_of(column(texts)) == vocabulary_of(column(texts[::-1]))
    assert vocabulary_of(column(texts)).words == ("a", "b", "c", "d")


def test_size_counts_padding_and_unknown() -> None:
    texts = column([f"word{i}" for i in range(6_000)])
    vocabulary = vocabulary_of(texts)
    assert len(vocabulary.words) == 4_998
    assert vocabulary.encode(texts).tokens.max() == 4_999


def test_first_word_has_the_index_after_unknown() -> None:
    vocabulary = vocabulary_of(column(["good good bad"]))
    assert vocabulary.encode(column(["bad good new"])).tokens.tolist() == [UNKNOWN + 2, UNKNOWN + 1, UNKNOWN]


def test_empty_text_has_no_words_and_keeps_its_place() -> None:
    vocabulary = vocabulary_of(column(["a b"]))
    sequences = vocabulary.encode(column(["", "a", "  ", "b", ""]))
    assert sequences.lengths.tolist() == [0, 1, 0, 1, 0]
    assert sequences.padded(np.array([0, 1, 2])).tolist() == [[UNKNOWN], [UNKNOWN + 1], [UNKNOWN]]


def test_no_text_at_all_is_no_row() -> None:
    vocabulary = vocabulary_of(column(["a b"]))
    assert vocabulary.encode(column([])).lengths.tolist() == []
    assert vocabulary_of(column([])) == Vocabulary((), 1)


def test_a_vocabulary_without_words_reads_everything_as_unknown() -> None:
    vocabulary = vocabulary_of(column(["", ""]))
    assert rows_of(vocabulary.encode(column(["a", ""]))) == [[UNKNOWN], []]


def test_long_text_keeps_its_last_words() -> None:
    vocabulary = vocabulary_of(column(["a b c"]))
    assert vocabulary.max_length == 3
    sequences = vocabulary.encode(column(["a a a c b a", "a b c"]))
    assert decoded(sequences, vocabulary) == ["c b a", "a b c"]


def test_one_pasted_article_does_not_set_the_longest_review() -> None:
    article = column(["word " * 3_000, "word"])
    assert vocabulary_of(article).max_length == 256
    assert vocabulary_of(article, longest=10).encode(article).lengths.tolist() == [10, 1]


def test_saved_vocabulary_is_read_back_equal(tmp_path: Path) -> None:
    vocabulary = vocabulary_of(column(['très bien 雨 "quoted" don\'t', "bien \\ back"]))
    vocabulary.save(tmp_path / "vocabulary.json")
    assert Vocabulary.load(tmp_path / "vocabulary.json") == vocabulary


@given(data=st.data(), width=st.none() | st.integers(0, 12))
def test_padding_equals_a_plain_loop(data: st.DataObject, width: int | None) -> None:
    reviews = data.draw(st.lists(st.lists(st.integers(1, 99), max_size=7), min_size=1, max_size=8))
    rows = data.draw(st.lists(st.integers(0, len(reviews) - 1), max_size=8))
    offsets = np.concatenate([[0], np.cumsum([len(review) for review in reviews])])
    sequences = Sequences(
        np.array([token for review in reviews for token in review], dtype=np.int32), offsets
    )

    batch = sequences.padded(np.array(rows, dtype=int), width)

    chosen = [reviews[row] for row in rows]
    longest = max([1, width or 0, *(len(review) for review in chosen)])
    assert batch.shape == (len(rows), longest)
    assert batch.dtype == np.int32
    expected = [(review or [UNKNOWN], [PADDING] * (longest - len(review or [UNKNOWN]))) for review in chosen]
    assert batch.tolist() == [[*read, *padding] for read, padding in expected]
    left = sequences.padded_left(np.array(rows, dtype=int), width)
    assert left.tolist() == [[*padding, *read] for read, padding in expected]
