"""The reviews a model learns from, and their encoding, made once for all trials of a search."""

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.scale import STARS, Scale
from starcast.models.encoding import Encoding, Vocabulary
from starcast.models.family import FittedModel, Reads
from starcast.models.neighbours import review_space
from starcast.models.texts import Sequences, StoredTexts, Texts, WorkProgress, chunks_of, silent, watched
from starcast.reviews.parquet import RowGroups

VOCABULARY, LABELS, TEXTS, PARTS = "vocabulary.json", "labels.json", "texts", ("train", "validation")


@dataclass(frozen=True)
class CorpusSplit:
    """One split: cleaned texts, and ratings as index from 0."""

    texts: Texts
    ratings: np.ndarray

    @classmethod
    def stored(cls, path: Path, rows: np.ndarray | None = None) -> "CorpusSplit":
        """Take a split's Parquet file, whose texts stay there, or some `rows` of it, in the file's order."""
        ratings = pl.read_parquet(path, columns=["rating"])["rating"].to_numpy().astype(np.int64) - 1
        if rows is None:
            return cls(StoredTexts(path), ratings)
        taken = np.zeros(len(ratings), dtype=bool)
        taken[rows] = True
        return cls(StoredTexts(path, taken), ratings[taken])

    def texts_read(self, reads: Reads) -> Texts:
        """Return the texts in the form that a family reads."""
        return replace(self.texts, reads=reads) if isinstance(self.texts, StoredTexts) else self.texts


@dataclass(frozen=True)
class Corpus:
    """Training and validation split. The test split is not here: a search cannot read it.

    `folder` holds the encoding once `save` has made it. `show` is called with the progress over all reviews.
    """

    train: CorpusSplit
    validation: CorpusSplit
    folder: Path | None = None
    show: WorkProgress = silent
    scale: Scale = STARS

    @classmethod
    def stored(cls, train: Path, validation: Path, scale: Scale = STARS) -> "Corpus":
        """Take the Parquet files of both splits."""
        return cls(CorpusSplit.stored(train), CorpusSplit.stored(validation), scale=scale)

    @cached_property
    def encoding(self) -> Encoding:
        """Return every word of both splits as a number."""
        if self.folder:
            return Encoding.open(self.folder)
        return Encoding.of(self.train.texts, self.validation.texts, show=self.show)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Return the most frequent words of the training split, which networks read."""
        return Vocabulary.load(self.folder / VOCABULARY) if self.folder else Vocabulary.of(self.encoding)

    @cached_property
    def train_sequences(self) -> Sequences:
        """Return the training split as word indices of the vocabulary."""
        return self._sequences("train")

    @cached_property
    def validation_sequences(self) -> Sequences:
        """Return the validation split as word indices of the vocabulary."""
        return self._sequences("validation")

    def _sequences(self, split: str) -> Sequences:
        if self.folder:
            return Sequences.open(self.folder / split)
        return self.vocabulary.renumbered(getattr(self.encoding, split))

    @cached_property
    def review_space(self) -> np.ndarray:
        """Return vectors of the training reviews, for the search of neighbours, shape (reviews, n)."""
        return review_space(self.train_sequences)

    def texts_of(self, split: str, reads: Reads) -> Texts:
        """Return the texts of a split, `train` or `validation`, in the form that a family reads."""
        part: CorpusSplit = getattr(self, split)
        if self.folder is None:
            return part.texts_read(reads)
        return StoredTexts(self.folder / f"{split}_{TEXTS}.parquet", reads=reads)

    def save(self, folder: Path, reads: Collection[Reads] = ()) -> None:
        """Encode, and write all that a model learns from, for any number of processes to map into memory.

        `reads`: the forms in which the families read texts; texts as such are written only if one does.
        """
        encoding = Encoding.of(self.train.texts, self.validation.texts, folder)
        vocabulary = Vocabulary.of(encoding)
        vocabulary.save(folder / VOCABULARY)
        (folder / LABELS).write_text(json.dumps(self.scale.labels), encoding="utf-8")
        for name in PARTS:
            np.save(folder / f"{name}_ratings.npy", getattr(self, name).ratings)
            vocabulary.renumbered(getattr(encoding, name), folder / name)
            if set(reads) - {"words"}:
                with RowGroups.to(folder / f"{name}_{TEXTS}.parquet") as file:
                    for chunk in chunks_of(self.texts_of(name, "both")):
                        file.write(chunk.struct.unnest().rename({"raw": "text"}))

    @classmethod
    def open(cls, folder: Path) -> "Corpus":
        """Read what `save` wrote, without the texts; processes share the pages."""
        no_texts = pl.Series("cleaned", [], dtype=pl.String)
        ratings = [np.load(folder / f"{name}_ratings.npy", mmap_mode="r") for name in PARTS]
        scale = Scale.of(json.loads((folder / LABELS).read_text(encoding="utf-8")))
        train, validation = (CorpusSplit(no_texts, each) for each in ratings)
        return cls(train, validation, folder, scale=scale)


def answers_of(model: FittedModel, texts: Texts, show: WorkProgress = silent) -> np.ndarray:
    """Return a model's probabilities of the ratings for some texts, float32 (reviews, labels)."""
    chunks = watched(chunks_of(texts), len(texts), "answering", show)
    return np.concatenate(list(map(model.probabilities, chunks)))
