"""Study B's baseline: logistic regression on TF-IDF of word n-grams."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
import skops.io
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from starcast.models import multinomial
from starcast.models.corpus import Corpus
from starcast.models.encoding import Encoding
from starcast.models.family import Family, Fit, FitOptions, Recorder, Sampling, Schedule, Settings, Space
from starcast.models.ragged import Sequences
from starcast.models.sampling import resample
from starcast.models.vectorizer import NgramVectorizer
from starcast.reviews.ahead import map_ahead

if TYPE_CHECKING:
    from starcast.models.checkpoint import Checkpoints

NGRAMS, CLASSIFIER = "ngrams.json", "classifier.skops"
PIECE = 5_000  # reviews that a core answers at once


@dataclass(frozen=True)
class FittedLogistic:
    """A vectoriser and the classifier that was fitted on its rows."""

    vectorizer: NgramVectorizer
    classifier: LogisticRegression

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Probabilities of the ratings 1-5 for cleaned texts, shape (reviews, 5); 0 for a rating never seen."""
        pieces = (texts.slice(begin, PIECE) for begin in range(0, len(texts), PIECE))
        return _together(map_ahead(lambda piece: self._answer(self.vectorizer.transform(piece)), pieces))

    def probabilities_of(self, encoding: Encoding, texts: Sequences) -> np.ndarray:
        """The same for encoded texts."""
        return _together(map(self._answer, self.vectorizer.transform_encoded(encoding, texts)))

    def _answer(self, rows: sparse.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((rows.shape[0], 5), dtype=np.float32)
        probabilities[:, self.classifier.classes_] = self.classifier.predict_proba(rows)
        return probabilities

    def save(self, folder: Path) -> None:
        """Write `ngrams.json` and `classifier.skops`: loading them runs no code."""
        self.vectorizer.save(folder / NGRAMS)
        skops.io.dump(self.classifier, folder / CLASSIFIER)

    def parameters(self) -> int:
        """Coefficients and intercepts."""
        return int(self.classifier.coef_.size + self.classifier.intercept_.size)


def _together(answers: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty((0, 5), dtype=np.float32), *answers])


@dataclass(frozen=True)
class LogisticFamily(Family):
    """Settings `ngrams` (1 to this many words), `features` (the most frequent n-grams), `sublinear`, `c`."""

    name: str = "logistic_regression"
    sampling: Sampling = "class_weight"
    published: Settings = field(
        default_factory=lambda: {"ngrams": 3, "features": 4_000, "sublinear": False, "c": 1.0}
    )
    requirements: ClassVar = ("scikit-learn", "skops")
    iterative: ClassVar = False

    @property
    def space(self) -> Space:  # type: ignore[override]
        """The study's point and its neighbours."""
        return {
            "ngrams": (1, 2, 3),
            "features": (2_000, 4_000, 10_000, 20_000, 50_000, 100_000),
            "sublinear": (False, True),
            "c": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
        }

    def start(self, schedule: Schedule) -> Settings:
        """The usual text baseline, words and pairs of words with many features: better than the study's 4,000."""
        return {"ngrams": 2, "features": 50_000, "sublinear": False, "c": 1.0}

    def fit(
        self,
        corpus: Corpus,
        settings: Settings,
        training: FitOptions,
        recorder: Recorder,
        checkpoints: "Checkpoints | None" = None,
    ) -> Fit:
        """Fit vectoriser and classifier; there is one epoch, after which there is nothing to go on with.

        Raises:
            UserError: no training text has a word, or the sampling cannot be done with these reviews.
        """
        vectorizer = NgramVectorizer(
            int(settings["ngrams"]), int(settings["features"]), bool(settings["sublinear"])
        )
        features, ratings = vectorizer.fit_transform(corpus.encoding, corpus.show), corpus.train.ratings
        resampled = resample(corpus, training)
        if resampled:
            features, ratings = resampled.mixture @ features, resampled.ratings
        classifier = multinomial.fit(
            features, ratings, float(settings["c"]), training.sampling == "class_weight", corpus.show
        )
        model = FittedLogistic(vectorizer, classifier)
        probabilities = model.probabilities_of(corpus.encoding, corpus.encoding.validation)
        recorder.epoch(1, {}, probabilities)
        return Fit(model, probabilities, epochs=1, best_epoch=1, trained_on=ratings)

    def load(self, folder: Path) -> FittedLogistic:
        """Read what was saved; types that scikit-learn does not bring are refused."""
        return FittedLogistic(NgramVectorizer.load(folder / NGRAMS), skops.io.load(folder / CLASSIFIER))


LOGISTIC_REGRESSION = LogisticFamily()
