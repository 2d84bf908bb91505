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

from starcast.cli.errors import UserError
from starcast.models.corpus import Corpus
from starcast.models.family import MAKES_REVIEWS, FitOptions, Sampling
from starcast.models.neighbours import FarthestRows, RowNeighbours
from starcast.models.ragged import Sequences

NEAR_MISS_NEIGHBOURS = 3  # imbalanced-learn's
NOT_RESAMPLED = ("none", "class_weight")


def warning_of(sampling: str) -> str:
    """What a user should know of a sampling, to stand behind its name; mostly nothing."""
    if sampling != "adasyn_token_ids":
        return ""
    return " (WARNING: it makes reviews between the numbers of words, which mean nothing; it is here for study B's table)"


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


def training_rows(corpus: Corpus, training: FitOptions) -> TrainingRows:
    """The training split of a corpus for a network, after sampling.

    Raises:
        UserError: the sampling cannot be done with these reviews.
    """
    if training.sampling == "adasyn_token_ids":
        return TrainingRows(*resample_token_ids(corpus.train_sequences, corpus.train.ratings, training))
    resampled = resample(corpus, training)
    return TrainingRows(
        corpus.train_sequences, resampled.ratings if resampled else corpus.train.ratings, resampled
    )


def review_weights(ratings: np.ndarray, sampling: Sampling) -> np.ndarray:
    """One weight per row, mean 1: all equal, or `class_weight`, which gives every rating the same sum (study B)."""
    if sampling != "class_weight":
        return np.ones(len(ratings), dtype=np.float32)
    return compute_sample_weight("balanced", ratings).astype(np.float32)


def count_ratings(ratings: np.ndarray) -> np.ndarray:
    """Rows per rating 1-5, shape (5,)."""
    return np.bincount(ratings, minlength=5)


def effective_shares(ratings: np.ndarray, sampling: Sampling) -> np.ndarray:
    """The share of each rating that a model fitted on these rows learns from, weights included, shape (5,)."""
    shares = np.bincount(ratings, review_weights(ratings, sampling), minlength=5)
    return shares / shares.sum()


def resample(corpus: Corpus, training: FitOptions) -> Resampled | None:
    """Draw the rows of the training split to learn from; none where the reviews stay as they are.

    Raises:
        UserError: a rating has too few reviews for the neighbours asked, or ADASYN finds no border between ratings.
    """
    if training.sampling in NOT_RESAMPLED:
        return None
    ratings = corpus.train.ratings
    neighbours = check_members(count_ratings(ratings), training)
    rows = sparse.identity(len(ratings), dtype=np.float32, format="csr")
    mixture, chosen = _fit_resample(_sampler(corpus, training, neighbours), rows, ratings, training.sampling)
    mixture.eliminate_zeros()
    return Resampled(mixture, chosen)


def resample_token_ids(
    sequences: Sequences, ratings: np.ndarray, training: FitOptions
) -> tuple[Sequences, np.ndarray]:
    """Study B's own: ADASYN on the word indices, padded on the left; its rows lie between words' numbers, which mean nothing."""
    from imblearn.over_sampling import ADASYN

    neighbours = check_members(count_ratings(ratings), training)
    padded = sequences.padded(np.arange(len(ratings)))
    padded = np.take_along_axis(
        padded, np.argsort(padded != 0, axis=1, kind="stable"), axis=1
    )  # the words to the right
    sampler = ADASYN(n_neighbors=neighbours, random_state=training.seed)
    tokens, chosen = _fit_resample(sampler, padded, ratings, training.sampling)
    lengths = np.count_nonzero(tokens, axis=1)
    return Sequences(tokens[tokens != 0], np.concatenate([[0], np.cumsum(lengths)])), chosen


def check_members(counts: np.ndarray, training: FitOptions) -> int:
    """How many neighbours a sampling takes of each review: as many as asked or, where allowed, as there are.

    Raises:
        UserError: a rating of `counts`, shape (5,), has too few reviews.
    """
    wanted = NEAR_MISS_NEIGHBOURS if training.sampling == "nearmiss_2" else training.neighbours
    if training.sampling not in (*MAKES_REVIEWS, "nearmiss_2"):
        return wanted
    itself = int(training.sampling in MAKES_REVIEWS)  # a review is no neighbour of its own
    members = np.where(counts > 0, counts, counts.max())
    rarest = int(members.argmin())
    there = int(members[rarest]) - itself
    if there >= wanted or (training.fewer_neighbours and there >= 1):
        return min(wanted, there)
    least = (1 if training.fewer_neighbours else wanted) + itself
    ways = "add reviews of it, choose random_over" + (
        "" if training.fewer_neighbours else ", or pass fewer_neighbours=true"
    )
    raise UserError(
        f"sampling {training.sampling}: rating {rarest + 1} has {_counted(members[rarest], 'review')} in the training split, "
        f"at least {least} are needed for {_counted(least - itself, 'neighbour')}; {ways}"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _sampler(corpus: Corpus, training: FitOptions, neighbours: int) -> Any:
    # Here, so that a model that is served does without imbalanced-learn.
    from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
    from imblearn.under_sampling import NearMiss, RandomUnderSampler

    seed = training.seed
    if training.sampling == "random_under":
        return RandomUnderSampler(random_state=seed)
    if training.sampling == "random_over":
        return RandomOverSampler(random_state=seed)
    if training.sampling == "smote":
        return SMOTE(k_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    if training.sampling == "adasyn":
        return ADASYN(n_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    return NearMiss(version=2, n_neighbors=FarthestRows(corpus.review_space, neighbours))


def _fit_resample(sampler: Any, rows: Any, ratings: np.ndarray, sampling: Sampling) -> tuple[Any, np.ndarray]:
    try:
        return sampler.fit_resample(rows, ratings)
    except (
        RuntimeError,
        ValueError,
    ) as error:  # ADASYN where ratings lie apart, or differ by a few rows only
        raise UserError(
            f"sampling {sampling}: {str(error).splitlines()[0]}; choose another sampling"
        ) from None
