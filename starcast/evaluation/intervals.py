"""Compute bootstrap confidence intervals of scores of the confusion matrix, of AUC and of probabilities."""

from collections.abc import Mapping, Sequence

import numpy as np

from starcast.evaluation.paired import LEVEL, Estimate, resampled_sums
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import matrix_scores, occurring, probability_scores, probability_terms

AUC_RESAMPLES = 1_000
Intervals = dict[str, tuple[float, float]]  # score name -> (low, high)


def bootstrap_intervals(
    matrix: np.ndarray, seed: int, resamples: int = 2_000, scale: Scale = STARS
) -> Intervals:
    """Return 95% percentile bootstrap intervals over reviews (Efron, 1979) by name of the score."""
    return _ends(resampled_scores(matrix, seed, resamples, scale))


def resampled_scores(
    matrix: np.ndarray, seed: int, resamples: int = 2_000, scale: Scale = STARS
) -> dict[str, np.ndarray]:
    """Return the scores of bootstrap resamples of a confusion matrix by name, each of shape (resamples,).

    Drawing reviews with replacement means drawing the cells of their confusion matrix from a multinomial
    distribution, so no resample needs the reviews themselves.
    """
    counts = matrix.ravel()
    draws = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    return matrix_scores(draws.reshape(resamples, *matrix.shape), scale, occurring(matrix))


def probability_intervals(
    ratings: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, seed: int, resamples: int = 1_000
) -> Intervals:
    """Return the same of log loss, Brier score and calibration error.

    Args:
        ratings, predicted: as index from 0, shape (reviews,).
        probabilities: shape (reviews, labels).
    """
    terms = probability_terms(ratings, predicted, probabilities)
    return _ends(probability_scores(resampled_sums(terms, seed, resamples) / len(ratings)))


def _ends(scores: Mapping[str, np.ndarray]) -> Intervals:
    tail = (1 - LEVEL) / 2
    return {name: tuple(np.quantile(values, [tail, 1 - tail]).tolist()) for name, values in scores.items()}


def auc_interval(ratings: np.ndarray, fits: Sequence[np.ndarray], seed: int) -> Estimate:
    """Return the mean AUC of fits on the same reviews with its 95% bootstrap interval over reviews and fits.

    A resample's AUC follows from the influence of the reviews in it, so that nothing is ranked again.

    Args:
        ratings: true ratings as index from 0, shape (reviews,).
        fits: probabilities of each fit, shape (reviews, labels).
    """
    random, reviews = np.random.default_rng(seed), len(ratings)
    values, influences = zip(*(_auc(ratings, probabilities) for probabilities in fits), strict=True)
    drawn = np.empty(AUC_RESAMPLES)
    for i in range(AUC_RESAMPLES):
        chosen = random.integers(len(fits), size=len(fits))
        influence = np.mean([influences[fit] for fit in chosen], axis=0)
        moved = influence[random.integers(reviews, size=reviews)].mean()
        drawn[i] = np.mean([values[fit] for fit in chosen]) + moved
    return Estimate(float(np.mean(values)), *np.quantile(drawn, [0.025, 0.975]).tolist())


def _auc(ratings: np.ndarray, probabilities: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the AUC averaged over the ratings present, and each review's influence on it, shape (reviews,).

    A rating's AUC is how often a review with it ranks above a review without it. A review's influence is how
    often it wins minus that mean, divided by the share of its side (DeLong et al., Comparing the areas under
    two or more correlated receiver operating characteristic curves, 1988). Influences have mean 0.
    """
    from scipy.stats import rankdata

    values, influence = [], np.zeros(len(ratings))
    for rating in range(probabilities.shape[1]):
        ours = ratings == rating
        share = ours.mean()
        if not 0 < share < 1:
            continue
        scores = probabilities[:, rating]
        ranks = rankdata(scores)
        wins = np.empty(len(ratings))
        wins[ours] = (ranks[ours] - rankdata(scores[ours])) / (~ours).sum()
        wins[~ours] = 1 - (ranks[~ours] - rankdata(scores[~ours])) / ours.sum()
        values.append(wins[ours].mean())
        influence += (wins - values[-1]) / np.where(ours, share, 1 - share)
    return float(np.mean(values)), influence / max(len(values), 1)
