"""Study B's baseline: logistic regression on TF-IDF of word n-grams."""

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from steps.models.corpus import Corpus
from steps.models.family import Family, Fit, Recorder, Sampling, Schedule, Settings, Space, Training
from steps.models.sampling import resample

if TYPE_CHECKING:
    from steps.models.checkpoint import Checkpoints


@dataclass(frozen=True)
class FittedLogistic:
    """A fitted pipeline of TF-IDF and logistic regression."""

    pipeline: Pipeline

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Probabilities of the ratings 1-5 for cleaned texts, shape (reviews, 5); 0 for a rating never seen."""
        probabilities = np.zeros((len(texts), 5), dtype=np.float32)
        if texts.is_empty():
            return probabilities  # scikit-learn refuses to answer nothing
        probabilities[:, self.pipeline[-1].classes_] = self.pipeline.predict_proba(texts.to_list())
        return probabilities

    def save(self, folder: Path) -> None:
        """Write `vocabulary.json` and `pipeline.skops`: loading them runs no code.

        The n-grams stand apart: skops writes a file for each, 35 s and 45 MB for 50,000 of them.
        """
        vectorizer, classifier = self.pipeline
        terms = vectorizer.get_feature_names_out().tolist()
        (folder / "vocabulary.json").write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        bare = copy.copy(vectorizer)
        bare.vocabulary_ = {}
        skops.io.dump(make_pipeline(bare, classifier), folder / "pipeline.skops")

    def parameters(self) -> int:
        """Coefficients and intercepts."""
        return int(self.pipeline[-1].coef_.size + self.pipeline[-1].intercept_.size)


@dataclass(frozen=True)
class LogisticFamily(Family):
    """Settings `ngrams` (1 to this many words), `features` (the most frequent n-grams), `sublinear`, `c`."""

    name: str = "logistic_regression"
    sampling: Sampling = "class_weight"
    published: Settings = field(default_factory=lambda: {"ngrams": 3, "features": 4_000, "sublinear": False, "c": 1.0})
    requirements: ClassVar = ("scikit-learn", "skops")
    iterative: ClassVar = False

    @property
    def space(self) -> Space:  # type: ignore[override]
        """The study's point and its neighbours."""
        return {
            "ngrams": (1, 2, 3),
            "features": (2_000, 4_000, 10_000, 20_000, 50_000),
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
        training: Training,
        recorder: Recorder,
        checkpoints: "Checkpoints | None" = None,
    ) -> Fit:
        """Fit the pipeline; it has one epoch, after which there is nothing to go on with."""
        pipeline = make_pipeline(
            TfidfVectorizer(
                lowercase=False,  # texts come cleaned, words parted by single spaces
                token_pattern=r"\S+",
                ngram_range=(1, int(settings["ngrams"])),
                max_features=int(settings["features"]),
                sublinear_tf=bool(settings["sublinear"]),
                dtype=np.float32,
            ),
            LogisticRegression(
                C=float(settings["c"]),
                class_weight="balanced" if training.sampling == "class_weight" else None,
                max_iter=300,
                random_state=training.seed,
            ),
        )
        features, ratings = pipeline[0].fit_transform(corpus.train.texts.to_list()), corpus.train.ratings
        resampled = resample(corpus, training)
        if resampled:
            features, ratings = resampled.mixture @ features, resampled.ratings
        pipeline[-1].fit(features, ratings)
        model = FittedLogistic(pipeline)
        probabilities = model.probabilities(corpus.validation.texts)
        recorder.epoch(1, {}, probabilities)
        return Fit(model, probabilities, epochs=1, best_epoch=1, trained_on=ratings)

    def load(self, folder: Path) -> FittedLogistic:
        """Read a pipeline; types that scikit-learn does not bring are refused."""
        pipeline = skops.io.load(folder / "pipeline.skops")
        terms = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
        pipeline[0].vocabulary_ = {term: index for index, term in enumerate(terms)}
        return FittedLogistic(pipeline)


LOGISTIC_REGRESSION = LogisticFamily()
