"""Compute bootstrap confidence intervals of AUC and of the scores of probabilities."""

from collections.abc import Sequence

import numpy as np

from starcast.evaluation.resampling import Estimate, Intervals, interval_ends, resampled_sums
from starcast.evaluation.scores import probability_scores, probability_terms

AUC_RESAMPLES = 1_000


def probability_intervals(
    ratings: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray, seed: int, resamples: int = 1_000
) -> Intervals:
    """Return 95% bootstrap intervals of log loss, Brier score and calibration error by name.

    Args:
        ratings, predicted: as index from 0, shape (reviews,).
        probabilities: shape (reviews, labels).
    """
    terms = probability_terms(ratings, predicted, probabilities)
    return interval_ends(probability_scores(resampled_sums(terms, seed, resamples) / len(ratings)))


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
    # Near 1, what the reviews add up to may lie beyond what an AUC can be.
    return Estimate(float(np.mean(values)), *np.quantile(drawn, [0.025, 0.975]).clip(0, 1).tolist())


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
