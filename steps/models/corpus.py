"""The reviews a model learns from, and their encoding for networks, made once for all trials of a search."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from steps.models.vocabulary import Sequences, Vocabulary


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
    """Training and validation split. The test split is not here: a search cannot read it."""

    train: Part
    validation: Part

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of the training split."""
        return Vocabulary.fit(self.train.texts)

    @cached_property
    def train_sequences(self) -> Sequences:
        """The training split as word indices."""
        return self.vocabulary.encode(self.train.texts)

    @cached_property
    def validation_sequences(self) -> Sequences:
        """The validation split as word indices."""
        return self.vocabulary.encode(self.validation.texts)
