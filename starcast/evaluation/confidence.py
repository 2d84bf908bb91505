"""How sure a model is of the rating that it chose, and below which confidence a person should look."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

COLUMNS = "confidence", "needs_review"  # of answers
FEWEST = 20  # reviews from which an accuracy is told
BINS = 15  # of equal width, as Guo et al. (On calibration of modern neural networks, ICML 2017)


def confidence_of(probabilities: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the probability of each chosen rating, given as index from 0, shape (reviews,)."""
    return np.take_along_axis(probabilities, predicted[:, None], axis=1)[:, 0]


def bin_of(confidences: np.ndarray) -> np.ndarray:
    """Return the bin of each confidence, from 0 to `BINS` - 1."""
    return np.minimum((confidences * BINS).astype(np.int64), BINS - 1)


class Reliability(NamedTuple):
    """Of each bin of confidence that has reviews: their number, mean confidence, and share that are right."""

    counts: np.ndarray
    confidences: np.ndarray
    accuracies: np.ndarray

    @classmethod
    def of(cls, confidences: np.ndarray, right: np.ndarray) -> "Reliability":
        """Return the points of a reliability diagram (Niculescu-Mizil and Caruana, ICML 2005)."""
        bins, every = bin_of(confidences), np.bincount(bin_of(confidences), minlength=BINS)
        some = every > 0
        sums = (np.bincount(bins, each, minlength=BINS)[some] for each in (confidences, right))
        return cls(every[some], *(each / every[some] for each in sums))

    @property
    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the 95% intervals of the shares that are right (Wilson, 1927)."""
        square = 1.96**2 / self.counts
        middle = (self.accuracies + square / 2) / (1 + square)
        reach = np.sqrt(self.accuracies * (1 - self.accuracies) * square + square**2 / 4) / (1 + square)
        return middle - reach, middle + reach

    @property
    def error(self) -> float:
        """Return the expected calibration error."""
        return float(np.average(np.abs(self.confidences - self.accuracies), weights=self.counts))


class Coverage(NamedTuple):
    """Of reviews at or above each confidence, highest first: their share, and how often they are right."""

    confidences: np.ndarray
    shares: np.ndarray
    accuracies: np.ndarray

    @classmethod
    def of(cls, confidences: np.ndarray, right: np.ndarray) -> "Coverage":
        """Return the points of the risk-coverage curve, whose risk is 1 - accuracy.

        Reviews of equal confidence are one point, because no threshold tells them apart; the surest reviews
        are left out while they are fewer than `FEWEST` (Geifman and El-Yaniv, Selective classification for
        deep neural networks, NeurIPS 2017).

        Args:
            confidences: of the chosen ratings, shape (reviews,).
            right: whether each is the true one.
        """
        order = np.argsort(-confidences, kind="stable")
        falling, kept = confidences[order], np.arange(1, len(order) + 1)
        told = np.append(falling[1:] < falling[:-1], True)[: len(order)] & (kept >= min(FEWEST, len(order)))
        return cls(falling[told], kept[told] / len(order), (right[order].cumsum() / kept)[told])


@dataclass(frozen=True)
class Threshold:
    """Ratings of a lower confidence need review, so that the others are right as often as `accuracy` says.

    Without a confidence, as where none reaches that accuracy, every rating needs review.
    """

    accuracy: float
    confidence: float | None

    def below(self, confidences: np.ndarray) -> np.ndarray:
        """Return which ratings need review, shape (reviews,)."""
        if self.confidence is None:
            return np.ones(len(confidences), dtype=bool)
        return confidences < self.confidence

    @classmethod
    def fit(cls, confidences: np.ndarray, right: np.ndarray, accuracy: float) -> "Threshold":
        """Return the lowest threshold from which on ratings are right that often."""
        curve = Coverage.of(confidences, right)
        reached = np.flatnonzero(curve.accuracies >= accuracy)
        return cls(accuracy, float(curve.confidences[reached[-1]]) if len(reached) else None)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Threshold":
        """Return the threshold that `asdict` described; raise a ValueError if it is none."""
        accuracy, confidence = values["accuracy"], values["confidence"]
        if not all(isinstance(each, int | float) and 0 <= each <= 1 for each in (accuracy, confidence or 0)):
            raise ValueError("the threshold has an accuracy or a confidence that is not from 0 to 1")
        return cls(float(accuracy), None if confidence is None else float(confidence))
