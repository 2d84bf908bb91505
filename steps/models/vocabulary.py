"""Words to indices and back, on whole columns; sequences stay ragged: no padding is stored."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

PADDING, UNKNOWN = 0, 1
SIZE = 5_000  # study A: the 5,000 most frequent words, two of the indices being padding and unknown
# A review is cut to its last words beyond the longest training review, and never holds more than this: one pasted
# article would otherwise make a whole batch as long as itself.
LONGEST = 256


@dataclass(frozen=True)
class Sequences:
    """Ragged rows of word indices: row i is `tokens[offsets[i]:offsets[i + 1]]`."""

    tokens: np.ndarray
    offsets: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Words per review."""
        return np.diff(self.offsets)

    def padded(self, rows: np.ndarray, width: int | None = None) -> np.ndarray:
        """The chosen rows, padded on the left to the longest of them (or to `width`); shape (rows, width), int32."""
        lengths = self.lengths[rows]
        width = max(1, int(lengths.max(initial=0)), width or 0)
        batch = np.full((len(rows), width), PADDING, dtype=np.int32)
        filled = np.arange(width) >= width - lengths[:, None]
        ends = np.cumsum(lengths)
        within_row = np.arange(lengths.sum()) - np.repeat(ends - lengths, lengths)
        batch[filled] = self.tokens[np.repeat(self.offsets[rows], lengths) + within_row]
        return batch

    def save(self, folder: Path) -> None:
        """Write both arrays as they are: ragged, nothing padded."""
        np.save(folder / "tokens.npy", self.tokens)
        np.save(folder / "offsets.npy", self.offsets)

    @classmethod
    def open(cls, folder: Path) -> "Sequences":
        """What `save` wrote, mapped into memory."""
        return cls(np.load(folder / "tokens.npy", mmap_mode="r"), np.load(folder / "offsets.npy", mmap_mode="r"))


@dataclass(frozen=True)
class Vocabulary:
    """The most frequent words of the training split, most frequent first, and the longest sequence kept."""

    words: tuple[str, ...]
    max_length: int

    @classmethod
    def fit(cls, texts: pl.Series, size: int = SIZE, longest: int = LONGEST) -> "Vocabulary":
        """Count the words of cleaned texts; equal counts are ordered by the alphabet, so that equal texts agree."""
        words = _split(texts)
        counts = words.explode().drop_nulls().alias("word").value_counts()
        frequent = counts.sort(["count", "word"], descending=[True, False])["word"].head(size - 2)
        max_length = int(np.clip(words.list.len().to_numpy().max(initial=1), 1, longest))
        return cls(tuple(frequent), max_length)

    def encode(self, texts: pl.Series) -> Sequences:
        """Word indices of cleaned texts; words not in the vocabulary become `UNKNOWN`."""
        words = _split(texts).list.tail(self.max_length)
        indices = pl.int_range(UNKNOWN + 1, UNKNOWN + 1 + len(self.words), dtype=pl.Int32, eager=True)
        flat = words.explode().drop_nulls()
        tokens = flat.replace_strict(pl.Series(self.words, dtype=pl.String), indices, default=UNKNOWN)
        offsets = np.concatenate([[0], words.list.len().cast(pl.Int64).cum_sum().to_numpy()])
        return Sequences(tokens.cast(pl.Int32).to_numpy(), offsets)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of a sequence; padding is left out, unknown words read `[UNK]`."""
        names = ("", "[UNK]", *self.words)
        return " ".join(names[token] for token in tokens if token != PADDING)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        path.write_text(json.dumps({"max_length": self.max_length, "words": self.words}, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(values["words"]), values["max_length"])


def _split(texts: pl.Series) -> pl.Series:
    return texts.str.split(" ").list.eval(pl.element().filter(pl.element() != ""))
