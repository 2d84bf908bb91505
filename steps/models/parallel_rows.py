"""A sparse matrix that multiplies blocks of its rows on all cores, for scikit-learn's solvers, which use one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

BLOCKS = 8  # whatever the cores: sums are added in the same order on every machine


class ParallelRows(sparse.csr_matrix):
    """Rows of features; `X @ dense`, `X.T @ dense` and `dense @ X` run in as many threads as Polars has.

    scipy lets go of Python's lock while it multiplies.
    """

    def __matmul__(self, other: Any) -> Any:
        """The product with a dense matrix, shape (rows, n)."""
        return np.concatenate(_each(lambda begin, end: _block(self, begin, end) @ other, self.shape[0]))

    def __rmatmul__(self, other: Any) -> Any:
        """The product of a dense matrix, shape (n, rows), with the rows: what scikit-learn's solvers write for the transpose."""
        return (self.transpose() @ other.T).T

    def transpose(self, axes: None = None, copy: bool = False) -> "ParallelColumns":
        """The same numbers, the other way round."""
        return ParallelColumns((self.data, self.indices, self.indptr), shape=self.shape[::-1])


class ParallelColumns(sparse.csc_matrix):
    """The transpose of `ParallelRows`."""

    def __matmul__(self, other: Any) -> Any:
        """The product with a dense matrix, shape (features, n)."""
        return sum(_each(lambda begin, end: _block(self, begin, end).T @ other[begin:end], self.shape[1]))


def _each(work: Callable[[int, int], np.ndarray], rows: int) -> list[np.ndarray]:
    ends = np.linspace(0, rows, BLOCKS + 1).astype(int).tolist()
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        return list(pool.map(work, ends[:-1], ends[1:]))


def _block(matrix: "ParallelRows | ParallelColumns", begin: int, end: int) -> sparse.csr_matrix:
    """Rows (of the transpose: columns) of the matrix, without a copy of their numbers."""
    ends = matrix.indptr[begin : end + 1]
    part, columns = slice(ends[0], ends[-1]), matrix.shape[1] if matrix.format == "csr" else matrix.shape[0]
    return sparse.csr_matrix((matrix.data[part], matrix.indices[part], ends - ends[0]), shape=(end - begin, columns))
