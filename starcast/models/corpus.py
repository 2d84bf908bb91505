"""The reviews a model learns from, and their encoding, made once for all trials of a search."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from starcast.models.encoding import Encoding
from starcast.models.neighbours import review_space
from starcast.models.ragged import Sequences
from starcast.models.texts import StoredTexts, Texts, WorkProgress, chunks_of, silent, watched
from starcast.models.vocabulary import Vocabulary

VOCABULARY, PARTS = "vocabulary.json", ("train", "validation")


class Answering(Protocol):
    """A model that is asked."""

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Probabilities of the ratings 1-5 for cleaned texts, shape (reviews, 5)."""


@dataclass(frozen=True)
class CorpusSplit:
    """One split: cleaned texts, and ratings as index 0-4."""

    texts: Texts
    ratings: np.ndarray

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> "CorpusSplit":
        """From a table with the columns `cleaned` and `rating` (1-5)."""
        return cls(table["cleaned"], table["rating"].to_numpy().astype(np.int64) - 1)

    @classmethod
    def stored(cls, path: Path, rows: np.ndarray | None = None) -> "CorpusSplit":
        """From a split's Parquet file, whose texts stay there; of some `rows` only, in the file's order, if given."""
        ratings = pl.read_parquet(path, columns=["rating"])["rating"].to_numpy().astype(np.int64) - 1
        if rows is None:
            return cls(StoredTexts(path), ratings)
        taken = np.zeros(len(ratings), dtype=bool)
        taken[rows] = True
        return cls(StoredTexts(path, taken), ratings[taken])


@dataclass(frozen=True)
class Corpus:
    """Training and validation split. The test split is not here: a search cannot read it.

    `folder` holds the encoding where it has been made already, by `save`. `show` is told how far work on all reviews is.
    """

    train: CorpusSplit
    validation: CorpusSplit
    folder: Path | None = None
    show: WorkProgress = silent

    @classmethod
    def stored(cls, train: Path, validation: Path) -> "Corpus":
        """From the Parquet files of both splits."""
        return cls(CorpusSplit.stored(train), CorpusSplit.stored(validation))

    @cached_property
    def encoding(self) -> Encoding:
        """Every word of both splits as a number."""
        return (
            Encoding.open(self.folder)
            if self.folder
            else Encoding.of(self.train.texts, self.validation.texts, show=self.show)
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The most frequent words of the training split, which networks read."""
        return Vocabulary.load(self.folder / VOCABULARY) if self.folder else Vocabulary.of(self.encoding)

    @cached_property
    def train_sequences(self) -> Sequences:
        """The training split as word indices of the vocabulary."""
        return self._sequences("train", self.encoding.train)

    @cached_property
    def validation_sequences(self) -> Sequences:
        """The validation split as word indices of the vocabulary."""
        return self._sequences("validation", self.encoding.validation)

    @cached_property
    def review_space(self) -> np.ndarray:
        """Where the reviews of the training split are neighbours, shape (reviews, n)."""
        return review_space(self.train_sequences)

    def _sequences(self, split: str, numbers: Sequences) -> Sequences:
        return Sequences.open(self.folder / split) if self.folder else self.vocabulary.renumbered(numbers)

    def save(self, folder: Path) -> None:
        """Encode, and write all that a model learns from so that any number of processes can map it into their memory."""
        encoding = Encoding.of(self.train.texts, self.validation.texts, folder)
        vocabulary = Vocabulary.of(encoding)
        vocabulary.save(folder / VOCABULARY)
        for name, part, numbers in zip(
            PARTS, (self.train, self.validation), (encoding.train, encoding.validation), strict=True
        ):
            np.save(folder / f"{name}_ratings.npy", part.ratings)
            vocabulary.renumbered(numbers, folder / name)

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """What `save` wrote, without the texts; the operating system shares the pages among processes."""
        train, validation = (
            CorpusSplit(_NO_TEXTS, np.load(folder / f"{name}_ratings.npy", mmap_mode="r")) for name in PARTS
        )
        return cls(train, validation, folder)


def answers_of(model: Answering, texts: Texts, show: WorkProgress = silent) -> np.ndarray:
    """A model's probabilities of the ratings 1-5 for texts of any number, shape (reviews, 5), float32."""
    chunks = watched(chunks_of(texts), len(texts), "answering", show)
    return np.concatenate([np.empty((0, 5), dtype=np.float32), *map(model.probabilities, chunks)])


_NO_TEXTS = pl.Series("cleaned", [], dtype=pl.String)  # of an opened corpus: models learn from the numbers
