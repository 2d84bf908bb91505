"""Study A's reviews for the search benchmark.

The very split, cleaning and vocabulary of `tune`, in study A's encoding.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from starcast.evaluation.scale import STARS
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.texts import Sequences
from starcast.reviews.check import CheckedRows, conclude
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.inspection import inspect, to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.sources import locate
from starcast.reviews.split import LEARNED_FROM, SPLITS, assign
from starcast.reviews.stream import read_chunks

PREPROCESSING_SEED = 42  # the split's validation draw; the seed of a search does not move it


@dataclass(frozen=True)
class Arrays:
    """Word indices of shape (reviews, longest training review), and one-hot labels of shape (reviews, 5)."""

    train: np.ndarray
    train_labels: np.ndarray
    validation: np.ndarray
    validation_labels: np.ndarray


def checked_reviews(data: str, drop_duplicates: bool = True) -> tuple[pl.DataFrame, CheckedRows]:
    """Return all rows of a set, `rating` being the verdict (usable: above 0), and what `assign` needs."""
    table = pl.concat([chunk.table for chunk in read_chunks(locate(data))])
    layout = recognise(table.columns)
    reviews = to_reviews(table, layout)
    cleaned = Cleaner.create("light").clean(join_title(reviews))
    judged, _ = conclude([inspect(reviews, cleaned)], layout, "refuse", drop_duplicates)
    return reviews.with_columns(pl.Series("rating", judged.verdicts)), judged


def load_corpus() -> Corpus:
    """Training and validation set as `tune --data=clothing --split=study_a --cleaning=study_a` makes them."""
    reviews, judged = checked_reviews("clothing", drop_duplicates=False)
    cleaner = Cleaner.create("study_a", False)
    reviews = reviews.with_columns(cleaner.clean(join_title(reviews)).alias("cleaned"))
    assigned = assign(judged.verdicts, judged.keys, STARS, "study_a", 0, PREPROCESSING_SEED)
    tables = [reviews.filter(assigned == SPLITS.index(name)) for name in LEARNED_FROM]
    train, validation = (
        CorpusSplit(table["cleaned"], table["rating"].to_numpy().astype(np.int64) - 1) for table in tables
    )
    return Corpus(train, validation)


def load_arrays(reviews: int = 0) -> Arrays:
    """Return every review padded on the left to the longest training review.

    The first `reviews` of each split, 0 is all.
    """
    corpus = load_corpus()
    width = corpus.vocabulary.max_length

    def encoded(part: CorpusSplit, sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(len(part.ratings))[: reviews or None]
        return sequences.padded_left(rows, width), np.eye(5, dtype=np.float32)[part.ratings[rows]]

    return Arrays(
        *encoded(corpus.train, corpus.train_sequences),
        *encoded(corpus.validation, corpus.validation_sequences),
    )
