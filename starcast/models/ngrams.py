"""Which of the known words a word is."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from scipy import sparse

from starcast.cli.errors import UserError
from starcast.models.encoding import Encoding
from starcast.models.ragged import Sequences
from starcast.models.texts import WorkProgress, silent, watched
from starcast.reviews.ahead import map_ahead


def numbers_of(words: pl.Series, known: pl.Series) -> np.ndarray:
    """The place of each word in `known`, which is sorted and has each once; -1 where it is not there, int32."""
    if len(words) > len(
        known
    ):  # a table of the known ones is soon made then, and twice as fast to look up in
        places = pl.int_range(len(known), dtype=pl.Int32, eager=True)
        return words.replace_strict(known, places, default=-1).to_numpy()
    nearest = known.search_sorted(words).clip(upper_bound=len(known) - 1)
    return np.where(known.gather(nearest) == words, nearest, -1).astype(np.int32)


MERGED = 4_000_000  # counts that are held apart before they are added up


@dataclass(frozen=True)
class Words:
    """The words of some reviews, one after the other."""

    numbers: np.ndarray  # -1 where unknown
    rows: np.ndarray
    texts: int


@dataclass(frozen=True)
class NgramMatches:
    """N-grams of one length in some words: the place of the first word of each, and a number for each."""

    places: np.ndarray
    numbers: np.ndarray


@dataclass(frozen=True)
class Ngrams:
    """Numbered n-grams: shorter ones first, those of one length by the alphabet.

    One of several words is found by its key: the number of what stands before its last word, times the number of n-grams,
    plus the number of its last word.
    """

    names: pl.Series
    words: pl.Series
    longest: int
    keys: np.ndarray  # ascending
    numbers: np.ndarray  # of the n-gram with each key

    @classmethod
    def of(cls, names: pl.Series) -> "Ngrams":
        """Number distinct n-grams, among which are the words of each and what stands before its last word."""
        table = names.to_frame("name").with_columns(
            length=pl.col("name").str.count_matches(" ", literal=True) + 1
        )
        table = table.sort("length", "name").with_row_index("number")
        words = table.filter(pl.col("length") == 1)["name"]
        longer = table.filter(pl.col("length") > 1).with_columns(parts=pl.col("name").str.split(" "))
        longer = longer.with_columns(before=pl.col("parts").list.head(pl.col("length") - 1).list.join(" "))
        before = longer.join(table, left_on="before", right_on="name", maintain_order="left")["number_right"]
        keys = (
            before.to_numpy().astype(np.int64) * len(table)
            + words.search_sorted(longer["parts"].list.last()).to_numpy()
        )
        order = np.argsort(keys)
        return cls(
            table["name"], words, int(table["length"][-1]), keys[order], longer["number"].to_numpy()[order]
        )

    def read(self, texts: pl.Series) -> Words:
        """The words of cleaned texts."""
        table = pl.DataFrame(
            {"row": pl.int_range(len(texts), dtype=pl.Int32, eager=True), "word": texts.str.split(" ")}
        )
        table = table.explode("word").filter(pl.col("word") != "")
        return Words(numbers_of(table["word"], self.words), table["row"].to_numpy(), len(texts))

    def read_encoded(
        self, names: pl.Series, texts: Sequences, what: str = "", show: WorkProgress = silent
    ) -> Iterator[Words]:
        """The words of encoded texts, some texts after the other; `names` are the words that their numbers stand for."""
        places = np.append(
            numbers_of(names, self.words), np.int32(-1)
        )  # the last is that of words without a number
        for chunk in watched(texts.chunks(), len(texts), what, show):
            rows = np.repeat(np.arange(len(chunk.lengths), dtype=np.int32), chunk.lengths)
            yield Words(places[chunk.tokens], rows, len(chunk.lengths))

    def find(self, words: Words) -> Iterator[NgramMatches]:
        """The n-grams in some words: those of one word, of two, and so on."""
        places = np.flatnonzero(words.numbers >= 0)
        found = NgramMatches(places, words.numbers[places])
        yield found
        for length in range(2, self.longest + 1):
            candidates = self.extend(found, words, length)
            nearest = np.searchsorted(self.keys, candidates.numbers).clip(max=len(self.keys) - 1)
            known = self.keys[nearest] == candidates.numbers
            found = NgramMatches(candidates.places[known], self.numbers[nearest[known]])
            yield found

    def extend(self, found: NgramMatches, words: Words, length: int) -> NgramMatches:
        """N-grams with the known word behind them, now of `length` words; their numbers are keys."""
        inside = np.searchsorted(found.places, len(words.rows) - length + 1)
        places, numbers = found.places[:inside], found.numbers[:inside]
        ends = places + length - 1
        whole = (words.rows[places] == words.rows[ends]) & (words.numbers[ends] >= 0)
        keys = numbers[whole].astype(np.int64) * len(self.names) + words.numbers[ends[whole]]
        return NgramMatches(places[whole], keys)

    def names_of(self, keys: np.ndarray) -> pl.Series:
        """The n-grams that keys stand for, known or not."""
        before, last = np.divmod(keys, len(self.names))
        return self.names.gather(before) + " " + self.names.gather(last)


def most_frequent(encoding: Encoding, longest: int, size: int, show: WorkProgress = silent) -> Ngrams:
    """The `size` n-grams of 1 to `longest` words that occur most often; of equal counts the shorter, then the alphabet.

    Raises:
        UserError: there is no word in the texts.
    """
    if encoding.words.is_empty():
        raise UserError("no review has a word to learn from: each is empty once cleaned")
    counted = pl.DataFrame({"name": encoding.words, "count": encoding.counts}).with_columns(
        length=pl.lit(1, pl.Int32)
    )
    counted = counted.select("name", "length", "count").filter(pl.col("count") >= _least(counted, size))
    ngrams = Ngrams.of(counted["name"])
    while ngrams.longest < longest:
        keys = _count_keys(ngrams, encoding, show).filter(pl.col("count") >= _least(counted, size))
        if keys.is_empty():
            break  # longer ones are not more frequent
        names = ngrams.names_of(keys["key"].to_numpy())
        counted = pl.concat(
            [counted, keys.select(name=names, length=pl.lit(ngrams.longest + 1, pl.Int32), count="count")]
        )
        ngrams = Ngrams.of(counted["name"])
    return Ngrams.of(
        counted.sort("count", "length", "name", descending=[True, False, False])["name"].head(size)
    )


def _count_keys(ngrams: Ngrams, encoding: Encoding, show: WorkProgress) -> pl.DataFrame:
    """Columns `key`, `count`: of n-grams that are one word longer than the longest known."""
    merged, apart = pl.DataFrame(schema={"key": pl.Int64, "count": pl.Int64}), []
    words = ngrams.read_encoded(encoding.words, encoding.train, f"counting {ngrams.longest + 1}-grams", show)
    for counted in map_ahead(partial(_count_longer, ngrams), words):
        apart.append(counted)
        if sum(map(len, apart)) > max(MERGED, len(merged)):
            merged, apart = _added([merged, *apart]), []
    return _added([merged, *apart])


def _count_longer(ngrams: Ngrams, words: Words) -> pl.DataFrame:
    *_, longest = ngrams.find(words)
    keys, counts = np.unique(ngrams.extend(longest, words, ngrams.longest + 1).numbers, return_counts=True)
    return pl.DataFrame({"key": keys, "count": counts})


def _added(counted: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(counted).group_by("key").agg(pl.sum("count"))


def _least(counted: pl.DataFrame, size: int) -> int:
    """The count below which an n-gram is not among the `size` most frequent."""
    return int(counted["count"].sort(descending=True)[size - 1]) if len(counted) >= size else 1


def count_ngrams(ngrams: Ngrams, words: Words) -> sparse.csr_matrix:
    """How often each n-gram occurs in each text, float32 (texts, n-grams)."""
    # An n-gram in a row is one integer: sorted, equal ones stand together, and in the order of the matrix.
    shape = (words.texts, len(ngrams.names))
    cells = [
        words.rows[found.places].astype(np.int64) * shape[1] + found.numbers for found in ngrams.find(words)
    ]
    distinct, counts = np.unique(np.concatenate(cells), return_counts=True)
    rows, columns = np.divmod(distinct, shape[1])
    ends = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
    return sparse.csr_matrix((counts.astype(np.float32), columns.astype(np.int32), ends), shape)
