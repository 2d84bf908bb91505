"""Every score of the design. All but AUC and loss follow from the confusion matrix, for one or for many at once."""

import numpy as np
from sklearn.metrics import confusion_matrix, log_loss, roc_auc_score


def count_matrix(ratings: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Confusion matrix of indices 0-4: rows true, columns predicted, counts, shape (5, 5)."""
    return np.asarray(confusion_matrix(ratings, predicted, labels=range(5)))


def matrix_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of confusion matrices, shape (..., 5, 5); each score has shape (...,).

    Averages are scikit-learn's: weighted by support, or over the ratings that are true or predicted at least once.
    A ratio with nothing below the line is 0; kappa, which is 1 less such a ratio, is then 1 (scikit-learn: not a number).
    """
    right = np.diagonal(matrices, axis1=-2, axis2=-1)
    support, answered = matrices.sum(-1), matrices.sum(-2)
    recall, precision = _ratio(right, support), _ratio(right, answered)
    f1 = _ratio(2 * right, support + answered)
    total = support.sum(-1)
    scores = {
        "accuracy": _ratio(right.sum(-1), total),
        "f1_weighted": _ratio((f1 * support).sum(-1), total),
        "f1_macro": _ratio(f1.sum(-1), (support + answered > 0).sum(-1)),
        "precision_weighted": _ratio((precision * support).sum(-1), total),
        "recall_weighted": _ratio((recall * support).sum(-1), total),
        "harmonic_recall": harmonic_recall(recall, precision),
        **_distance_scores(matrices),
    }
    for i in range(5):
        scores |= {
            f"precision_{i + 1}": precision[..., i],
            f"recall_{i + 1}": recall[..., i],
            f"f1_{i + 1}": f1[..., i],
        }
    return scores


def harmonic_recall(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Study B's score: the harmonic mean of recall for 1-4 stars and precision for 5 stars; 0 if any of them is 0."""
    values = np.concatenate([recall[..., :4], precision[..., 4:]], axis=-1)
    with np.errstate(divide="ignore"):
        return np.asarray(5 / (1 / values).sum(-1))


def _distance_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    total = matrices.sum((-1, -2))
    stars = np.arange(5)
    distance = np.abs(stars[:, None] - stars)
    squared = distance**2
    expected = matrices.sum(-1)[..., :, None] * matrices.sum(-2)[..., None, :]
    observed_error = (matrices * squared).sum((-1, -2)) * total
    return {
        "mae": _ratio((matrices * distance).sum((-1, -2)), total),
        "within_one": _ratio((matrices * (distance <= 1)).sum((-1, -2)), total),
        "quadratic_kappa": 1 - _ratio(observed_error, (expected * squared).sum((-1, -2))),
    }


def score(
    ratings: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> dict[str, float]:
    """All scores of a split.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,).
        probabilities: shape (reviews, 5).
        predicted: chosen ratings as index 0-4; the most probable ones unless given.

    Returns:
        Name without prefix to value. `auc` is study A's: one label against the rest, averaged over the labels present.
    """
    matrix = count_matrix(ratings, probabilities.argmax(axis=1) if predicted is None else predicted)
    scores = {name: float(value) for name, value in matrix_scores(matrix).items()}
    loss = float(log_loss(ratings, probabilities, labels=range(5)))
    return {"loss": loss, "auc": multilabel_auc(ratings, probabilities), **scores}


def multilabel_auc(ratings: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean over the ratings present of the area under the ROC curve of that rating against the rest."""
    present = [i for i in range(5) if 0 < (ratings == i).sum() < len(ratings)]
    return float(np.mean([roc_auc_score(ratings == i, probabilities[:, i]) for i in present]))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def val_scores(ratings: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """All scores of the validation split, named `val_...`."""
    return {f"val_{name}": value for name, value in score(ratings, probabilities).items()}
