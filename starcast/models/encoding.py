"""Cleaned texts as numbers of words, made once for all models: one pass over the texts, the numbers on the disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.ragged import RaggedWriter, Sequences
from starcast.models.texts import Texts, WorkProgress, chunks_of, silent, watched
from starcast.reviews.ahead import map_ahead

WORDS, TRAIN, VALIDATION = "words.arrow", "train_words", "validation_words"
NOT_KNOWN = -1  # the number of a word that the training split does not have
BLOCK = 8 * 2**20  # words renumbered at once


@dataclass(frozen=True)
class Encoding:
    """All words of the training split, most frequent first, equal counts by the alphabet; and texts as their places in it.

    Attributes:
        words: shape (n,).
        counts: how often each occurs in the training split, int64, shape (n,).
        train, validation: a number per word of the texts; `NOT_KNOWN` where the training split does not have it.
    """

    words: pl.Series
    counts: np.ndarray
    train: Sequences
    validation: Sequences

    @classmethod
    def of(
        cls, train: Texts, validation: Texts, folder: Path | None = None, show: WorkProgress = silent
    ) -> "Encoding":
        """Read the texts of both splits once; the numbers are written into the folder, or else into unnamed files."""
        # Polars numbers words as they come, and forgets how once no column is left; when all are counted they are renumbered.
        coming = pl.Categorical(pl.Categories.random(physical=pl.UInt32))
        kept = pl.Series([], dtype=pl.String).cast(coming)
        first = _write(train, coming, folder and folder / TRAIN, show)
        counts = _count(first.tokens)
        second = _write(validation, coming, folder and folder / VALIDATION, show)
        words = pl.Series(np.arange(len(counts), dtype=np.uint32)).cat.to(kept.dtype).cast(pl.String)
        table = pl.DataFrame({"word": words, "count": counts}).with_row_index("came")
        table = table.sort("count", "word", descending=[True, False])
        ranks = np.empty(len(counts), dtype=np.int32)
        ranks[table["came"]] = np.arange(len(counts), dtype=np.int32)
        for numbers in (first.tokens, second.tokens):
            _renumber(numbers, ranks)
        encoding = cls(table["word"], table["count"].to_numpy(), first, second)
        if folder:
            pl.DataFrame({"word": encoding.words, "count": encoding.counts}).write_ipc(folder / WORDS)
        return encoding

    @classmethod
    def open(cls, folder: Path) -> "Encoding":
        """What `of` wrote; the numbers are mapped into memory."""
        table = pl.read_ipc(folder / WORDS)
        train, validation = (Sequences.open(folder / name) for name in (TRAIN, VALIDATION))
        return cls(table["word"], table["count"].to_numpy(), train, validation)


def _write(texts: Texts, coming: pl.Categorical, folder: Path | None, show: WorkProgress) -> Sequences:
    with RaggedWriter(folder) as writer:
        for numbers, lengths in map_ahead(
            partial(_numbers, coming), watched(chunks_of(texts), len(texts), "numbering words", show)
        ):
            writer.append(numbers, lengths)
        return writer.finish()


def _numbers(coming: pl.Categorical, texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    words = split_words(texts)
    numbers = words.explode().drop_nulls().cast(coming).to_physical().to_numpy()
    return numbers.view(np.int32), words.list.len().to_numpy()


def split_words(texts: pl.Series) -> pl.Series:
    """The words of each cleaned text, a column of lists."""
    words = texts.str.split(" ")
    if (words.explode() == "").any():  # of the empty text, mostly
        words = words.list.eval(pl.element().filter(pl.element() != ""))
    return words


def _blocks(numbers: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(numbers), BLOCK):
        yield numbers[begin : begin + BLOCK]


def _count(numbers: np.ndarray) -> np.ndarray:
    """How often each number from 0 on occurs."""
    counts = np.zeros(int(max((block.max() for block in _blocks(numbers)), default=-1)) + 1, dtype=np.int64)
    for block in _blocks(numbers):
        counts += np.bincount(block, minlength=len(counts))
    return counts


def _renumber(numbers: np.ndarray, ranks: np.ndarray) -> None:
    for block in _blocks(numbers):
        known = block < len(ranks)
        block[known], block[~known] = ranks[block[known]], NOT_KNOWN
