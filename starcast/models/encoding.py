"""Encode words as numbers: every word of a corpus, for all models, and the most frequent, for networks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.recurrent_families import VOCABULARY_SIZE
from starcast.models.texts import UNKNOWN, Sequences, Texts, WorkProgress, chunks_of, silent, watched
from starcast.reviews.ahead import map_ahead

WORDS, TRAIN, VALIDATION = "words.arrow", "train_words", "validation_words"
NOT_KNOWN = -1  # the number of a word that is not in the training split
BLOCK = 8 * 2**20  # words renumbered at once
# A review longer than the longest training review, or than this, is cut to its last words: one pasted article
# would otherwise make a whole batch as long as itself.
LONGEST = 256


@dataclass(frozen=True)
class Encoding:
    """All words of the training split, most frequent first, and texts as numbers of words.

    Attributes:
        words: shape (n,); equal counts are ordered by the alphabet.
        counts: how often each occurs in the training split, int64, shape (n,).
        train, validation: the place of each word of the texts in `words`, or `NOT_KNOWN`.
    """

    words: pl.Series
    counts: np.ndarray
    train: Sequences
    validation: Sequences

    @classmethod
    def of(
        cls, train: Texts, validation: Texts, folder: Path | None = None, show: WorkProgress = silent
    ) -> "Encoding":
        """Read the texts of both splits once; write their numbers into the folder, or into unnamed files."""
        # Polars numbers words as they come, as long as a column with the categories exists.
        coming = pl.Categorical(pl.Categories.random(physical=pl.UInt32))
        kept = pl.Series([], dtype=pl.String).cast(coming)
        first = _number(train, coming, folder and folder / TRAIN, show)
        highest = max((int(block.max()) for block in _blocks(first.tokens)), default=-1)
        counts = np.zeros(highest + 1, dtype=np.int64)
        for block in _blocks(first.tokens):
            counts += np.bincount(block, minlength=len(counts))
        second = _number(validation, coming, folder and folder / VALIDATION, show)
        words = pl.Series(np.arange(len(counts), dtype=np.uint32)).cat.to(kept.dtype).cast(pl.String)
        table = pl.DataFrame({"word": words, "count": counts}).with_row_index("came")
        table = table.sort("count", "word", descending=[True, False])
        ranks = np.empty(len(counts), dtype=np.int32)
        ranks[table["came"]] = np.arange(len(counts), dtype=np.int32)
        for block in (*_blocks(first.tokens), *_blocks(second.tokens)):
            known = block < len(ranks)
            block[known], block[~known] = ranks[block[known]], NOT_KNOWN
        if folder:
            table.select("word", "count").write_ipc(folder / WORDS)
        return cls(table["word"], table["count"].to_numpy(), first, second)

    @classmethod
    def open(cls, folder: Path) -> "Encoding":
        """Read what `of` wrote; the numbers are mapped into memory."""
        table = pl.read_ipc(folder / WORDS)
        train, validation = (Sequences.open(folder / name) for name in (TRAIN, VALIDATION))
        return cls(table["word"], table["count"].to_numpy(), train, validation)


def _number(texts: Texts, coming: pl.Categorical, folder: Path | None, show: WorkProgress) -> Sequences:
    def number(chunk: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of all words of some texts, and how many each text has."""
        words = split_words(chunk)
        numbers = words.explode().drop_nulls().cast(coming).to_physical().to_numpy()
        return numbers.view(np.int32), words.list.len().to_numpy()

    chunks = watched(chunks_of(texts), len(texts), "numbering words", show)
    return Sequences.write(map_ahead(number, chunks), folder)


def split_words(texts: pl.Series) -> pl.Series:
    """Return the words of each cleaned text, a column of lists."""
    words = texts.str.split(" ")
    if (words.explode() == "").any():  # of the empty text, mostly
        words = words.list.eval(pl.element().filter(pl.element() != ""))
    return words


def _blocks(numbers: np.ndarray) -> Iterator[np.ndarray]:
    for begin in range(0, len(numbers), BLOCK):
        yield numbers[begin : begin + BLOCK]


@dataclass(frozen=True)
class Vocabulary:
    """The most frequent words of the training split, most frequent first, and the longest sequence kept."""

    words: tuple[str, ...]
    max_length: int

    @classmethod
    def of(cls, encoding: Encoding, size: int = VOCABULARY_SIZE, longest: int = LONGEST) -> "Vocabulary":
        """Take the most frequent words of an encoded training split."""
        max_length = int(np.clip(encoding.train.lengths.max(initial=1), 1, longest))
        return cls(tuple(encoding.words.head(size - 2)), max_length)

    def renumbered(self, encoded: Sequences, folder: Path | None = None) -> Sequences:
        """Return the result of `encode` from encoded texts, in a new folder or an unnamed file."""

        def renumber(part: Sequences) -> tuple[np.ndarray, np.ndarray]:
            """Return the last words of some texts, and how many each text keeps."""
            lengths = np.minimum(part.lengths, self.max_length)
            last = np.arange(len(part.tokens)) >= np.repeat(part.offsets[1:] - lengths, part.lengths)
            numbers = part.tokens[last]
            known = (numbers >= 0) & (numbers < len(self.words))
            return np.where(known, numbers + UNKNOWN + 1, UNKNOWN), lengths

        return Sequences.write(map(renumber, encoded.chunks()), folder)

    def encode(self, texts: pl.Series) -> Sequences:
        """Return word indices of cleaned texts; words not in the vocabulary become `UNKNOWN`."""
        words = split_words(texts).list.tail(self.max_length)
        indices = pl.int_range(UNKNOWN + 1, UNKNOWN + 1 + len(self.words), dtype=pl.Int32, eager=True)
        flat = words.explode().drop_nulls()
        tokens = flat.replace_strict(pl.Series(self.words, dtype=pl.String), indices, default=UNKNOWN)
        offsets = np.concatenate([[0], words.list.len().cast(pl.Int64).cum_sum().to_numpy()])
        return Sequences(tokens.cast(pl.Int32).to_numpy(), offsets)

    def save(self, path: Path) -> None:
        """Write the vocabulary as JSON."""
        values = {"max_length": self.max_length, "words": self.words}
        path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote; raise a ValueError if it is no vocabulary."""
        values = json.loads(path.read_text(encoding="utf-8"))
        words, longest = values["words"], values["max_length"]
        if not all(isinstance(word, str) for word in words) or len(set(words)) < len(words):
            raise ValueError(f"{path.name}: its words are not different words")
        if type(longest) is not int or longest < 1:
            raise ValueError(f"{path.name}: max_length is {longest!r:.40}, not a number of words")
        return cls(tuple(words), longest)
