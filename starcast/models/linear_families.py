"""Linear models: study B's baseline, and two that know more about words and about ratings.

Code that fits and predicts is imported where it is called, so that parameters are checked without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from starcast.evaluation.scale import STARS
from starcast.models.family import Family
from starcast.models.space import Range, Settings, Space

if TYPE_CHECKING:
    from starcast.models.corpus import Corpus
    from starcast.models.family import Checkpoints, Fit, FittedModel, ModelSpec, Recorder, Schedule


class LogisticFamily(Family):
    """Study B's baseline, logistic regression on TF-IDF of word n-grams.

    Settings: `ngrams` (1 to this many words), `features` (the most frequent n-grams), `sublinear`, `c`.
    """

    requirements: ClassVar = ("scikit-learn", "skops")
    iterative: ClassVar = False

    def start(self, schedule: Schedule) -> Settings:
        """Return the usual text baseline: words and pairs, more features than the study's 4,000."""
        return {"ngrams": 2, "features": 50_000, "sublinear": False, "c": 1.0}

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fit the vectoriser and the classifier in one epoch, without checkpoints."""
        from starcast.models.logistic_fit import fit_logistic

        return fit_logistic(corpus, spec, recorder)

    def load(self, folder: Path, labels: int = len(STARS)) -> FittedModel:
        """Read what was saved; nothing in it is run."""
        from starcast.models.logistic import FittedLogistic

        return FittedLogistic.load(folder, labels)


class LinearFamily(LogisticFamily):
    """Logistic regression whose penalty differs between features and between contrasts of ratings (`Prior`).

    Settings beside the baseline's: `characters`, the longest n-grams of characters within words, of which
    there are as many as of words (0: none); `nb`, how far naive Bayes' log-count ratios set a feature's
    penalty; in `ordinal` also `order`, how much more it is penalised for departing from the ratings' order.
    """

    reads: ClassVar = "cleaned"

    def start(self, schedule: Schedule) -> Settings:
        """Return the best settings on study A's validation split."""
        return self.published

    def fit(
        self, corpus: Corpus, spec: ModelSpec, recorder: Recorder, checkpoints: Checkpoints | None = None
    ) -> Fit:
        """Fit the vectoriser and the classifier in one epoch, without checkpoints."""
        from starcast.models.logistic_fit import fit_logistic
        from starcast.models.priors import Prior

        prior = Prior(float(spec.settings.get("order", 1)), float(spec.settings["nb"]))
        return fit_logistic(corpus, spec, recorder, prior)


_LIMITS = {
    "ngrams": Range(1, 10, whole=True),
    "features": Range(1, 10_000_000, whole=True),
    "c": Range(1e-6, 1e6),
    "characters": Range(0, 10, whole=True),
    "nb": Range(0.0, 1.0),
    "order": Range(1.0, 100.0),
}
LOGISTIC_REGRESSION = LogisticFamily(
    "logistic_regression",
    {"ngrams": 3, "features": 4_000, "sublinear": False, "c": 1.0},
    {
        "ngrams": (1, 2, 3),
        "features": (2_000, 4_000, 10_000, 20_000, 50_000, 100_000),
        "sublinear": (False, True),
        "c": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0),
    },
    "class_weight",
    limits=_LIMITS,
)
_FEATURES: Space = {
    "ngrams": (1, 2, 3),
    "features": (20_000, 50_000, 100_000, 200_000),
    "sublinear": (False, True),
    "nb": Range(0.0, 0.9),
    "characters": (0, 4, 5),
}
LINEAR = LinearFamily(
    "linear",
    {"ngrams": 2, "features": 50_000, "sublinear": True, "nb": 0.5, "characters": 4, "c": 2.0},
    {**_FEATURES, "c": Range(0.3, 20.0, log=True)},
    "none",
    limits=_LIMITS,
)
ORDINAL = LinearFamily(
    "ordinal",
    {"ngrams": 2, "features": 50_000, "sublinear": True, "nb": 0.5, "characters": 0, "order": 3.0, "c": 4.0},
    {**_FEATURES, "order": Range(1.2, 10.0, log=True), "c": Range(0.3, 20.0, log=True)},
    "none",
    limits=_LIMITS,
)
