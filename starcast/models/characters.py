"""N-grams of characters that stay inside a word: with a space on either side, beginnings and ends are told.

Misspelt, rare and inflected words then share n-grams with words that are known. How often an n-gram occurs in
a text follows from its words, (texts, words) @ (words, n-grams), so that each word is taken apart only once.
"""

import numpy as np
import polars as pl
from scipy import sparse

from starcast.models.encoding import Encoding
from starcast.models.ngrams import Ngrams, numbers_of
from starcast.models.texts import Sequences

WORDS_AT_ONCE = 100_000  # which limits memory


def most_frequent_inside(encoding: Encoding, longest: int, size: int) -> Ngrams:
    """Return the most frequent n-grams of 1 to `longest` characters inside the words of the training split.

    Ties: shorter first, then alphabetically.
    """
    counted = pl.DataFrame(schema={"name": pl.String, "count": pl.Int64})
    for begin in range(0, len(encoding.words), WORDS_AT_ONCE):
        part = slice(begin, begin + WORDS_AT_ONCE)
        found = [_inside(encoding.words[part], encoding.counts[part], n) for n in range(1, longest + 1)]
        counted = pl.concat([counted, *found]).group_by("name").agg(pl.sum("count"))
    length = pl.col("name").str.len_chars()
    best = counted.sort(-pl.col("count"), length, "name").head(size)
    return Ngrams.of(best["name"], joiner="")


def _inside(words: pl.Series, counts: np.ndarray, length: int) -> pl.DataFrame:
    """Return columns `name`, `count` of the n-grams of one length in words that occur so often."""
    places = pl.int_range(len(words), eager=True)
    table = pl.DataFrame({"place": places, "count": counts, "letter": _padded(words).str.split("")})
    table = table.explode("letter")
    following = [pl.col("letter").shift(-step) for step in range(length)]
    whole = pl.col("place") == pl.col("place").shift(1 - length)
    grams = table.select("count", name=pl.concat_str(following), whole=whole).filter("whole")
    return grams.group_by("name").agg(pl.sum("count"))


def _padded(words: pl.Series) -> pl.Series:
    return " " + words + " "


def inside_words(ngrams: Ngrams, words: pl.Series) -> sparse.csr_matrix:
    """Return how often each n-gram of characters occurs in each word, float32 (words, n-grams)."""
    begins = range(0, max(len(words), 1), WORDS_AT_ONCE)
    parts = (words.slice(begin, WORDS_AT_ONCE) for begin in begins)
    return sparse.vstack([ngrams.count(ngrams.read(_padded(part))) for part in parts], format="csr")


def inside_encoded(of_words: sparse.csr_matrix, texts: Sequences) -> sparse.csr_matrix:
    """Return the same of encoded texts, float32 (texts, n-grams), from the counts `of_words`."""
    return _sums(texts.tokens, texts.offsets, of_words)


def inside_texts(ngrams: Ngrams, texts: pl.Series) -> sparse.csr_matrix:
    """Return how often each n-gram occurs in cleaned texts, float32 (texts, n-grams)."""
    rows = pl.int_range(len(texts), dtype=pl.Int32, eager=True)
    table = pl.DataFrame({"row": rows, "word": texts.str.split(" ")}).explode("word")
    table = table.filter(pl.col("word") != "")
    distinct = table["word"].unique().sort()
    offsets = np.searchsorted(table["row"].to_numpy(), np.arange(len(texts) + 1))
    return _sums(numbers_of(table["word"], distinct), offsets, inside_words(ngrams, distinct))


def _sums(words: np.ndarray, offsets: np.ndarray, of_words: sparse.csr_matrix) -> sparse.csr_matrix:
    ones, shape = np.ones(len(words), dtype=np.float32), (len(offsets) - 1, of_words.shape[0])
    sums = sparse.csr_matrix((ones, words, offsets), shape) @ of_words
    sums.sort_indices()
    return sums
