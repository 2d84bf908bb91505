"""Find which of the known words, and of the n-grams made of them, occur in texts."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from starcast.cli.errors import UserError
from starcast.models.encoding import Encoding
from starcast.models.texts import Sequences, WorkProgress, silent, watched
from starcast.reviews.ahead import map_ahead

MERGED = 4_000_000  # counts that are collected before they are added up
Matches = tuple[np.ndarray, np.ndarray]  # n-grams of one length: the place of each's first word, its number


def numbers_of(words: pl.Series, known: pl.Series) -> np.ndarray:
    """Return the place of each word in `known`, sorted and without repeats, or -1, int32."""
    if len(words) > len(known):  # a lookup table is then soon made, and twice as fast
        places = pl.int_range(len(known), dtype=pl.Int32, eager=True)
        return words.replace_strict(known, places, default=-1).to_numpy()
    nearest = known.search_sorted(words).clip(upper_bound=max(len(known) - 1, 0))
    return np.where(known.gather(nearest) == words, nearest, -1).astype(np.int32)


@dataclass(frozen=True)
class Words:
    """The words of `texts` reviews, one after the other: their numbers (-1: unknown), and their reviews."""

    numbers: np.ndarray
    rows: np.ndarray
    texts: int


@dataclass(frozen=True)
class Ngrams:
    """Numbered n-grams: shorter ones first, those of one length in alphabetical order.

    They consist of words, joined by a space, or of characters, joined by nothing; `words` then holds these.
    An n-gram of several words is found by its key: the number of the n-gram before its last word, times the
    number of n-grams, plus the number of its last word. `keys` ascend; `numbers` are those of their n-grams.
    """

    names: pl.Series
    words: pl.Series
    longest: int
    keys: np.ndarray
    numbers: np.ndarray
    joiner: str = " "

    @classmethod
    def of(cls, names: pl.Series, joiner: str = " ") -> "Ngrams":
        """Number distinct n-grams, which include each one's words and the n-gram before its last word."""
        name, length = pl.col("name"), pl.col("length")
        words_of = name.str.count_matches(" ", literal=True) + 1 if joiner else name.str.len_chars()
        table = names.to_frame("name").with_columns(length=words_of)
        table = table.sort("length", "name").with_row_index("number")
        words = table.filter(length == 1)["name"]
        longer = table.filter(length > 1).with_columns(parts=name.str.split(joiner))
        longer = longer.with_columns(before=pl.col("parts").list.head(length - 1).list.join(joiner))
        before = longer.join(table, left_on="before", right_on="name", maintain_order="left")["number_right"]
        last = words.search_sorted(longer["parts"].list.last()).to_numpy()
        keys = before.to_numpy().astype(np.int64) * len(table) + last
        order = np.argsort(keys)
        numbers = longer["number"].to_numpy()
        longest = int(table["length"][-1])
        return cls(table["name"], words, longest, keys[order], numbers[order], joiner)

    def read(self, texts: pl.Series) -> Words:
        """Return the words of cleaned texts, or the characters of anything."""
        rows = pl.int_range(len(texts), dtype=pl.Int32, eager=True)
        table = pl.DataFrame({"row": rows, "word": texts.str.split(self.joiner)}).explode("word")
        table = table.filter(pl.col("word") != "")
        return Words(numbers_of(table["word"], self.words), table["row"].to_numpy(), len(texts))

    def read_encoded(
        self,
        names: pl.Series,
        texts: Sequences,
        what: str = "",
        show: WorkProgress = silent,
        at_once: int | None = None,
    ) -> Iterator[Words]:
        """Yield the words of encoded texts, some texts at a time; `names`: what their numbers stand for."""
        places = np.append(numbers_of(names, self.words), np.int32(-1))  # the last: words without a number
        for chunk in watched(texts.chunks(at_once), len(texts), what, show):
            rows = np.repeat(np.arange(len(chunk), dtype=np.int32), chunk.lengths)
            yield Words(places[chunk.tokens], rows, len(chunk))

    def find(self, words: Words) -> Iterator[Matches]:
        """Yield the n-grams in some words: those of one word, of two, and so on."""
        places = np.flatnonzero(words.numbers >= 0)
        numbers = words.numbers[places]
        yield places, numbers
        for length in range(2, self.longest + 1):
            places, keys = self.extend(places, numbers, words, length)
            nearest = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
            known = self.keys[nearest] == keys
            places, numbers = places[known], self.numbers[nearest[known]]
            yield places, numbers

    def extend(self, places: np.ndarray, numbers: np.ndarray, words: Words, length: int) -> Matches:
        """Extend n-grams by the known word that follows, to `length` words; return their places and keys."""
        inside = np.searchsorted(places, len(words.rows) - length + 1)
        places, numbers = places[:inside], numbers[:inside]
        ends = places + length - 1
        whole = (words.rows[places] == words.rows[ends]) & (words.numbers[ends] >= 0)
        keys = numbers[whole].astype(np.int64) * len(self.names) + words.numbers[ends[whole]]
        return places[whole], keys

    def count(self, words: Words) -> sparse.csr_matrix:
        """Return how often each n-gram occurs in each text, float32 (texts, n-grams)."""
        # Row and n-gram make one integer: sorting puts equal ones together, in the order of the matrix.
        shape = (words.texts, len(self.names))
        found = self.find(words)
        cells = [words.rows[places].astype(np.int64) * shape[1] + numbers for places, numbers in found]
        distinct, counts = np.unique(np.concatenate(cells), return_counts=True)
        rows, columns = np.divmod(distinct, shape[1])
        ends = np.searchsorted(rows, np.arange(shape[0] + 1)).astype(np.int32)
        return sparse.csr_matrix((counts.astype(np.float32), columns.astype(np.int32), ends), shape)


def are_whole(names: pl.Series, joiner: str = " ") -> bool:
    """Return whether n-grams include each one's last word, and the n-gram before it."""
    parts = pl.col("parts")
    longer = names.str.split(joiner).to_frame("parts").filter(parts.list.len() > 1)
    before = longer.select(parts.list.head(parts.list.len() - 1).list.join(joiner)).to_series()
    last = longer["parts"].list.last()
    return bool(before.is_in(names.implode()).all() and last.is_in(names.implode()).all())


def most_frequent(encoding: Encoding, longest: int, size: int, show: WorkProgress = silent) -> Ngrams:
    """Return the most frequent n-grams of 1 to `longest` words; ties: shorter first, then alphabetically.

    Raises:
        UserError: there is no word in the texts.
    """
    if encoding.words.is_empty():
        raise UserError("no review has a word to learn from: each is empty once cleaned")
    counted = pl.DataFrame({"name": encoding.words, "count": encoding.counts})
    counted = counted.filter(pl.col("count") >= _least(counted, size))
    counted = counted.with_columns(length=pl.lit(1, pl.Int32))
    ngrams = Ngrams.of(counted["name"])
    while ngrams.longest < longest:
        keys = _count_longer(ngrams, encoding, show).filter(pl.col("count") >= _least(counted, size))
        if keys.is_empty():
            break  # longer ones are not more frequent
        before, last = np.divmod(keys["key"].to_numpy(), len(ngrams.names))
        names = ngrams.names.gather(before) + " " + ngrams.names.gather(last)
        longer = keys.select(name=names, count="count", length=pl.lit(ngrams.longest + 1, pl.Int32))
        counted = pl.concat([counted, longer])
        ngrams = Ngrams.of(counted["name"])
    best = counted.sort("count", "length", "name", descending=[True, False, False]).head(size)
    return Ngrams.of(best["name"])


def _least(counted: pl.DataFrame, size: int) -> int:
    """Return the count below which an n-gram is not among the `size` most frequent."""
    return int(counted["count"].sort(descending=True)[size - 1]) if len(counted) >= size else 1


def _count_longer(ngrams: Ngrams, encoding: Encoding, show: WorkProgress) -> pl.DataFrame:
    """Return columns `key`, `count` of n-grams that are one word longer than the longest known."""
    length = ngrams.longest + 1

    def count(words: Words) -> pl.DataFrame:
        """Count the longer n-grams of some texts."""
        *_, (places, numbers) = ngrams.find(words)
        _, longer = ngrams.extend(places, numbers, words, length)
        keys, counts = np.unique(longer, return_counts=True)
        return pl.DataFrame({"key": keys, "count": counts})

    def added(tables: list[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat(tables).group_by("key").agg(pl.sum("count"))

    merged, apart = pl.DataFrame(schema={"key": pl.Int64, "count": pl.Int64}), list[pl.DataFrame]()
    words = ngrams.read_encoded(encoding.words, encoding.train, f"counting {length}-grams", show)
    for counted in map_ahead(count, words):
        apart.append(counted)
        if sum(map(len, apart)) > max(MERGED, len(merged)):
            merged, apart = added([merged, *apart]), []
    return added([merged, *apart])
