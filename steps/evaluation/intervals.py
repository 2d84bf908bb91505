"""Bootstrap intervals of every score: of those that follow from the confusion matrix, and of AUC."""

from collections.abc import Sequence

import numpy as np

from steps.evaluation.paired import Estimate
from steps.evaluation.scores import matrix_scores, multilabel_auc

Intervals = dict[str, tuple[float, float]]  # score name -> (low, high)


def bootstrap_intervals(matrix: np.ndarray, seed: int, resamples: int = 2_000, level: float = 0.95) -> Intervals:
    """Percentile bootstrap over reviews (Efron, 1979), by score name.

    Drawing reviews with replacement is drawing the 25 cells of their confusion matrix from a multinomial distribution,
    so thousands of resamples cost as much as one look at the reviews.
    """
    counts = matrix.ravel()
    draws = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    scores = matrix_scores(draws.reshape(resamples, 5, 5))
    tail = (1 - level) / 2
    ends = {name: np.quantile(values, [tail, 1 - tail]) for name, values in scores.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def auc_interval(ratings: np.ndarray, fits: Sequence[np.ndarray], seed: int, resamples: int = 200) -> Estimate:
    """Mean AUC of one or more fits on the same reviews, with its 95% percentile bootstrap interval over reviews and fits.

    Args:
        ratings: true ratings as index 0-4, shape (reviews,).
        fits: probabilities of each fit, shape (reviews, 5).
    """
    random, reviews = np.random.default_rng(seed), len(ratings)
    times = np.stack([np.bincount(random.integers(reviews, size=reviews), minlength=reviews) for _ in range(resamples)], axis=1)
    drawn = np.stack([_weighted_auc(ratings, probabilities, times) for probabilities in fits])
    chosen = random.integers(len(fits), size=drawn.shape)
    means = np.take_along_axis(drawn, chosen, axis=0).mean(axis=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(float(np.mean([multilabel_auc(ratings, each) for each in fits])), float(low), float(high))


def _weighted_auc(ratings: np.ndarray, probabilities: np.ndarray, times: np.ndarray) -> np.ndarray:
    """AUC where each review counts so many times, for every column of `times`, shape (reviews, resamples).

    Of each rating: how often a review of it ranks above one of another, equal ones by half (Mann and Whitney, 1947).
    """
    present = [i for i in range(5) if 0 < (ratings == i).sum() < len(ratings)]
    found = []
    for rating in present:
        order = np.argsort(probabilities[:, rating], kind="stable")
        score, right = probabilities[order, rating], (ratings[order] == rating)[:, None]
        starts = np.concatenate([[0], np.flatnonzero(np.diff(score)) + 1])  # of groups of equal probability
        ours = np.add.reduceat(times[order] * right, starts, axis=0)
        theirs = np.add.reduceat(times[order] * ~right, starts, axis=0)
        below = np.cumsum(theirs, axis=0) - theirs / 2
        found.append((ours * below).sum(axis=0) / np.maximum(ours.sum(axis=0) * theirs.sum(axis=0), 1))
    return np.mean(found, axis=0)
