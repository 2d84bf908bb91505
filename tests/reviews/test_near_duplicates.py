"""Copies with a word changed are found, other texts are not."""

import numpy as np
import polars as pl

from starcast.reviews.near_duplicates import FEWEST_WORDS, repeated, signatures


def texts_of(count: int, words: int, seed: int) -> list[list[str]]:
    drawn = np.random.default_rng(seed).integers(0, 3_000, (count, words))
    return [[f"w{number}" for number in row] for row in drawn]


def marked(texts: list[list[str]]) -> np.ndarray:
    return repeated(signatures(pl.Series([" ".join(words) for words in texts])))


def test_copies_with_one_word_of_thirty_changed_are_found() -> None:
    first = texts_of(500, 30, 1)
    copies = [
        [*words[:place], "other", *words[place + 1 :]]
        for place, words in zip([7, 20] * 250, first, strict=True)
    ]
    found = marked(first + copies)
    assert not found[:500].any()
    assert found[500:].mean() >= 0.95


def test_other_texts_are_not_marked() -> None:
    assert not marked(texts_of(2_000, 20, 2)).any()


def test_texts_that_share_half_are_not_marked() -> None:
    first, other = texts_of(300, 30, 3), texts_of(300, 30, 4)
    assert not marked(first + [a[:15] + b[15:] for a, b in zip(first, other, strict=True)]).any()


def test_short_texts_are_never_marked() -> None:
    assert not marked([["great", "product"]] * 3 + [["so"] * (FEWEST_WORDS - 1)] * 2).any()
    assert marked([["so", "good"] * 5] * 2).tolist() == [False, True]


def test_signatures_of_parts_are_those_of_the_whole() -> None:
    texts = pl.Series([" ".join(words) for words in texts_of(20, 15, 5)] + ["short", ""])
    parts = [
        signatures(texts[:7]),
        signatures(texts[7:21]),
        signatures(texts[21:]),
        signatures(texts.clear()),
    ]
    assert (np.concatenate(parts) == signatures(texts)).all()
