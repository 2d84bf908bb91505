"""The bytes of a column hold the words that the definition, a pattern, finds."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.reviews.clean import Cleaner
from starcast.reviews.light import find_words, light_of_version_1

# Often what parts words, and apostrophes and marks in all places.
ASCII = st.text(st.one_of(st.sampled_from("aB1''!!? .\n-"), st.characters(max_codepoint=127)), max_size=20)
ANY = st.text(
    st.one_of(st.sampled_from("aB1'\u2019 .é"), st.characters(blacklist_categories=["Cs"])), max_size=20
)
WORD_OF_VERSION_1 = r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*"
WORD = r"[a-z0-9é]+(?:'[a-z0-9é]+)*|!+|\?+"


def by_the_pattern(texts: pl.Series, pattern: str) -> list[str]:
    plain = texts.fill_null("").str.replace_all("\u2019", "'", literal=True).str.to_lowercase()
    return plain.str.extract_all(pattern).list.join(" ").to_list()


@settings(max_examples=300)
@given(texts=st.lists(ASCII, max_size=6), first=st.integers(0, 3))
def test_bytes_give_the_words_and_marks_of_the_pattern(texts: list[str], first: int) -> None:
    column = pl.Series(texts, dtype=pl.String)[first:]  # also of a part of a column
    runs = by_the_pattern(column, WORD)
    once = [
        " ".join(word[0] if word[0] in "!?" else word for word in text.split(" ") if word) for text in runs
    ]
    assert find_words(column, marks=True).to_list() == once


@settings(max_examples=300)
@given(texts=st.lists(ASCII, max_size=6))
def test_without_marks_bytes_give_letters_and_digits(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    assert find_words(column, marks=False).to_list() == by_the_pattern(column, WORD_OF_VERSION_1)


@settings(max_examples=300)
@given(texts=st.lists(ASCII | ANY, max_size=6))
def test_texts_of_both_kinds_keep_their_places_in_version_1(texts: list[str]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    assert light_of_version_1(column).to_list() == by_the_pattern(column, WORD_OF_VERSION_1)


def test_nothing_reaches_into_the_next_text() -> None:
    texts = ["don'", "t", "rock'n'roll", "'tis", "a''b", "no!", "!", "?", "?no", ""]
    expected = ["don", "t", "rock'n'roll", "tis", "a b", "no !", "!", "?", "? no", ""]
    assert find_words(pl.Series(texts), marks=True).to_list() == expected


@pytest.mark.parametrize("rows", [4_999, 5_000, 5_001, 12_000])
def test_many_texts_are_cleaned_as_few(rows: int) -> None:
    kinds = ["It's fine!", "très bon", "so &lt;3", ":) 不", ""]
    expected = ["it's fine !", "très bon", "so <3", ":) 不", ""]
    texts = [kinds[row % 5] for row in range(rows)]
    assert Cleaner().clean(pl.Series(texts)).to_list() == [expected[row % 5] for row in range(rows)]
