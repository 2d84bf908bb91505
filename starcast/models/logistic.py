"""Study B's baseline: logistic regression on TF-IDF of word n-grams."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from starcast.models.family import Family, Fit, FitOptions, Recorder, Sampling, Schedule, Settings, Space

if TYPE_CHECKING:  # so that parameters are checked without these
    from starcast.models.checkpoint import Checkpoints
    from starcast.models.corpus import Corpus
    from starcast.models.fitted_logistic import FittedLogistic


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
        """Return the usual text baseline: words and pairs of words, with more features than the study's 4,000."""
        return {"ngrams": 2, "features": 50_000, "sublinear": False, "c": 1.0}

    def fit(
        self,
        corpus: Corpus,
        settings: Settings,
        options: FitOptions,
        recorder: Recorder,
        checkpoints: Checkpoints | None = None,
    ) -> Fit:
        """Fit vectoriser and classifier; there is one epoch, after which there is nothing to go on with.

        Raises:
            UserError: no training text has a word, or the sampling cannot be done with these reviews.
        """
        from starcast.models.fitted_logistic import fit_logistic

        return fit_logistic(corpus, settings, options, recorder)

    def load(self, folder: Path) -> FittedLogistic:
        """Read what was saved; types that scikit-learn does not bring are refused."""
        from starcast.models.fitted_logistic import FittedLogistic

        return FittedLogistic.load(folder)


LOGISTIC_REGRESSION = LogisticFamily()
