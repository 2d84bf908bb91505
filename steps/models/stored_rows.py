"""A sparse matrix that is made some rows at a time and kept on the disk, mapped into memory as it is used."""

import tempfile
from collections.abc import Callable
from typing import IO

import numpy as np
from scipy import sparse

from steps.models import texts


class StoredRows:
    """Gathers rows of counts, float32 (rows, columns), in unnamed files."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        # They go with this object, and with the matrix that maps them.
        self._files = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._lengths: list[np.ndarray] = [np.zeros(1, dtype=np.int64)]
        self._rows_with = np.zeros(columns, dtype=np.int64)

    def append(self, rows: sparse.csr_matrix) -> None:
        """Add rows below those there are."""
        for file, values in zip(self._files, (rows.data, rows.indices), strict=True):
            file.write(np.ascontiguousarray(values).data)
        self._lengths.append(np.diff(rows.indptr).astype(np.int64))
        self._rows_with += np.bincount(rows.indices, minlength=self._columns)

    def inverse_document_frequencies(self) -> np.ndarray:
        """Of each column, ln((1 + rows) / (1 + rows that have it)) + 1: scikit-learn's smooth idf, float32."""
        rows = sum(map(len, self._lengths)) - 1
        return np.log(np.float32(1 + rows) / (1 + self._rows_with).astype(np.float32)) + np.float32(1)

    def finish(self, weigh: Callable[[sparse.csr_matrix], sparse.csr_matrix]) -> sparse.csr_matrix:
        """All rows, each passed through `weigh`, which leaves its columns as they are."""
        ends = np.cumsum(np.concatenate(self._lengths))
        kind = np.int32 if ends[-1] <= np.iinfo(np.int32).max else np.int64  # scikit-learn takes the small ones faster
        data, indices = (self._mapped(file, dtype) for file, dtype in zip(self._files, (np.float32, np.int32), strict=True))
        for begin in range(0, len(ends) - 1, texts.CHUNK):
            within = ends[begin : begin + texts.CHUNK + 1]
            part = slice(within[0], within[-1])
            rows = (data[part], indices[part], within - within[0])
            data[part] = weigh(sparse.csr_matrix(rows, shape=(len(within) - 1, self._columns))).data
        return sparse.csr_matrix((data, indices, ends.astype(kind)), shape=(len(ends) - 1, self._columns))

    @staticmethod
    def _mapped(file: IO[bytes], dtype: type) -> np.ndarray:
        empty = file.tell() == 0
        file.flush()
        return np.empty(0, dtype) if empty else np.memmap(file, dtype=dtype, mode="r+")
