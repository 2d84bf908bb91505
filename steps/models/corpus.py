"""The reviews a model learns from, and their encoding for networks, made once for all trials of a search."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from steps.models.neighbours import review_space
from steps.models.vocabulary import Sequences, Vocabulary

VOCABULARY = "vocabulary.json"


@dataclass(frozen=True)
class Part:
    """One split: cleaned texts, and ratings as index 0-4."""

    texts: pl.Series
    ratings: np.ndarray

    @classmethod
    def from_table(cls, table: pl.DataFrame) -> "Part":
        """From a table with the columns `cleaned` and `rating` (1-5)."""
        return cls(table["cleaned"], table["rating"].to_numpy().astype(np.int64) - 1)


@dataclass(frozen=True)
class Corpus:
    """Training and validation split. The test split is not here: a search cannot read it.

    `folder` holds the encoding where it has been made already, by `save`.
    """

    train: Part
    validation: Part
    folder: Path | None = None

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the training split."""
        return Vocabulary.load(self.folder / VOCABULARY) if self.folder else Vocabulary.fit(self.train.texts)

    @cached_property
    def train_sequences(self) -> Sequences:
        """The training split as word indices."""
        return self._sequences("train", self.train)

    @cached_property
    def validation_sequences(self) -> Sequences:
        """The validation split as word indices."""
        return self._sequences("validation", self.validation)

    @cached_property
    def review_space(self) -> np.ndarray:
        """Where the reviews of the training split are neighbours, shape (reviews, n)."""
        return review_space(self.train_sequences)

    def _sequences(self, split: str, part: Part) -> Sequences:
        return Sequences.open(self.folder / split) if self.folder else self.vocabulary.encode(part.texts)

    def save(self, folder: Path) -> None:
        """Encode, and write everything so that any number of processes can map it into their memory."""
        self.vocabulary.save(folder / VOCABULARY)
        for split, part in (("train", self.train), ("validation", self.validation)):
            table = pl.DataFrame({"cleaned": part.texts, "rating": part.ratings + 1})
            table.write_ipc(folder / f"{split}.arrow")
            (folder / split).mkdir()
            self._sequences(split, part).save(folder / split)

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """What `save` wrote; the operating system shares the pages among processes."""
        train, validation = (Part.from_table(pl.read_ipc(folder / f"{split}.arrow")) for split in ("train", "validation"))
        return cls(train, validation, folder)
