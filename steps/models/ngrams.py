"""TF-IDF of the most frequent word n-grams on whole columns: what scikit-learn's TfidfVectorizer gives, sooner.

Words become numbers once; an n-gram is then the number of its first words and the number of its last, one integer, and
sorting integers counts them. An n-gram is never more frequent than the words in it, so those with a rare word are not
counted at all, and every n-gram that is kept begins with one that is kept.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

CHUNK = 20_000  # reviews worked on at once: bounds memory, and is as fast as more


@dataclass(frozen=True)
class Words:
    """Known words where they stand: word `numbers[i]` (-1: unknown) is the next after `numbers[i - 1]` if `rows` are equal."""

    numbers: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class Ngrams:
    """Numbered n-grams: shorter ones first, those of one length by the alphabet; `keys` finds them again.

    An n-gram of several words has the key `number of the n-gram without its last word * len(names) + number of that word`.
    """

    names: pl.Series
    words: pl.Series
    keys: np.ndarray  # in ascending order
    numbers: np.ndarray  # the n-gram of each key
    longest: int

    @classmethod
    def of(cls, names: pl.Series) -> "Ngrams":
        """Number distinct n-grams; with an n-gram come those that it begins with, and its words."""
        table = names.unique().to_frame("name").with_columns(length=pl.col("name").str.count_matches(" ", literal=True) + 1)
        table = table.sort("length", "name")
        words = table.filter(length=1)["name"]
        longer = table.with_row_index("number").filter(pl.col("length") > 1)
        first, last = (longer["name"].str.extract(pattern) for pattern in ("^(.*) ", " ([^ ]*)$"))
        numbered = table.with_row_index("first_number").select("first_number", first="name")
        firsts = first.to_frame("first").join(numbered, on="first", how="left", maintain_order="left")["first_number"]
        keys = firsts.to_numpy().astype(np.int64) * len(table) + words.search_sorted(last).to_numpy()
        order = np.argsort(keys)
        return cls(table["name"], words, keys[order], longer["number"].to_numpy()[order], int(table["length"].max()))
