"""Multinomial logistic regression on any number of sparse rows: scikit-learn's model, in fewer passes.

Words' frequencies differ by orders of magnitude, and so does the steepness of the loss along their columns.
Without scaling a solver needs more passes the more reviews there are: scikit-learn's Newton-CG 197 on half a
million and 493 on 1.7 million. Scaled by the curvature at the start, scipy's Newton-CG within a trust region
needs 92 and 75 (diagonal preconditioning: Nocedal and Wright, Numerical Optimization, 2006, 5.1 and 7.1).

It looks for contrasts between the classes, one fewer than there are classes: of five, a row's four values
fill a register of the processor.
"""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TypeVar

import numpy as np
import polars as pl
from scipy import optimize, sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

from starcast.models.priors import Prior, contrast_basis
from starcast.models.texts import WorkProgress, silent

ROWS = 32_768  # of a block: its scores stay in the cache
FEWEST_BLOCKS = 4  # on any number of cores, so that sums are added in the same order on every machine
SLOPE = 1e-2  # where to stop, along scaled columns: the loss is then within about 0.0001 of the minimum
RADIUS = 100.0  # of the first step, along scaled columns: large enough for a full Newton step
MOST_STEPS = 100
USUAL_PASSES = 45  # after this many, progress shows two thirds; fits took 64 to 150
Result = TypeVar("Result")


@dataclass
class RowBlock:
    """Some rows of features, (rows, features), the class of each as a number from 0, and its weight.

    Contrasts have the shape (features + 1, contrasts); the last row holds the intercepts. The coefficients of
    the classes are contrasts times the transpose of `basis`, shape (classes, contrasts).
    """

    rows: sparse.csr_matrix
    classes: np.ndarray
    weights: np.ndarray
    basis: np.ndarray
    probabilities: np.ndarray = field(init=False)  # at the contrasts of the last call of `slopes`

    def slopes(self, contrasts: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the weighted cross-entropy of the rows, and its gradient."""
        scores = self._scores(contrasts)
        # The exponential of the largest is 1; far faster than max(axis=1).
        scores -= reduce(np.maximum, scores.T)[:, None]
        own = np.arange(len(self.classes)), self.classes
        own_scores = scores[own]
        np.exp(scores, out=scores)
        totals = _sums(scores)
        self.probabilities = scores / totals[:, None]
        errors = self.probabilities * self.weights[:, None]
        errors[own] -= self.weights
        loss = np.sum(self.weights * (np.log(totals) - own_scores), dtype=np.float64)
        return float(loss), self._columns(errors)

    def curvature(self, direction: np.ndarray) -> np.ndarray:
        """Return the Hessian at the contrasts of the last `slopes` times a direction."""
        scores = self._scores(direction)
        scores -= _sums(scores * self.probabilities)[:, None]
        scores *= self.probabilities * self.weights[:, None]
        return self._columns(scores)

    def squares(self) -> np.ndarray:
        """Return the weighted sum of squares of each column, and of ones, shape (features + 1,)."""
        return np.append(self.rows.power(2).T @ self.weights, self.weights.sum())

    def occurrences(self) -> np.ndarray:
        """Return in how many rows of each class each column is filled, shape (features, classes)."""
        ones = np.ones(len(self.classes), dtype=self.rows.dtype)
        ends = np.arange(len(ones) + 1)
        members = sparse.csr_matrix((ones, self.classes, ends), (len(ones), len(self.basis)))
        filled = sparse.csr_matrix(
            (np.ones_like(self.rows.data), self.rows.indices, self.rows.indptr), self.rows.shape
        )
        return (filled.T @ members).toarray().astype(np.float64)

    def _scores(self, contrasts: np.ndarray) -> np.ndarray:
        return (self.rows @ contrasts[:-1] + contrasts[-1]) @ self.basis.T

    def _columns(self, values: np.ndarray) -> np.ndarray:
        values = values @ self.basis
        return np.vstack([self.rows.T @ values, values.sum(axis=0)])


def _sums(values: np.ndarray) -> np.ndarray:
    return np.asarray(values @ np.ones(values.shape[1], dtype=values.dtype))  # far faster than sum(axis=1)


class PenalisedLoss:
    """Mean weighted cross-entropy plus an L2 penalty, as a function of scaled, flattened contrasts.

    `penalties`: of each feature's contrasts, shape (features, contrasts).
    """

    def __init__(
        self, blocks: list[RowBlock], penalties: np.ndarray, pool: Executor, show: WorkProgress
    ) -> None:
        self._blocks, self._show = blocks, show
        self._pool = pool  # scipy and numpy release the GIL
        squares = np.add.reduce(list(pool.map(RowBlock.squares, blocks)))
        self._total = float(squares[-1])
        self._penalties = np.vstack([penalties, np.zeros_like(penalties[:1])])  # none on intercepts
        at_start = squares[:, None] / self._total / len(blocks[0].basis)  # all classes are equally probable
        self.scale = 1 / np.sqrt(at_start + self._penalties)
        self._at = self.start = np.zeros(self.scale.size)
        self.passes = 0

    def slopes(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the value at a point, and its gradient."""
        contrasts = self.contrasts(point)
        costs, slopes = [], self._total * self._penalties * contrasts
        for cost, part in self._map(RowBlock.slopes, contrasts):
            costs.append(cost)
            slopes += part
        self._at = point.copy()
        penalty = float(np.sum(self._penalties * contrasts**2)) / 2
        return sum(costs) / self._total + penalty, (slopes * self.scale / self._total).ravel()

    def curvature(self, point: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """Return the Hessian at a point times a direction."""
        if not np.array_equal(point, self._at):  # another step was tried since, and rejected
            self.slopes(point)
        contrasts = self.contrasts(direction)
        change = self._total * self._penalties * contrasts
        for part in self._map(RowBlock.curvature, contrasts):
            change += part
        return (change * self.scale / self._total).ravel()

    def contrasts(self, point: np.ndarray) -> np.ndarray:
        """Return a point without scaling, shape (features + 1, contrasts)."""
        return point.reshape(self.scale.shape) * self.scale

    def _map(self, work: Callable[[RowBlock, np.ndarray], Result], contrasts: np.ndarray) -> Iterator[Result]:
        self.passes += 1
        self._show("fitting the weights", 1 - np.exp(-self.passes / USUAL_PASSES))
        single = contrasts.astype(self._blocks[0].rows.dtype)
        return self._pool.map(lambda block: work(block, single), self._blocks)


def fit(
    rows: sparse.csr_matrix,
    ratings: np.ndarray,
    c: float,
    balanced: bool,
    show: WorkProgress = silent,
    prior: Prior | None = None,
) -> LogisticRegression:
    """Fit what scikit-learn's `LogisticRegression(C=c)` would be, for the ratings that occur.

    Args:
        rows: float32 (reviews, features); may be mapped from files.
        ratings: shape (reviews,), with at least two different ones.
        balanced: whether all ratings have the same total weight.
        prior: what is penalised less than the rest, if not all coefficients are penalised alike.
    """
    weight = "balanced" if balanced else None
    classes, numbers = np.unique(ratings, return_inverse=True)
    weights = compute_sample_weight(weight, ratings).astype(rows.dtype)
    penalty = 1 / (c * weights.sum(dtype=np.float64))
    if len(classes) == 2:  # scikit-learn has only the difference of our two columns: twice their squares
        penalty *= 2
    basis = contrast_basis(len(classes))
    # BLAS' own threads would each wait for the other block's: twice the time on two cores.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        blocks = _blocks(rows, numbers, weights, basis.astype(rows.dtype))
        relative = np.ones((rows.shape[1], basis.shape[1]))
        if prior:
            counts = reduce(np.add, pool.map(RowBlock.occurrences, blocks))
            relative = prior.penalties(counts, np.bincount(numbers))
        loss = PenalisedLoss(blocks, penalty * relative, pool, show)
        options = {"initial_trust_radius": RADIUS, "max_trust_radius": 100 * RADIUS, "maxiter": MOST_STEPS}
        method = {"method": "trust-ncg", "options": {"gtol": SLOPE, **options}}
        found = optimize.minimize(loss.slopes, loss.start, jac=True, hessp=loss.curvature, **method)
    if not found.success:
        message = f"logistic regression: no optimum in {found.nit} steps ({found.message}); take a smaller c"
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    coefficients = loss.contrasts(found.x) @ basis.T
    if len(classes) == 2:
        coefficients = coefficients[:, 1:] - coefficients[:, :1]
    coefficients = coefficients.astype(rows.dtype)
    classifier = LogisticRegression(C=c, class_weight=weight)
    classifier.classes_, classifier.n_features_in_ = classes, rows.shape[1]
    classifier.n_iter_ = np.array([loss.passes])
    classifier.coef_, classifier.intercept_ = coefficients[:-1].T, coefficients[-1]
    return classifier


def _blocks(
    rows: sparse.csr_matrix, classes: np.ndarray, weights: np.ndarray, basis: np.ndarray
) -> list[RowBlock]:
    """Cut rows into blocks, without a copy of their numbers."""
    count = max(FEWEST_BLOCKS, -(-rows.shape[0] // ROWS))
    blocks = []
    for begin, end in pairwise(np.linspace(0, rows.shape[0], count + 1).astype(int).tolist()):
        first, last = rows.indptr[begin], rows.indptr[end]
        part = sparse.csr_matrix((end - begin, rows.shape[1]), dtype=rows.dtype)
        # Set here, because the constructor would copy a view of an array more than twice as long.
        part.data, part.indices = rows.data[first:last], rows.indices[first:last]
        part.indptr = (rows.indptr[begin : end + 1] - first).astype(rows.indices.dtype)
        blocks.append(RowBlock(part, classes[begin:end], weights[begin:end], basis))
    return blocks
