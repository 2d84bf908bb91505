"""Texts and their words as numbers: a few at a time are in memory, the others on the disk."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, TypeVar

import numpy as np
import polars as pl

from starcast.models.family import Reads
from starcast.reviews.clean import join_title
from starcast.reviews.parquet import read_row_groups, schema_of

CHUNK = 20_000  # reviews processed at once, which limits memory
PADDING, UNKNOWN = 0, 1
TOKENS, OFFSETS = "tokens.int32", "offsets.npy"
WorkProgress = Callable[[str, float], None]  # takes what is being done, and the share that is done, 0 to 1
Chunk = TypeVar("Chunk", bound=Sized)


def silent(what: str, share: float) -> None:
    """Show nothing."""


def watched(chunks: Iterable[Chunk], total: int, what: str, show: WorkProgress) -> Iterator[Chunk]:
    """Yield the chunks, which hold `total` reviews; each is shown as done when the next is requested."""
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        show(what, done / total)


@dataclass(frozen=True)
class StoredTexts:
    """The texts of a split's Parquet file or folder, in the form that a family reads.

    `rows`: which texts of the file are taken, bool (texts,); None: all.
    """

    path: Path
    rows: np.ndarray | None = None
    reads: Reads = "words"

    def __len__(self) -> int:
        if self.rows is not None:
            return int(self.rows.sum())
        return pl.scan_parquet(self.path).select(pl.len()).collect().item()


Texts = pl.Series | StoredTexts


def chunks_of(texts: Texts) -> Iterator[pl.Series]:
    """Yield the texts in order, at most `CHUNK` at once; no chunk is empty."""
    if isinstance(texts, pl.Series):
        yield from (texts.slice(begin, CHUNK) for begin in range(0, len(texts), CHUNK))
        return
    begin, raw = 0, [name for name in ("title", "text") if name in schema_of(texts.path)]
    columns = {"raw": raw, "both": [*raw, "cleaned"]}.get(texts.reads, ["cleaned"])
    for table in read_row_groups(texts.path, CHUNK, columns):
        chunk = in_form(texts.reads, table)
        if texts.rows is not None:
            chunk = chunk.filter(pl.Series(texts.rows[begin : begin + len(table)]))
        begin += len(table)
        if len(chunk):
            yield chunk


def in_form(reads: Reads, reviews: pl.DataFrame) -> pl.Series:
    """Return texts in the form that a family reads, from the columns that it needs."""
    if reads in ("words", "cleaned"):
        return reviews["cleaned"]
    raw = join_title(reviews).cast(pl.String).fill_null("").str.strip_chars().alias("raw")
    return raw if reads == "raw" else pl.DataFrame([raw, reviews["cleaned"]]).to_struct("both")


@dataclass(frozen=True)
class Sequences:
    """Texts as ragged rows of word numbers: row i is `tokens[offsets[i]:offsets[i + 1]]`."""

    tokens: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Return the number of words per review."""
        return np.diff(self.offsets)

    def chunks(self, at_once: int | None = None) -> Iterator["Sequences"]:
        """Yield the rows in order, at most `CHUNK` or so many at once."""
        size = at_once or CHUNK
        for begin in range(0, len(self), size):
            ends = self.offsets[begin : begin + size + 1]
            yield Sequences(self.tokens[ends[0] : ends[-1]], ends - ends[0])

    def padded(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return the chosen rows, padded on the right to the longest (or to `width`), int32 (rows, width).

        A review without words gets one unknown word: cuDNN, which Keras uses on a GPU, needs a first word.
        """
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        lengths = ends - starts
        width = max(1, int(lengths.max(initial=0)), width or 0)
        batch = np.full((len(rows), width), PADDING, dtype=np.int32)
        filled = np.arange(width) < lengths[:, None]
        within_row = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        batch[filled] = self.tokens[np.repeat(starts, lengths) + within_row]
        batch[lengths == 0, 0] = UNKNOWN
        return batch

    def padded_left(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """Return the same with the padding on the left, as in both studies, whose networks mask nothing."""
        batch = self.padded(rows, width)
        words_last = np.argsort(batch != PADDING, axis=1, kind="stable")
        return np.take_along_axis(batch, words_last, axis=1)

    def any_of(self, marked: np.ndarray) -> np.ndarray:
        """Return which sequences have a marked token, shape (sequences,); `marked`: for each token, bool."""
        before = np.append(0, marked.cumsum())[self.offsets]
        return np.asarray(before[1:] > before[:-1])

    @classmethod
    def open(cls, folder: Path) -> "Sequences":
        """Map what `write` wrote into memory; any number of processes share its pages."""
        with (folder / TOKENS).open("rb") as file:
            return cls(mapped(file, np.int32, "r"), np.load(folder / OFFSETS, mmap_mode="r"))

    @classmethod
    def write(cls, rows: Iterable[tuple[np.ndarray, np.ndarray]], folder: Path | None) -> "Sequences":
        """Write ragged rows into a new folder or an unnamed file; map them into memory, changeable in place.

        Args:
            rows: for some rows at a time, their word numbers, concatenated, and the number of words of each.
        """
        if folder:
            folder.mkdir()
        lengths = [np.zeros(1, dtype=np.int64)]
        with (folder / TOKENS).open("w+b") if folder else tempfile.TemporaryFile() as file:
            for numbers, counts in rows:
                file.write(np.ascontiguousarray(numbers, dtype=np.int32).data)
                lengths.append(counts)
            offsets = np.cumsum(np.concatenate(lengths), dtype=np.int64)
            if folder:
                np.save(folder / OFFSETS, offsets)
            return cls(mapped(file, np.int32, "r+"), offsets)


def mapped(file: IO[bytes], dtype: type, mode: Literal["r", "r+"]) -> np.ndarray:
    """Map an open file into memory, also an empty one."""
    empty = file.seek(0, os.SEEK_END) == 0
    file.flush()
    return np.empty(0, dtype) if empty else np.memmap(file, dtype=dtype, mode=mode)
