"""Say what a fit has reached at the end of an epoch, or within it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import val_scores


class FitReport(NamedTuple):
    """Metrics of a fit, and its answers to validation reviews.

    Attributes:
        number: of the report, from 1; that of the epoch, unless the family reports within epochs.
        metrics: what training tells: losses, accuracies.
        probabilities: of the ratings, shape (reviews, labels).
        places: of the validation reviews that the probabilities are of; None: all.
    """

    number: int
    metrics: Mapping[str, float]
    probabilities: np.ndarray
    places: np.ndarray | None = None

    def scores(self, ratings: np.ndarray, scale: Scale = STARS) -> dict[str, float]:
        """Return every `val_` score, then the metrics; `ratings` (from 0) are those of the whole split."""
        scored = ratings if self.places is None else ratings[self.places]
        told = val_scores(scored, self.probabilities, scale)
        # Scores first, and they win: pages list metrics in this order.
        return told | {name: value for name, value in self.metrics.items() if name not in told}


class NoCurve:
    """A recorder that keeps nothing: of a fit in one go, or one whose scores its run does not have."""

    def report(self, report: FitReport) -> None:
        """Keep nothing."""


@dataclass
class CurveRecorder:
    """A recorder that keeps each report's number and scores on the validation ratings (from 0)."""

    ratings: np.ndarray
    scale: Scale
    points: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def report(self, report: FitReport) -> None:
        """Keep the metrics and scores."""
        self.points.append((report.number, report.scores(self.ratings, self.scale)))
