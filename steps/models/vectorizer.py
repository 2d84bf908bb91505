"""Texts to rows of TF-IDF over their most frequent n-grams: what scikit-learn's TfidfVectorizer gives, sooner."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer

from steps.models.encoding import Encoding
from steps.models.ngrams import Ngrams, count_ngrams, most_frequent
from steps.models.ragged import Sequences
from steps.models.stored_rows import StoredRows
from steps.models.texts import Show, silent
from steps.reviews.ahead import map_ahead


class NgramVectorizer:
    """Texts to rows of TF-IDF (smooth idf, unit length) over the `size` most frequent n-grams of 1 to `longest` words.

    With `sublinear`, an n-gram weighs 1 + log of its occurrences in a review, not its occurrences.
    """

    def __init__(self, longest: int, size: int, sublinear: bool) -> None:
        self.longest, self.size = longest, size
        self.ngrams: Ngrams
        self._tfidf = TfidfTransformer(sublinear_tf=sublinear)

    def fit_transform(self, encoding: Encoding, show: Show = silent) -> sparse.csr_matrix:
        """Choose the n-grams of an encoded training split and learn their weights.

        Returns:
            The split's rows, float32 (reviews, n-grams), on the disk.

        Raises:
            UserError: there is no word in the texts.
        """
        self.ngrams = most_frequent(encoding, self.longest, self.size, show)
        counts = StoredRows(len(self.ngrams.names))
        words = self.ngrams.read_encoded(encoding.words, encoding.train, "counting the n-grams that are kept", show)
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
        values = {"sublinear": self._tfidf.sublinear_tf, "ngrams": self.ngrams.names.to_list(), "idf": self._tfidf.idf_.tolist()}
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
