"""A sparse matrix that is made some rows at a time and kept on the disk, mapped into memory as it is used."""

import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer

from starcast.models import texts
from starcast.models.encoding import Encoding
from starcast.models.ngrams import Ngrams, count_ngrams, most_frequent
from starcast.models.ragged import Sequences
from starcast.models.texts import WorkProgress, silent
from starcast.reviews.ahead import map_ahead


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
        kind = (
            np.int32 if ends[-1] <= np.iinfo(np.int32).max else np.int64
        )  # scikit-learn takes the small ones faster
        data, indices = (
            self._mapped(file, dtype) for file, dtype in zip(self._files, (np.float32, np.int32), strict=True)
        )
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


class NgramVectorizer:
    """Texts to rows of TF-IDF (smooth idf, unit length) over the `size` most frequent n-grams of 1 to `longest` words.

    With `sublinear`, an n-gram weighs 1 + log of its occurrences in a review, not its occurrences.
    """

    def __init__(self, longest: int, size: int, sublinear: bool) -> None:
        self.longest, self.size = longest, size
        self.ngrams: Ngrams
        self._tfidf = TfidfTransformer(sublinear_tf=sublinear)

    def fit_transform(self, encoding: Encoding, show: WorkProgress = silent) -> sparse.csr_matrix:
        """Choose the n-grams of an encoded training split and learn their weights.

        Returns:
            The split's rows, float32 (reviews, n-grams), on the disk.

        Raises:
            UserError: there is no word in the texts.
        """
        self.ngrams = most_frequent(encoding, self.longest, self.size, show)
        counts = StoredRows(len(self.ngrams.names))
        words = self.ngrams.read_encoded(
            encoding.words, encoding.train, "counting the n-grams that are kept", show
        )
        for chunk in map_ahead(partial(count_ngrams, self.ngrams), words):
            counts.append(chunk)
        self._tfidf.idf_ = counts.inverse_document_frequencies()
        return counts.finish(self._weigh)

    def transform(self, texts: pl.Series) -> sparse.csr_matrix:
        """Rows of cleaned texts, float32 (reviews, n-grams); a text without a known word is all zeros."""
        return self._weigh(count_ngrams(self.ngrams, self.ngrams.read(texts)))

    def transform_encoded(self, encoding: Encoding, texts: Sequences) -> Iterator[sparse.csr_matrix]:
        """The same of encoded texts, some rows after the other."""
        words = self.ngrams.read_encoded(encoding.words, texts)
        return map_ahead(lambda some: self._weigh(count_ngrams(self.ngrams, some)), words)

    def _weigh(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        return self._tfidf.transform(counts, copy=False)

    def save(self, path: Path) -> None:
        """Write the n-grams and their weights as JSON."""
        values = {
            "sublinear": self._tfidf.sublinear_tf,
            "ngrams": self.ngrams.names.to_list(),
            "idf": self._tfidf.idf_.tolist(),
        }
        path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "NgramVectorizer":
        """Read what `save` wrote."""
        values = json.loads(path.read_text(encoding="utf-8"))
        ngrams = Ngrams.of(pl.Series(values["ngrams"], dtype=pl.String))
        vectorizer = cls(ngrams.longest, len(ngrams.names), values["sublinear"])
        vectorizer.ngrams = ngrams
        vectorizer._tfidf.idf_ = np.array(values["idf"], dtype=np.float32)
        return vectorizer
