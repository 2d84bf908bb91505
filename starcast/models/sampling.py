"""What is done about class imbalance in the training split, and in no other: weights, or rows drawn, left out or made up.

Made-up rows are interpolated between two reviews of a rating that are neighbours (`starcast.models.neighbours`): for the linear
model their TF-IDF vectors, for a network the vectors of their words, position by position, as its embedding stands (Guo et
al., Augmenting data with mixup for sentence classification, 2019, within one rating).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.class_weight import compute_sample_weight

from starcast.cli.errors import UserError, first_line
from starcast.models.corpus import Corpus
from starcast.models.family import MAKES_REVIEWS, FitOptions
from starcast.models.neighbours import FarthestRows, RowNeighbours
from starcast.models.ragged import Sequences

NEAR_MISS_NEIGHBOURS = 3  # imbalanced-learn's
NOT_RESAMPLED = ("none", "class_weight")


@dataclass(frozen=True)
class Resampled:
    """Rows to train on: row i is `mixture[i]`, one review or two with their shares, shape (rows, reviews); its rating 0-4."""

    mixture: sparse.csr_matrix
    ratings: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The review each row begins with, shape (rows,)."""
        return self.mixture.indices[self.mixture.indptr[:-1]]

    @property
    def second(self) -> np.ndarray:
        """The other review of each row; the first again where there is no other."""
        return self.mixture.indices[self.mixture.indptr[1:] - 1]

    @property
    def mixes(self) -> bool:
        """Whether any row is of two reviews."""
        return self.mixture.nnz > len(self.ratings)

    @property
    def share(self) -> np.ndarray:
        """How much of the second is in each row, shape (rows,), float32; 0 where there is none."""
        mixed = np.diff(self.mixture.indptr) > 1
        return np.where(mixed, self.mixture.data[self.mixture.indptr[1:] - 1], 0).astype(np.float32)


@dataclass(frozen=True)
class TrainingRows:
    """What a network learns from: rows of `sequences`, or of `resampled` over them, and their ratings as index 0-4."""

    sequences: Sequences
    ratings: np.ndarray
    resampled: Resampled | None = None

    @property
    def mixes(self) -> bool:
        """Whether any row is of two reviews."""
        return self.resampled is not None and self.resampled.mixes


def training_rows(corpus: Corpus, options: FitOptions) -> TrainingRows:
    """The training split of a corpus for a network, after sampling.

    Raises:
        UserError: the sampling cannot be done with these reviews.
    """
    if options.sampling == "adasyn_token_ids":
        return TrainingRows(*resample_token_ids(corpus.train_sequences, corpus.train.ratings, options))
    resampled = resample(corpus, options)
    return TrainingRows(
        corpus.train_sequences, resampled.ratings if resampled else corpus.train.ratings, resampled
    )


def review_weights(ratings: np.ndarray, sampling: str) -> np.ndarray:
    """One weight per row, mean 1: all equal, or `class_weight`, which gives every rating the same sum (study B)."""
    if sampling != "class_weight":
        return np.ones(len(ratings), dtype=np.float32)
    return compute_sample_weight("balanced", ratings).astype(np.float32)


def count_ratings(ratings: np.ndarray) -> np.ndarray:
    """Rows per rating 1-5, shape (5,)."""
    return np.bincount(ratings, minlength=5)


def effective_shares(ratings: np.ndarray, sampling: str) -> np.ndarray:
    """The share of each rating that a model fitted on these rows learns from, weights included, shape (5,)."""
    shares = np.bincount(ratings, review_weights(ratings, sampling), minlength=5)
    return shares / shares.sum()


def resample(corpus: Corpus, options: FitOptions) -> Resampled | None:
    """Draw the rows of the training split to learn from; none where the reviews stay as they are.

    Raises:
        UserError: a rating has too few reviews for the neighbours asked, or ADASYN finds no border between ratings.
    """
    if options.sampling in NOT_RESAMPLED:
        return None
    ratings = corpus.train.ratings
    neighbours = neighbours_taken(count_ratings(ratings), options)
    rows = sparse.identity(len(ratings), dtype=np.float32, format="csr")
    mixture, chosen = _fit_resample(_sampler(corpus, options, neighbours), rows, ratings, options.sampling)
    mixture.eliminate_zeros()
    return Resampled(mixture, chosen)


def resample_token_ids(
    sequences: Sequences, ratings: np.ndarray, options: FitOptions
) -> tuple[Sequences, np.ndarray]:
    """Study B's own: ADASYN on the word indices, padded on the left; its rows lie between words' numbers, which mean nothing."""
    from imblearn.over_sampling import ADASYN

    neighbours = neighbours_taken(count_ratings(ratings), options)
    padded = sequences.padded(np.arange(len(ratings)))
    padded = np.take_along_axis(
        padded, np.argsort(padded != 0, axis=1, kind="stable"), axis=1
    )  # the words to the right
    sampler = ADASYN(n_neighbors=neighbours, random_state=options.seed)
    tokens, chosen = _fit_resample(sampler, padded, ratings, options.sampling)
    lengths = np.count_nonzero(tokens, axis=1)
    return Sequences(tokens[tokens != 0], np.concatenate([[0], np.cumsum(lengths)])), chosen


def neighbours_taken(counts: np.ndarray, options: FitOptions) -> int:
    """Return how many neighbours of each review a sampling takes: those asked for, or as many as the rarest rating has.

    Raises:
        UserError: a rating of `counts`, shape (5,), has a single review, from which no other can be made up.
    """
    makes_reviews = options.sampling in MAKES_REVIEWS
    wanted = NEAR_MISS_NEIGHBOURS if options.sampling == "nearmiss_2" else options.neighbours
    if not makes_reviews and options.sampling != "nearmiss_2":
        return wanted
    members = np.where(counts > 0, counts, counts.max())
    there = int(members.min()) - makes_reviews  # a review is no neighbour of its own
    if there < 1:
        raise UserError(
            f"sampling {options.sampling}: rating {members.argmin() + 1} has 1 review in the training split, "
            "at least 2 are needed; add reviews of it or choose random_over"
        )
    return min(wanted, there)


def sampling_note(counts: np.ndarray, options: FitOptions) -> str:
    """Return what a user should know of a sampling of these ratings, to print behind its name; mostly nothing."""
    if options.sampling == "adasyn_token_ids":
        return " (WARNING: it makes reviews between the numbers of words, which mean nothing; it is here for study B's table)"
    neighbours = neighbours_taken(counts, options)
    if options.sampling not in MAKES_REVIEWS or neighbours == options.neighbours:
        return ""
    rarest = np.where(counts > 0, counts, counts.max()).argmin()
    return (
        f" ({neighbours} of {options.neighbours} neighbours: rating {rarest + 1} has only {counts[rarest]} reviews"
        " in the training split)"
    )


def _sampler(corpus: Corpus, options: FitOptions, neighbours: int) -> Any:
    # Here, so that a model that is served does without imbalanced-learn.
    from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
    from imblearn.under_sampling import NearMiss, RandomUnderSampler

    seed = options.seed
    if options.sampling == "random_under":
        return RandomUnderSampler(random_state=seed)
    if options.sampling == "random_over":
        return RandomOverSampler(random_state=seed)
    if options.sampling == "smote":
        return SMOTE(k_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    if options.sampling == "adasyn":
        return ADASYN(n_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    return NearMiss(version=2, n_neighbors=FarthestRows(corpus.review_space, neighbours))


def _fit_resample(sampler: Any, rows: Any, ratings: np.ndarray, sampling: str) -> tuple[Any, np.ndarray]:
    try:
        return sampler.fit_resample(rows, ratings)
    except (
        RuntimeError,
        ValueError,
    ) as error:  # ADASYN where ratings lie apart, or differ by a few rows only
        raise UserError(
            f"sampling {sampling}: {first_line(error)}; choose another sampling"
        ) from None
