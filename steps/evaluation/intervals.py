"""Bootstrap intervals of every score that follows from the confusion matrix."""

import numpy as np

from steps.evaluation.scores import matrix_scores

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
