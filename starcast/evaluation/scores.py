"""Compute scores. All but AUC and loss follow from confusion matrices, of which many are scored at once."""

import numpy as np


def count_matrix(ratings: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the confusion matrix of ratings 0-4: counts, rows true, columns predicted, shape (5, 5)."""
    return np.bincount(ratings.astype(np.int64) * 5 + predicted, minlength=25).reshape(5, 5)


def matrix_scores(matrices: np.ndarray) -> dict[str, np.ndarray]:
    """Return the scores of confusion matrices, shape (..., 5, 5); each score has shape (...,).

    Averages are scikit-learn's: weighted by support, or over the ratings that are true or predicted at least
    once. A ratio with denominator 0 is 0; kappa, 1 minus a ratio, is then 1 (scikit-learn: NaN).
    """
    right = np.diagonal(matrices, axis1=-2, axis2=-1)
    support, answered, total = matrices.sum(-1), matrices.sum(-2), matrices.sum((-1, -2))
    recall, precision = _ratio(right, support), _ratio(right, answered)
    f1 = _ratio(2 * right, support + answered)
    expected = support[..., :, None] * answered[..., None, :]
    distance = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    squares, expected_squares = ((counts * distance**2).sum((-1, -2)) for counts in (matrices, expected))
    scores = {
        "accuracy": _ratio(right.sum(-1), total),
        "f1_weighted": _ratio((f1 * support).sum(-1), total),
        "f1_macro": _ratio(f1.sum(-1), (support + answered > 0).sum(-1)),
        "precision_weighted": _ratio((precision * support).sum(-1), total),
        "recall_weighted": _ratio((recall * support).sum(-1), total),
        "harmonic_recall": harmonic_recall(recall, precision),
        "mae": _ratio((matrices * distance).sum((-1, -2)), total),
        "within_one": _ratio((matrices * (distance <= 1)).sum((-1, -2)), total),
        "quadratic_kappa": 1 - _ratio(squares * total, expected_squares),
    }
    for i in range(5):
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            scores[f"{name}_{i + 1}"] = values[..., i]
    return scores


def harmonic_recall(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return study B's score: the harmonic mean of recall for 1-4 stars and precision for 5 stars."""
    values = np.concatenate([recall[..., :4], precision[..., 4:]], axis=-1)
    with np.errstate(divide="ignore"):
        return np.asarray(5 / (1 / values).sum(-1))


def score(
    ratings: np.ndarray, probabilities: np.ndarray, predicted: np.ndarray | None = None
) -> dict[str, float]:
    """Return all scores of a split by name, without a prefix for the split.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,).
        probabilities: shape (reviews, 5).
        predicted: chosen ratings as index 0-4; the most probable ones unless given.
    """
    from sklearn.metrics import log_loss

    matrix = count_matrix(ratings, probabilities.argmax(axis=1) if predicted is None else predicted)
    scores = {name: float(value) for name, value in matrix_scores(matrix).items()}
    loss = float(log_loss(ratings, probabilities, labels=range(5)))
    return {"loss": loss, "auc": multilabel_auc(ratings, probabilities), **scores}


def multilabel_auc(ratings: np.ndarray, probabilities: np.ndarray) -> float:
    """Return study A's AUC: of each rating against the rest, averaged over the ratings that are present."""
    from sklearn.metrics import roc_auc_score

    present = [i for i in range(5) if 0 < (ratings == i).sum() < len(ratings)]
    return float(np.mean([roc_auc_score(ratings == i, probabilities[:, i]) for i in present]))


def val_scores(ratings: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Return all scores of the validation split, named `val_...`."""
    return {f"val_{name}": value for name, value in score(ratings, probabilities).items()}


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
