"""Treat class imbalance in the training split: by weights, or by rows drawn, dropped or synthesised.

Synthetic rows are interpolated between two neighbouring reviews of the same rating: for the linear model,
between their TF-IDF vectors; for a network, between their word vectors, position by position (Guo et al.,
Augmenting data with mixup for sentence classification, 2019, within one rating).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.class_weight import compute_sample_weight

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS, Scale
from starcast.models.corpus import Corpus
from starcast.models.family import MAKES_REVIEWS, FitOptions
from starcast.models.neighbours import FarthestRows, RowNeighbours
from starcast.models.texts import Sequences

NEAR_MISS_NEIGHBOURS = 3  # imbalanced-learn's


@dataclass(frozen=True)
class Resampled:
    """Rows to train on, one review or shares of two: `mixture`, shape (rows, reviews), and ratings from 0."""

    mixture: sparse.csr_matrix
    ratings: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """Return the first review of each row, shape (rows,)."""
        return self.mixture.indices[self.mixture.indptr[:-1]]

    @property
    def second(self) -> np.ndarray:
        """Return the second review of each row; the first again if there is no second."""
        return self.mixture.indices[self.mixture.indptr[1:] - 1]

    @property
    def mixes(self) -> bool:
        """Return whether any row is made of two reviews."""
        return self.mixture.nnz > len(self.ratings)

    @property
    def share(self) -> np.ndarray:
        """Return the share of the second review in each row, shape (rows,), float32; 0 if there is none."""
        mixed = np.diff(self.mixture.indptr) > 1
        return np.where(mixed, self.mixture.data[self.mixture.indptr[1:] - 1], 0).astype(np.float32)


@dataclass(frozen=True)
class TrainingRows:
    """What a network learns from: rows of `sequences`, or of `resampled` over them, and ratings from 0."""

    sequences: Sequences
    ratings: np.ndarray
    resampled: Resampled | None = None


def training_rows(corpus: Corpus, options: FitOptions) -> TrainingRows:
    """Return the training split of a corpus for a network, after sampling.

    `adasyn_token_ids` resamples as study B did: ADASYN on word indices, padded on the left; interpolating
    these is meaningless.

    Raises:
        UserError: the sampling cannot be done with these reviews.
    """
    sequences, ratings = corpus.train_sequences, corpus.train.ratings
    if options.sampling != "adasyn_token_ids":
        resampled = resample(corpus, options)
        return TrainingRows(sequences, resampled.ratings if resampled else ratings, resampled)
    from imblearn.over_sampling import ADASYN

    neighbours = _neighbours_of(corpus, options)
    padded = sequences.padded_left(np.arange(len(ratings)))
    sampler = ADASYN(n_neighbors=neighbours, random_state=options.seed)
    tokens, chosen = _fit_resample(sampler, padded, ratings, options.sampling)
    offsets = np.concatenate([[0], np.cumsum(np.count_nonzero(tokens, axis=1))])
    return TrainingRows(Sequences(tokens[tokens != 0], offsets), chosen)


def resample(corpus: Corpus, options: FitOptions) -> Resampled | None:
    """Resample the rows of the training split; return None if the reviews stay as they are.

    Raises:
        UserError: a rating has a single review, or ADASYN finds no border between ratings.
    """
    if options.sampling in ("none", "class_weight"):
        return None
    # Imported here, so that a served model does not need imbalanced-learn.
    from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
    from imblearn.under_sampling import NearMiss, RandomUnderSampler

    ratings, seed = corpus.train.ratings, options.seed
    neighbours = _neighbours_of(corpus, options)
    sampler: Any
    if options.sampling == "random_under":
        sampler = RandomUnderSampler(random_state=seed)
    elif options.sampling == "random_over":
        sampler = RandomOverSampler(random_state=seed)
    elif options.sampling == "smote":
        sampler = SMOTE(k_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    elif options.sampling == "adasyn":
        sampler = ADASYN(n_neighbors=RowNeighbours(corpus.review_space, neighbours + 1), random_state=seed)
    else:
        sampler = NearMiss(version=2, n_neighbors=FarthestRows(corpus.review_space, neighbours))
    rows = sparse.identity(len(ratings), dtype=np.float32, format="csr")
    mixture, chosen = _fit_resample(sampler, rows, ratings, options.sampling)
    mixture.eliminate_zeros()
    return Resampled(mixture, chosen)


def _fit_resample(sampler: Any, rows: Any, ratings: np.ndarray, sampling: str) -> tuple[Any, np.ndarray]:
    try:
        return sampler.fit_resample(rows, ratings)
    except (RuntimeError, ValueError) as error:  # ADASYN, if ratings lie apart or differ by only a few rows
        why = str(error).splitlines()[0]
        raise UserError(f"sampling {sampling}: {why}; choose another sampling") from None


def review_weights(ratings: np.ndarray, sampling: str) -> np.ndarray:
    """Return a weight per row, mean 1; with `class_weight` each rating has the same sum (study B)."""
    if sampling != "class_weight":
        return np.ones(len(ratings), dtype=np.float32)
    return compute_sample_weight("balanced", ratings).astype(np.float32)


def count_ratings(ratings: np.ndarray, labels: int = len(STARS)) -> np.ndarray:
    """Return the number of rows per rating, shape (labels,)."""
    return np.bincount(ratings, minlength=labels)


def effective_shares(ratings: np.ndarray, sampling: str, labels: int = len(STARS)) -> np.ndarray:
    """Return each rating's share of the training rows, weights included, shape (labels,)."""
    shares = np.bincount(ratings, review_weights(ratings, sampling), minlength=labels)
    return shares / shares.sum()


def _neighbours_of(corpus: Corpus, options: FitOptions) -> int:
    return neighbours_taken(count_ratings(corpus.train.ratings, len(corpus.scale)), options, corpus.scale)


def neighbours_taken(counts: np.ndarray, options: FitOptions, scale: Scale = STARS) -> int:
    """Return how many neighbours a sampling uses: the requested number, or as many as the rarest rating has.

    Raises:
        UserError: a rating of `counts`, shape (labels,), has a single review, which has no neighbour.
    """
    makes_reviews = options.sampling in MAKES_REVIEWS
    wanted = NEAR_MISS_NEIGHBOURS if options.sampling == "nearmiss_2" else options.neighbours
    if not makes_reviews and options.sampling != "nearmiss_2":
        return wanted
    members = np.where(counts > 0, counts, counts.max())
    there = int(members.min()) - makes_reviews  # a review is not its own neighbour
    if there < 1:
        one = f"rating {scale.names[members.argmin()]} has 1 review in the training split, at least 2 are"
        raise UserError(f"sampling {options.sampling}: {one} needed; add reviews of it or choose random_over")
    return min(wanted, there)


def sampling_note(counts: np.ndarray, options: FitOptions, scale: Scale = STARS) -> str:
    """Return a note to print after a sampling's name, if there is something that a user should know."""
    neighbours = neighbours_taken(counts, options, scale)
    if options.sampling == "adasyn_token_ids":
        return " (WARNING: interpolated word indices are meaningless; only for repeating study B's table)"
    wanted = NEAR_MISS_NEIGHBOURS if options.sampling == "nearmiss_2" else options.neighbours
    if neighbours == wanted:
        return ""
    rarest = np.where(counts > 0, counts, counts.max()).argmin()
    few = f"rating {scale.names[rarest]} has too few reviews in the training split: {counts[rarest]}"
    return f" ({neighbours} instead of {wanted} neighbours; {few})"
