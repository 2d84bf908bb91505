"""Find neighbours of reviews in TF-IDF of their words, reduced to its main directions."""

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from starcast.models.texts import Sequences

DIRECTIONS = 100
FARTHEST_CHUNK = 1_000  # reviews whose distances to all others are held at a time


def review_space(sequences: Sequences, seed: int = 0) -> np.ndarray:
    """Turn reviews into unit vectors by latent semantic analysis, float32 (reviews, at most 100).

    In plain TF-IDF all reviews without a common word are equally far apart; here related words make reviews
    close (Deerwester et al., Indexing by latent semantic analysis, 1990), and distances are ten times faster.
    """
    shape = (len(sequences), int(sequences.tokens.max(initial=1)) + 1)
    words = np.ones(len(sequences.tokens), np.float32), sequences.tokens, sequences.offsets
    counts = sparse.csr_matrix(words, shape=shape, copy=True)  # a mapped file cannot be sorted in place
    counts.sum_duplicates()
    weighted = TfidfTransformer().fit_transform(counts)
    with np.errstate(invalid="ignore"):  # reviews that are all alike have no variance to explain a share of
        directions = TruncatedSVD(min(DIRECTIONS, *shape), random_state=seed).fit_transform(weighted)
    return np.asarray(normalize(directions), dtype=np.float32)


class RowNeighbours(NearestNeighbors):
    """Neighbours, in `space`, of reviews that are given as rows of an identity matrix.

    An imbalanced-learn sampler that interpolates such rows returns the reviews it took and their shares.
    """

    def __init__(self, space: np.ndarray, n_neighbors: int = 5, n_jobs: int | None = None) -> None:
        super().__init__(n_neighbors=n_neighbors, algorithm="brute", n_jobs=n_jobs)
        self.space = space

    def fit(self, rows: sparse.csr_matrix, y: None = None) -> "RowNeighbours":
        """Store the reviews among which neighbours are searched."""
        return super().fit(self.space[rows.indices])

    def kneighbors(self, rows: sparse.csr_matrix, *options: Any, **named: Any) -> Any:
        """Return distances and indices as NearestNeighbors does, the nearest first."""
        return super().kneighbors(self.space[rows.indices], *options, **named)


class FarthestRows(RowNeighbours):
    """For NearMiss-2, which asks for distances to all reviews of the rarest rating and reads the last few.

    Only those few are returned, so that memory does not grow with the product of the two ratings' reviews.
    """

    def kneighbors(self, rows: sparse.csr_matrix, *_: Any, **ignored: Any) -> tuple[np.ndarray, None]:
        """Return ascending distances to the farthest, shape (rows, n_neighbors), without indices."""
        least = min(self.n_neighbors, len(self._fit_X))
        farthest = np.empty((rows.shape[0], least), dtype=np.float32)
        for start in range(0, rows.shape[0], FARTHEST_CHUNK):
            part = slice(start, start + FARTHEST_CHUNK)
            closeness = self.space[rows.indices[part]] @ self._fit_X.T
            lowest = np.sort(np.partition(closeness, least - 1, axis=1)[:, :least], axis=1)[:, ::-1]
            farthest[part] = np.sqrt(np.maximum(2 - 2 * lowest, 0))
        return farthest, None
