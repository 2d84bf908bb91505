"""Logistic regression on TF-IDF of word n-grams: fitted, answering, saved."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from starcast.models import multinomial
from starcast.models.corpus import Corpus
from starcast.models.encoding import Encoding
from starcast.models.family import Fit, ModelSpec, Recorder
from starcast.models.sampling import resample
from starcast.models.texts import Sequences
from starcast.models.vectorizer import NgramVectorizer
from starcast.reviews.ahead import map_ahead

NGRAMS, CLASSIFIER = "ngrams.json", "classifier.skops"
PIECE = 5_000  # reviews that a core answers at once


@dataclass(frozen=True)
class FittedLogistic:
    """A vectoriser and the classifier that was fitted on its rows."""

    vectorizer: NgramVectorizer
    classifier: LogisticRegression

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return probabilities of the ratings 1-5 for cleaned texts, (reviews, 5); 0 if never seen."""
        pieces = (texts.slice(begin, PIECE) for begin in range(0, len(texts), PIECE))
        return self._together(map_ahead(lambda piece: self._answer(self.vectorizer.transform(piece)), pieces))

    def probabilities_of(self, encoding: Encoding, texts: Sequences) -> np.ndarray:
        """Return the same for encoded texts."""
        return self._together(map(self._answer, self.vectorizer.transform_encoded(encoding, texts)))

    def _answer(self, rows: sparse.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((rows.shape[0], 5), dtype=np.float32)
        probabilities[:, self.classifier.classes_] = self.classifier.predict_proba(rows)
        return probabilities

    @staticmethod
    def _together(answers: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([np.empty((0, 5), dtype=np.float32), *answers])

    def parameters(self) -> int:
        """Return the number of coefficients and intercepts."""
        return int(self.classifier.coef_.size + self.classifier.intercept_.size)

    def save(self, folder: Path) -> None:
        """Write the n-grams with their weights, and the classifier."""
        import skops.io  # takes seconds, and only a model that is kept needs it

        self.vectorizer.save(folder / NGRAMS)
        skops.io.dump(self.classifier, folder / CLASSIFIER)

    @classmethod
    def load(cls, folder: Path) -> "FittedLogistic":
        """Read what `save` wrote; types that scikit-learn does not bring are refused."""
        import skops.io

        return cls(NgramVectorizer.load(folder / NGRAMS), skops.io.load(folder / CLASSIFIER))


def fit_logistic(corpus: Corpus, spec: ModelSpec, recorder: Recorder) -> Fit:
    """Fit vectoriser and classifier on the training split.

    Raises:
        UserError: no training text has a word, or the sampling cannot be done with these reviews.
    """
    ngrams, features, sublinear, c = (
        spec.settings[name] for name in ("ngrams", "features", "sublinear", "c")
    )
    vectorizer = NgramVectorizer(int(ngrams), int(features), bool(sublinear))
    rows, ratings = vectorizer.fit_transform(corpus.encoding, corpus.show), corpus.train.ratings
    resampled = resample(corpus, spec.options)
    if resampled:
        rows, ratings = resampled.mixture @ rows, resampled.ratings
    balanced = spec.options.sampling == "class_weight"
    classifier = multinomial.fit(rows, ratings, float(c), balanced, corpus.show)
    model = FittedLogistic(vectorizer, classifier)
    probabilities = model.probabilities_of(corpus.encoding, corpus.encoding.validation)
    recorder.epoch(1, {}, probabilities)
    return Fit(model, probabilities, epochs=1, best_epoch=1, trained_on=ratings)
