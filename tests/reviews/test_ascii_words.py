"""The fast way of the light cleaning finds what its definition, the pattern, finds."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.reviews.clean import WORD, Cleaner, ascii_words

# Often what parts words, and apostrophes in all places.
ASCII = st.text(st.one_of(st.sampled_from("aB1'' .\n-"), st.characters(max_codepoint=127)), max_size=20)
ANY = st.text(
    st.one_of(st.sampled_from("aB1'\u2019 .é"), st.characters(blacklist_categories=["Cs"])), max_size=20
)


def by_the_pattern(texts: pl.Series) -> list[str]:
    plain = texts.fill_null("").str.replace_all("\u2019", "'", literal=True).str.to_lowercase()
    return plain.str.extract_all(WORD).list.join(" ").to_list()


@settings(max_examples=300)
@given(texts=st.lists(ASCII, max_size=6), first=st.integers(0, 3))
def test_bytes_give_the_words_of_the_pattern(texts: list[str], first: int) -> None:
    column = pl.Series(texts, dtype=pl.String)[first:]  # also of a part of a column
    assert ascii_words(column).to_list() == by_the_pattern(column)


@settings(max_examples=300)
@given(texts=st.lists(st.none() | ASCII | ANY, max_size=6))
def test_texts_of_both_kinds_keep_their_places(texts: list[str | None]) -> None:
    column = pl.Series(texts, dtype=pl.String)
    assert Cleaner().clean(column).to_list() == by_the_pattern(column)


def test_an_apostrophe_does_not_reach_into_the_next_text() -> None:
    assert ascii_words(pl.Series(["don'", "t", "rock'n'roll", "'tis", "a''b"])).to_list() == [
        "don",
        "t",
        "rock'n'roll",
        "tis",
        "a b",
    ]
