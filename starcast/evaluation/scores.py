"""Compute scores: of confusion matrices, of which many are scored at once, and of probabilities."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from starcast.evaluation.confidence import BINS, bin_of, confidence_of
from starcast.evaluation.names import MAIN
from starcast.evaluation.scale import STARS, Scale


def count_matrix(ratings: np.ndarray, predicted: np.ndarray, labels: int = len(STARS)) -> np.ndarray:
    """Return the confusion matrix of ratings, as index from 0: counts, rows true, columns predicted."""
    cells = np.bincount(ratings.astype(np.int64) * labels + predicted, minlength=labels**2)
    return cells.reshape(labels, labels)


def occurring(matrices: np.ndarray) -> np.ndarray:
    """Return which labels the true ratings of confusion matrices have, (labels,); all if there are none."""
    found = np.asarray(matrices.sum(-1).reshape(-1, matrices.shape[-1]).any(axis=0))
    return found if found.any() else ~found


def matrix_scores(
    matrices: np.ndarray, scale: Scale = STARS, present: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """Return the scores of confusion matrices, shape (..., labels, labels); each score has shape (...,).

    Averages are scikit-learn's: weighted by support, or over the ratings that are true or predicted at least
    once. A ratio with denominator 0 is 0; kappa, 1 minus a ratio, is then 1 (scikit-learn: NaN). The
    scores of a label that no true rating has are left out, and so is its term in study B's score.

    Args:
        present: which labels the true ratings have, shape (labels,), where that is not to be judged by the
            matrices: those of resamples may lack a label that the reviews have.
    """
    present = occurring(matrices) if present is None else present
    right = np.diagonal(matrices, axis1=-2, axis2=-1)
    support, answered, total = matrices.sum(-1), matrices.sum(-2), matrices.sum((-1, -2))
    recall, precision = _ratio(right, support), _ratio(right, answered)
    f1 = _ratio(2 * right, support + answered)
    expected = support[..., :, None] * answered[..., None, :]
    distance = np.abs(np.subtract.outer(np.arange(len(scale)), np.arange(len(scale))))
    squares, expected_squares = ((counts * distance**2).sum((-1, -2)) for counts in (matrices, expected))
    scores = {
        "accuracy": _ratio(right.sum(-1), total),
        "f1_weighted": _ratio((f1 * support).sum(-1), total),
        "f1_macro": _ratio(f1.sum(-1), (support + answered > 0).sum(-1)),
        "precision_weighted": _ratio((precision * support).sum(-1), total),
        "recall_weighted": _ratio((recall * support).sum(-1), total),
        "harmonic_recall": harmonic_recall(recall, precision, present),
        "mae": _ratio((matrices * distance).sum((-1, -2)), total),
        "within_one": _ratio((matrices * (distance <= 1)).sum((-1, -2)), total),
        "quadratic_kappa": 1 - _ratio(squares * total, expected_squares),
    }
    for i in np.flatnonzero(present):
        for name, values in (("precision", precision), ("recall", recall), ("f1", f1)):
            scores[f"{name}_{scale.keys[i]}"] = values[..., i]
    return scores


def harmonic_recall(
    recall: np.ndarray, precision: np.ndarray, present: np.ndarray | None = None
) -> np.ndarray:
    """Return study B's score: the harmonic mean of recall for 1-4 stars and precision for 5 stars.

    On other scales, precision is that of the highest label; labels that are not `present` are left out.
    """
    values = np.concatenate([recall[..., :-1], precision[..., -1:]], axis=-1)
    if present is not None and not present.all():
        values = values[..., present]
    with np.errstate(divide="ignore"):
        return np.asarray(values.shape[-1] / (1 / values).sum(-1))


def score(
    ratings: np.ndarray,
    probabilities: np.ndarray,
    predicted: np.ndarray | None = None,
    scale: Scale = STARS,
) -> dict[str, float]:
    """Return all scores of a split by name, without a prefix for the split, the main ones first.

    Args:
        ratings: true ratings as index from 0, shape (reviews,).
        probabilities: shape (reviews, labels).
        predicted: chosen ratings as index from 0; the most probable ones unless given.
    """
    chosen = probabilities.argmax(axis=1) if predicted is None else predicted
    matrix = count_matrix(ratings, chosen, len(scale))
    scores = {name: float(value) for name, value in matrix_scores(matrix, scale).items()}
    scores["auc"] = multilabel_auc(ratings, probabilities)
    scores |= probability_means(ratings, chosen, probabilities)
    return {name: scores[name] for name in (*MAIN, *scores)}


def probability_means(
    ratings: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray
) -> dict[str, float]:
    """Return log loss, Brier score and calibration error by name; see `probability_scores`."""
    means = probability_terms(ratings, predicted, probabilities).mean(axis=1)
    return {name: float(value) for name, value in probability_scores(means).items()}


def probability_terms(
    ratings: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray
) -> sparse.csr_array:
    """Return what each review adds to the scores of probabilities, shape (2 + `BINS`, reviews).

    The rows are the log loss, the Brier score, and for each bin of confidence how much higher it is than the
    share of reviews that are right. Their means over reviews, or over a resample, give the scores.
    """
    reviews, every = len(ratings), np.arange(len(ratings))
    smallest = np.finfo(probabilities.dtype).eps  # of what is 0 the logarithm is not finite
    true, confidences = (
        confidence_of(probabilities, each).astype(np.float64) for each in (ratings, predicted)
    )
    loss = -np.log(np.clip(true, smallest, 1 - smallest))
    brier = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64) - 2 * true + 1
    values = np.concatenate([loss, brier, confidences - (predicted == ratings)])
    rows = np.concatenate([np.repeat([0, 1], reviews), 2 + bin_of(confidences)])
    return sparse.csr_array((values, (rows, np.tile(every, 3))), (2 + BINS, reviews))


def probability_scores(means: np.ndarray) -> dict[str, np.ndarray]:
    """Return log loss, Brier score and calibration error of the means of `probability_terms`, (17, ...).

    `brier`, over all ratings, is from 0 to 2 (Brier, Verification of forecasts expressed in terms of
    probability, 1950). `ece`, the expected calibration error (Naeini et al., Obtaining well calibrated
    probabilities using Bayesian binning, AAAI 2015), is that of the chosen rating: the mean distance between
    its probability and how often it is right, over `BINS` bins of equal width. Chance keeps it above 0 even
    where a model is calibrated: the fewer reviews, the more.
    """
    return {"loss": means[0], "brier": means[1], "ece": np.abs(means[2:]).sum(axis=0)}


def multilabel_auc(ratings: np.ndarray, probabilities: np.ndarray) -> float:
    """Return study A's AUC: of each rating against the rest, averaged over the ratings that are present."""
    from sklearn.metrics import roc_auc_score

    present = [i for i in range(probabilities.shape[1]) if 0 < (ratings == i).sum() < len(ratings)]
    return float(np.mean([roc_auc_score(ratings == i, probabilities[:, i]) for i in present]))


def val_scores(ratings: np.ndarray, probabilities: np.ndarray, scale: Scale = STARS) -> dict[str, float]:
    """Return all scores of the validation split, named `val_...`."""
    return {f"val_{name}": value for name, value in score(ratings, probabilities, scale=scale).items()}


def left_out(counts: Sequence[int] | np.ndarray, scale: Scale) -> str:
    """Return which labels of a scale scores leave out, as none of the reviews counted has them; or empty."""
    absent = [name for name, reviews in zip(scale.names, counts, strict=True) if not reviews]
    if not absent:
        return ""
    *first, last = absent
    which = f"ratings {', '.join(first)} and {last} do" if first else f"rating {last} does"
    return f"{which} not occur; scores leave {'them' if first else 'it'} out"


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)
