"""The classifier of a linear model: the numbers that scikit-learn's logistic regression has learned.

Scikit-learn, and skops, which imports all of it, took most of the time from a new process to the first answer
of a linear model. To answer, neither is needed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

CLASSIFIER, EARLIER = "classifier.npz", "classifier.skops"  # up to version 0.9 scikit-learn's own, by skops


@dataclass(frozen=True)
class LinearClassifier:
    """Gives probabilities to classes; what it has learned is named as in scikit-learn.

    Attributes:
        classes_: indices of ratings, ascending, shape (classes,).
        coef_: shape (classes, features), or of two classes (1, features), their difference.
        intercept_: shape (classes,), or (1,).
    """

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray

    @classmethod
    def of(cls, fitted: Any) -> "LinearClassifier":
        """Take over from a fitted `LogisticRegression`."""
        # Rows are multiplied with `coef_.T`, of which scipy makes a copy each time unless it is in C order.
        return cls(fitted.classes_, np.asfortranarray(fitted.coef_), fitted.intercept_)

    def predict_proba(self, rows: sparse.csr_matrix) -> np.ndarray:
        """Return the probabilities of the classes, shape (rows, classes)."""
        scores = rows @ self.coef_.T + self.intercept_
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return np.asarray(scores)

    def save(self, folder: Path) -> None:
        """Write arrays that numpy reads without pickle."""
        file = folder / CLASSIFIER
        np.savez(file, classes=self.classes_, coefficients=self.coef_, intercepts=self.intercept_)

    @classmethod
    def load(cls, folder: Path, labels: int) -> "LinearClassifier":
        """Read what `save` wrote, now or in an earlier version; nothing but numbers of scikit-learn's types.

        Raises:
            ValueError: it is no classifier of so many labels.
        """
        earlier = (folder / EARLIER).exists()
        file, loaded = (EARLIER, _by_skops(folder)) if earlier else (CLASSIFIER, _by_numpy(folder))
        classes, weights, intercepts = map(np.asarray, (loaded.classes_, loaded.coef_, loaded.intercept_))
        if not np.isin(classes, range(labels)).all() or len(classes) < 2 or (np.diff(classes) <= 0).any():
            raise ValueError(f"{file}: its classes {classes!s:.80} are no ratings from 0 to {labels - 1}")
        rows = 1 if len(classes) == 2 else len(classes)
        if weights.ndim != 2 or len(weights) != rows or intercepts.shape != (rows,):
            raise ValueError(f"{file}: its weights do not fit its {len(classes)} classes")
        if not np.isfinite(weights).all() or not np.isfinite(intercepts).all():
            raise ValueError(f"{file}: a weight is not finite")
        return cls.of(loaded)


def _by_numpy(folder: Path) -> LinearClassifier:
    with np.load(folder / CLASSIFIER, allow_pickle=False) as stored:
        classes = stored["classes"].astype(np.int64)
        return LinearClassifier(classes, stored["coefficients"], stored["intercepts"])


def _by_skops(folder: Path) -> Any:
    import skops.io  # only for models of earlier versions
    from sklearn.linear_model import LogisticRegression

    loaded = skops.io.load(folder / EARLIER)
    if type(loaded) is not LogisticRegression:
        raise ValueError(f"{EARLIER}: it holds {type(loaded).__name__}, not a LogisticRegression")
    return loaded
