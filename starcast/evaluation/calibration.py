"""Calibrate probabilities: a rating that is given 70% should be the true one in 70 of 100 such reviews."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from starcast.evaluation.decision import RatingShares, Validation, prior_correction

LOWEST, HIGHEST = 0.05, 20.0  # exponents
SMALLEST = np.finfo(np.float32).eps  # stands for a probability of 0 while a calibration is fitted
# Standard deviations of the priors: of how far each rating departs from the others, and of the temperature
# that all share. After fits to 30 reviews smaller ones did better on other reviews, after fits to 1,000
# larger ones (study A's validation split, three models).
SPREAD, SHARED = 0.35, 1.0


@dataclass(frozen=True)
class Calibration:
    """Raise the probability of each rating to an exponent, multiply it by a weight, and normalise the row.

    On logarithms this is vector scaling (Guo et al., On calibration of modern neural networks, ICML 2017; of
    log probabilities: Kull et al., Beyond temperature scaling, NeurIPS 2019). Equal exponents would be 1 /
    temperature. A probability of 0, as of a rating that was never trained on, stays 0.
    """

    exponents: tuple[float, ...]
    weights: tuple[float, ...]

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Return calibrated probabilities, shape (reviews, labels), in the precision of those given."""
        with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, which becomes 0 again
            logits = np.log(probabilities, dtype=np.float64)
        logits *= self.exponents
        logits += np.log(self.weights)
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits.astype(probabilities.dtype)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], labels: int) -> "Calibration":
        """Return the calibration that `asdict` described; raise a ValueError if it is none."""
        exponents, weights = (np.array(values[name], dtype=float) for name in ("exponents", "weights"))
        if not exponents.shape == weights.shape == (labels,):
            raise ValueError(f"the calibration has no {labels} exponents and weights")
        if not (exponents.min() >= LOWEST and exponents.max() <= HIGHEST):
            raise ValueError(f"the calibration has exponents that are not from {LOWEST:g} to {HIGHEST:g}")
        if not (np.isfinite(weights).all() and weights.min() > 0):
            raise ValueError("the calibration has weights that are not finite and above 0")
        return cls(tuple(exponents.tolist()), tuple(weights.tolist()))


def fit_calibration(validation: Validation, shares: RatingShares) -> Calibration:
    """Fit a calibration by penalised maximum likelihood on reviews that the model was not fitted on.

    It starts by restoring the class priors that sampling or class weights shifted. Normal priors on exponents
    and biases keep it near this start, so that a few reviews, or a rating that none of them has, move it
    little.

    Args:
        validation: reviews that the model was not fitted on.
        shares: of the training split.

    Returns:
        The calibration, or one that changes nothing if that has the lower log loss on these reviews.
    """
    ratings, probabilities = validation
    labels, trained = len(shares.true), np.flatnonzero(shares.trained)
    priors = np.log(np.where(shares.true > 0, prior_correction(*shares).weights, 1.0))
    exponents, biases = np.ones(labels), np.zeros(labels)
    known = np.isin(ratings, trained)  # a rating that was never trained on has the probability 0 for good
    if known.any():
        logits = np.log(np.maximum(probabilities[known], SMALLEST), dtype=np.float64) + priors
        among = np.searchsorted(trained, ratings[known])
        exponents[trained], biases[trained] = _most_likely(logits[:, trained], among)
    weights = np.exp(exponents * priors + biases)  # the exponents apply to the priors, too
    fitted = Calibration(tuple(exponents.tolist()), tuple((weights / weights.mean()).tolist()))
    same = Calibration((1.0,) * labels, (1.0,) * labels)
    return min(fitted, same, key=lambda each: _loss(each.apply(probabilities), ratings))


def _most_likely(logits: np.ndarray, ratings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return exponents and biases that maximise the penalised likelihood, which has one maximum."""
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    reviews, labels = logits.shape
    start, rows = np.repeat([1.0, 0.0], labels), np.arange(reviews)

    def penalised_loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient, both per review."""
        logs = log_softmax(logits * values[:labels] + values[labels:], axis=1)
        moved = values - start
        shared = moved[:labels].mean()
        moved[:labels] -= shared
        loss = ((moved @ moved / SPREAD**2 + shared**2 / SHARED**2) / 2 - logs[rows, ratings].sum()) / reviews
        errors = np.exp(logs)
        errors[rows, ratings] -= 1
        slopes = np.concatenate([np.einsum("ij,ij->j", errors, logits), errors.sum(axis=0)])
        slopes += moved / SPREAD**2
        slopes[:labels] += shared / SHARED**2 / labels
        return loss, slopes / reviews

    bounds = [(LOWEST, HIGHEST)] * labels + [(None, None)] * labels
    found = minimize(penalised_loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return found.x[:labels], found.x[labels:]


def _loss(probabilities: np.ndarray, ratings: np.ndarray) -> float:
    true = probabilities[np.arange(len(ratings)), ratings]
    return float(-np.log(np.maximum(true, SMALLEST)).mean()) if len(ratings) else 0.0
