"""Study A's reviews for the search benchmark.

The very split, cleaning and vocabulary of `tune`, in study A's encoding.
"""

from dataclasses import dataclass

import numpy as np

from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.texts import Sequences
from starcast.reviews import check, clean, layouts, sources, stream
from starcast.reviews.clean import join_title
from starcast.reviews.split import LEARNED_FROM, split_reviews

PREPROCESSING_SEED = 42  # the split's validation draw; the seed of a search does not move it


@dataclass(frozen=True)
class Arrays:
    """Word indices of shape (reviews, longest training review), and one-hot labels of shape (reviews, 5)."""

    train: np.ndarray
    train_labels: np.ndarray
    validation: np.ndarray
    validation_labels: np.ndarray


def load_corpus() -> Corpus:
    """Training and validation set as `tune --data=clothing --split=study_a --cleaning=study_a` makes them."""
    table = stream.read_table(sources.locate("clothing"))
    layout = layouts.recognise(table.columns)
    reviews, _ = check.check_reviews(check.to_reviews(table, layout), layout, drop_duplicates=False)
    cleaner = clean.Cleaner.create("study_a", False)
    reviews = reviews.with_columns(cleaner.clean(join_title(reviews)).alias("cleaned"))
    tables = split_reviews(reviews, "study_a", PREPROCESSING_SEED)
    train, validation = (
        CorpusSplit(tables[name]["cleaned"], tables[name]["rating"].to_numpy().astype(np.int64) - 1)
        for name in LEARNED_FROM
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
        return sequences.padded(rows, width), np.eye(5, dtype=np.float32)[part.ratings[rows]]

    return Arrays(
        *encoded(corpus.train, corpus.train_sequences),
        *encoded(corpus.validation, corpus.validation_sequences),
    )
