"""Words are found among known ones alike, few or many."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from starcast.models.ngrams import numbers_of

WORDS = st.text(st.sampled_from("abé雨'"), max_size=3)


@given(known=st.sets(WORDS, min_size=1, max_size=8), words=st.lists(WORDS, max_size=20))
def test_a_word_has_its_place_among_the_known_ones_or_none(known: set[str], words: list[str]) -> None:
    places = sorted(known, key=str.encode)
    found = numbers_of(pl.Series(words, dtype=pl.String), pl.Series(places, dtype=pl.String))
    assert found.tolist() == [places.index(word) if word in known else -1 for word in words]
    assert found.dtype.name == "int32"
