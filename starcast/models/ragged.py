"""Ragged rows of numbers: reviews as words, without padding in memory or on the disk."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from starcast.models import texts

PADDING, UNKNOWN = 0, 1
TOKENS, OFFSETS = "tokens.int32", "offsets.npy"


@dataclass(frozen=True)
class Sequences:
    """Ragged rows of word indices: row i is `tokens[offsets[i]:offsets[i + 1]]`."""

    tokens: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Words per review."""
        return np.diff(self.offsets)

    def chunks(self) -> Iterator["Sequences"]:
        """The rows in order, at most `CHUNK` at once."""
        for begin in range(0, len(self.offsets) - 1, texts.CHUNK):
            ends = self.offsets[begin : begin + texts.CHUNK + 1]
            yield Sequences(self.tokens[ends[0] : ends[-1]], ends - ends[0])

    def padded(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """The chosen rows, padded on the right to the longest of them (or to `width`); shape (rows, width), int32.

        A review without a word reads as an unknown one: cuDNN, which Keras takes on a GPU, wants one in each, at the left.
        """
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        lengths = ends - starts
        width = max(1, int(lengths.max(initial=0)), width or 0)
        batch = np.full((len(rows), width), PADDING, dtype=np.int32)
        filled = np.arange(width) < lengths[:, None]
        ends_within = np.cumsum(lengths)
        within_row = np.arange(lengths.sum()) - np.repeat(ends_within - lengths, lengths)
        batch[filled] = self.tokens[np.repeat(starts, lengths) + within_row]
        batch[lengths == 0, 0] = UNKNOWN
        return batch

    @classmethod
    def open(cls, folder: Path) -> "Sequences":
        """What a `RaggedWriter` wrote there, mapped into memory; any number of processes share its pages."""
        return cls(_mapped(folder / TOKENS, "r"), np.load(folder / OFFSETS, mmap_mode="r"))


class RaggedWriter:
    """Writes ragged rows, some at a time, into a new folder or, without one, into an unnamed file; a context."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder:
            folder.mkdir()
        self._file = (folder / TOKENS).open("w+b") if folder else tempfile.TemporaryFile()  # noqa: SIM115 (closed at exit)
        self._lengths: list[np.ndarray] = [np.zeros(1, dtype=np.int64)]

    def __enter__(self) -> "RaggedWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, tokens: np.ndarray, lengths: np.ndarray) -> None:
        """Write rows: their numbers one after the other, and how many each has."""
        self._file.write(np.ascontiguousarray(tokens, dtype=np.int32).data)
        self._lengths.append(lengths)

    def finish(self) -> Sequences:
        """All rows, mapped into memory; their numbers can be changed in place."""
        self._file.flush()
        offsets = np.cumsum(np.concatenate(self._lengths), dtype=np.int64)
        if self._folder:
            np.save(self._folder / OFFSETS, offsets)
            return Sequences(_mapped(self._folder / TOKENS, "r+"), offsets)
        return Sequences(_mapped(self._file, "r+"), offsets)


def _mapped(file: Path | object, mode: str) -> np.ndarray:
    empty = file.stat().st_size == 0 if isinstance(file, Path) else not file.tell()  # type: ignore[attr-defined]
    # An empty file cannot be mapped.
    return np.empty(0, dtype=np.int32) if empty else np.memmap(file, dtype=np.int32, mode=mode)  # type: ignore[call-overload]
