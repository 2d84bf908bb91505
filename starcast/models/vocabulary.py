"""The words a network knows: words to indices and back, on whole columns."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.encoding import Encoding, split_words
from starcast.models.ragged import PADDING, UNKNOWN, RaggedWriter, Sequences

SIZE = 5_000  # study A: the 5,000 most frequent words, two of the indices being padding and unknown
# A review is cut to its last words beyond the longest training review, and never holds more than this: one pasted
# article would otherwise make a whole batch as long as itself.
LONGEST = 256


@dataclass(frozen=True)
class Vocabulary:
    """The most frequent words of the training split, most frequent first, and the longest sequence kept."""

    words: tuple[str, ...]
    max_length: int

    @classmethod
    def of(cls, encoding: Encoding, size: int = SIZE, longest: int = LONGEST) -> "Vocabulary":
        """The most frequent words of an encoded training split; equal counts are ordered by the alphabet."""
        max_length = int(np.clip(encoding.train.lengths.max(initial=1), 1, longest))
        return cls(tuple(encoding.words.head(size - 2)), max_length)

    def renumbered(self, encoded: Sequences, folder: Path | None = None) -> Sequences:
        """What `encode` makes of texts, from their encoding; written into a new folder or, without one, an unnamed file."""
        with RaggedWriter(folder) as writer:
            for part in encoded.chunks():
                lengths = np.minimum(part.lengths, self.max_length)
                last = np.arange(len(part.tokens)) >= np.repeat(part.offsets[1:] - lengths, part.lengths)
                numbers = part.tokens[last]
                known = (numbers >= 0) & (numbers < len(self.words))
                writer.append(np.where(known, numbers + UNKNOWN + 1, UNKNOWN), lengths)
            return writer.finish()

    def encode(self, texts: pl.Series) -> Sequences:
        """Word indices of cleaned texts; words not in the vocabulary become `UNKNOWN`."""
        words = split_words(texts).list.tail(self.max_length)
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
        path.write_text(
            json.dumps({"max_length": self.max_length, "words": self.words}, ensure_ascii=False),
            encoding="utf-8",
        )

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        return cls(tuple(values["words"]), values["max_length"])
