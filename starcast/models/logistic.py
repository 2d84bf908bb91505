"""Logistic regression on TF-IDF of word n-grams: predict, save.

TF-IDF of a training split is a sparse matrix on the disk, made some rows at a time and mapped into memory.
Nothing of scikit-learn is imported to answer: that took more time than MLflow itself.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy import sparse

from starcast.evaluation.scale import STARS
from starcast.models import texts
from starcast.models.characters import inside_encoded, inside_texts, inside_words, most_frequent_inside
from starcast.models.encoding import Encoding
from starcast.models.linear_classifier import LinearClassifier
from starcast.models.ngrams import Ngrams, Words, are_whole, most_frequent
from starcast.models.texts import Sequences, WorkProgress, mapped, silent
from starcast.reviews.ahead import map_ahead

NGRAMS = "ngrams.json"
PIECE = 5_000  # reviews that a core predicts at once


class NgramVectorizer:
    """Turns texts into rows of TF-IDF (smooth idf, unit length) over the most frequent n-grams of words.

    With `sublinear`, the term frequency of an n-gram is 1 + log of its occurrences in a review. `inside` > 0
    appends columns for the `size` most frequent n-grams of up to `inside` characters within words; these
    columns are scaled to unit length on their own.
    """

    def __init__(self, longest: int, size: int, sublinear: bool, inside: int = 0) -> None:
        self.longest, self.size, self.sublinear, self.inside = longest, size, sublinear, inside
        self.ngrams: Ngrams
        self.characters: Ngrams | None = None
        self.idf: np.ndarray  # of each column, float32

    @property
    def columns(self) -> int:
        """Return the number of columns of the rows."""
        return len(self.ngrams.names) + (len(self.characters.names) if self.characters else 0)

    def fit_transform(self, encoding: Encoding, show: WorkProgress = silent) -> sparse.csr_matrix:
        """Choose the n-grams of an encoded training split and learn their weights.

        Returns:
            The split's rows, float32 (reviews, n-grams), on the disk.
        """
        self.ngrams = most_frequent(encoding, self.longest, self.size, show)
        if self.inside:
            self.characters = most_frequent_inside(encoding, self.inside, self.size)
        columns, what = self.columns, "counting the n-grams that are kept"
        count, parts = self._counting(encoding, encoding.train, what, show)
        rows, rows_with = _stored(map_ahead(count, parts), columns)
        # scikit-learn's smooth idf: ln((1 + rows) / (1 + rows with the column)) + 1
        shares = np.float32(1 + rows.shape[0]) / (1 + rows_with).astype(np.float32)
        self.idf = np.log(shares) + np.float32(1)
        at_once = PIECE if self.inside else texts.CHUNK
        for begin in range(0, rows.shape[0], at_once):
            within = rows.indptr[begin : begin + at_once + 1]
            part = slice(within[0], within[-1])
            counts = rows.data[part], rows.indices[part], within - within[0]
            rows.data[part] = self._weigh(sparse.csr_matrix(counts, (len(within) - 1, columns))).data
        return rows

    def transform(self, texts: pl.Series) -> sparse.csr_matrix:
        """Return rows of cleaned texts, float32 (reviews, n-grams); all zeros without a known word."""
        counts = self.ngrams.count(self.ngrams.read(texts))
        if self.characters:
            counts = sparse.hstack([counts, inside_texts(self.characters, texts)], format="csr")
        return self._weigh(counts)

    def transform_encoded(self, encoding: Encoding, texts: Sequences) -> Iterator[sparse.csr_matrix]:
        """Yield the same of encoded texts, some rows at a time."""
        count, parts = self._counting(encoding, texts)
        return map_ahead(lambda part: self._weigh(count(part)), parts)

    def _counting(
        self, encoding: Encoding, texts: Sequences, what: str = "", show: WorkProgress = silent
    ) -> tuple[Callable[[Any], sparse.csr_matrix], Iterator[Any]]:
        """Return what counts all n-grams in a part of encoded texts, and the parts, one after the other."""
        characters = self.characters
        if characters is None:
            return self.ngrams.count, self.ngrams.read_encoded(encoding.words, texts, what, show)
        of_words = inside_words(characters, encoding.words)

        def count(part: tuple[Words, Sequences]) -> sparse.csr_matrix:
            """Count n-grams of words, and beside them those inside words."""
            counts = self.ngrams.count(part[0]), inside_encoded(of_words, part[1])
            return sparse.hstack(counts, format="csr")

        words = self.ngrams.read_encoded(encoding.words, texts, what, show, PIECE)
        return count, zip(words, texts.chunks(PIECE), strict=True)

    def _weigh(self, rows: sparse.csr_matrix) -> sparse.csr_matrix:
        """Turn counts into TF-IDF, in place, to the last bit as scikit-learn's `TfidfTransformer`."""
        if self.sublinear:
            np.log(rows.data, out=rows.data)
            rows.data += 1
        rows.data *= self.idf[rows.indices]
        _give_unit_length(rows, len(self.ngrams.names))
        return rows

    def save(self, path: Path) -> None:
        """Write the n-grams and their weights as JSON."""
        ngrams = self.ngrams.names.to_list()
        values = {"sublinear": self.sublinear, "ngrams": ngrams, "idf": self.idf.tolist()}
        if self.characters:
            values["characters"] = self.characters.names.to_list()
        path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "NgramVectorizer":
        """Read what `save` wrote; raise a ValueError if these are no n-grams in order, with their weights."""
        values = json.loads(path.read_text(encoding="utf-8"))
        ngrams = _checked(values["ngrams"], " ", path.name)
        characters = _checked(values["characters"], "", path.name) if "characters" in values else None
        if not isinstance(values["sublinear"], bool):
            raise ValueError(f"{path.name}: `sublinear` is neither true nor false")
        inside = characters.longest if characters else 0
        vectorizer = cls(ngrams.longest, len(ngrams.names), values["sublinear"], inside)
        vectorizer.ngrams, vectorizer.characters = ngrams, characters
        idf, columns = np.array(values["idf"], dtype=np.float32), vectorizer.columns
        if idf.shape != (columns,) or not np.isfinite(idf).all() or idf.min() <= 0:
            raise ValueError(f"{path.name}: there are no {columns:,} positive weights of its n-grams")
        vectorizer.idf = idf
        return vectorizer


def _checked(listed: list[str], joiner: str, file: str) -> Ngrams:
    """Return n-grams that a file lists; raise a ValueError if these are no n-grams in order."""
    names = pl.Series(listed, dtype=pl.String)
    if names.is_empty() or names.has_nulls() or names.n_unique() < len(names):
        raise ValueError(f"{file}: its n-grams are not different n-grams")
    if not are_whole(names, joiner):
        raise ValueError(f"{file}: the beginning or a word of an n-gram is missing")
    ngrams = Ngrams.of(names, joiner)
    if not ngrams.names.equals(names):
        raise ValueError(f"{file}: its n-grams are out of order")
    return ngrams


def _give_unit_length(rows: sparse.csr_matrix, first: int) -> None:
    """Divide each row's values in the columns before `first`, and those from there on, by their length."""
    parts = 2 * np.repeat(np.arange(rows.shape[0], dtype=np.int32), np.diff(rows.indptr))
    parts += rows.indices >= first
    lengths = np.sqrt(np.bincount(parts, rows.data**2, minlength=2 * rows.shape[0]))
    rows.data /= lengths[parts]


def _stored(counts: Iterable[sparse.csr_matrix], columns: int) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return counts, float32 and some rows at a time, as a matrix on the disk, and rows per column."""
    lengths, rows_with = [np.zeros(1, dtype=np.int64)], np.zeros(columns, dtype=np.int64)
    with tempfile.TemporaryFile() as data, tempfile.TemporaryFile() as indices:
        for rows in counts:
            data.write(np.ascontiguousarray(rows.data).data)
            indices.write(np.ascontiguousarray(rows.indices).data)
            lengths.append(np.diff(rows.indptr).astype(np.int64))
            rows_with += np.bincount(rows.indices, minlength=columns)
        ends = np.cumsum(np.concatenate(lengths))
        small = ends[-1] <= np.iinfo(np.int32).max  # scikit-learn is faster with small ones
        ends = ends.astype(np.int32 if small else np.int64)
        parts = mapped(data, np.float32, "r+"), mapped(indices, np.int32, "r+"), ends
    return sparse.csr_matrix(parts, (len(ends) - 1, columns)), rows_with


@dataclass(frozen=True)
class FittedLogistic:
    """A vectoriser and the classifier that was fitted on its rows."""

    vectorizer: NgramVectorizer
    classifier: LinearClassifier
    labels: int = len(STARS)

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return probabilities of the ratings for cleaned texts, (reviews, labels); 0 if never seen."""
        if 0 < len(texts) <= PIECE:  # threads take longer to start than one review to answer
            return self._answer(self.vectorizer.transform(texts))
        pieces = (texts.slice(begin, PIECE) for begin in range(0, len(texts), PIECE))
        answers = map_ahead(lambda piece: self._answer(self.vectorizer.transform(piece)), pieces)
        return np.concatenate([self._none, *answers])

    def probabilities_of(self, encoding: Encoding, texts: Sequences) -> np.ndarray:
        """Return the same for encoded texts."""
        rows = self.vectorizer.transform_encoded(encoding, texts)
        return np.concatenate([self._none, *map(self._answer, rows)])

    @property
    def _none(self) -> np.ndarray:
        return np.empty((0, self.labels), dtype=np.float32)

    def _answer(self, rows: sparse.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((rows.shape[0], self.labels), dtype=np.float32)
        probabilities[:, self.classifier.classes_] = self.classifier.predict_proba(rows)
        return probabilities

    def parameters(self) -> int:
        """Return the number of coefficients and intercepts."""
        return int(self.classifier.coef_.size + self.classifier.intercept_.size)

    def save(self, folder: Path) -> None:
        """Write the n-grams with their weights, and the classifier."""
        self.vectorizer.save(folder / NGRAMS)
        self.classifier.save(folder)

    @classmethod
    def load(cls, folder: Path, labels: int = len(STARS)) -> "FittedLogistic":
        """Read what `save` wrote, now or in an earlier version.

        Raises:
            ValueError: it is no linear classifier of these n-grams with so many labels.
        """
        vectorizer = NgramVectorizer.load(folder / NGRAMS)
        classifier = LinearClassifier.load(folder, labels)
        if classifier.coef_.shape[1] != vectorizer.columns:
            raise ValueError(f"classifier: its weights do not fit {NGRAMS}")
        return cls(vectorizer, classifier, labels)
