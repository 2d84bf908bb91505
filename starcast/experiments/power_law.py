"""Fit a power law to a score as a function of the number of training reviews, and extrapolate it."""

from dataclasses import dataclass

import numpy as np

from starcast.evaluation.resampling import LEVEL, Estimate

LEAST_SIZES = 4  # three numbers are fitted
HIGHEST = 1.0  # the highest value of any score
RATES = np.geomspace(0.05, 2, 400)  # the rates tried, 1% apart
NO_GAP = 0.005  # a smaller distance to the limit counts as zero
TOO_WIDE = 0.2  # a wider interval is not informative
BEYOND = 10  # multiple of the largest size up to which a curve is extrapolated
TAIL = (1 - LEVEL) / 2


def fit_power_laws(reviews: np.ndarray, scores: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Fit score = limit - gap * (reviews / most reviews) ** -rate by least squares to many curves at once.

    Hestness et al. observed such laws (Deep learning scaling is predictable, empirically, 2017); they fit
    most learning curves best among the forms compared by Viering and Loog (The shape of learning curves: a
    review, 2021). For a given rate the other two follow in closed form (variable projection, Golub and
    Pereyra, 1973), so every rate is tried: there is no starting point to choose and no failure to converge.
    Bounds: limit <= 1, gap >= 0, rate within `RATES`.

    Args:
        reviews: ascending, shape (sizes,).
        scores: shape (curves, sizes).
        errors: standard errors of the scores, positive, shape (sizes,).

    Returns:
        limit, gap (limit minus the fit at the most reviews) and rate, shape (curves, 3).
    """
    weights = errors**-2.0 / (errors**-2.0).sum()
    powers = (reviews / reviews[-1]) ** -RATES[:, None]  # (rates, sizes)
    mean_power, mean_score = powers @ weights, scores @ weights
    centred = powers - mean_power[:, None]
    slope = ((scores - mean_score[:, None]) * weights) @ centred.T / (centred**2 @ weights)  # (curves, rates)
    gap = np.maximum(-slope, 0)
    limit = mean_score[:, None] + gap * mean_power
    through_highest = ((HIGHEST - scores) * weights) @ powers.T / (powers**2 @ weights)
    gap, limit = np.where(limit > HIGHEST, through_highest, gap), np.minimum(limit, HIGHEST)
    missed = limit[..., None] - gap[..., None] * powers - scores[:, None, :]  # (curves, rates, sizes)
    best = (missed**2 @ weights).argmin(axis=1)
    curves = np.arange(len(scores))
    return np.stack([limit[curves, best], gap[curves, best], RATES[best]], axis=1)


@dataclass(frozen=True)
class Trend:
    """A power law fitted to a curve and, for its intervals, to each bootstrap resample of the curve."""

    most: int  # the largest number of reviews measured
    fitted: np.ndarray  # as returned by `fit_power_laws`, shape (3,)
    resampled: np.ndarray  # shape (resamples, 3)

    @classmethod
    def fit(cls, reviews: np.ndarray, scores: np.ndarray, resampled: np.ndarray) -> "Trend | None":
        """Fit, weighting sizes whose score varies less over resamples more; None for fewer than 4 sizes.

        Args:
            reviews, scores: shape (sizes,), reviews ascending.
            resampled: shape (resamples, sizes).
        """
        if len(reviews) < LEAST_SIZES:
            return None
        spread = resampled.std(axis=0)
        # A size whose score happens not to vary must not dominate.
        errors = np.maximum(spread, 0.1 * spread.max() or 1.0)
        fitted = fit_power_laws(reviews, scores[None], errors)[0]
        return cls(int(reviews[-1]), fitted, fit_power_laws(reviews, resampled, errors))

    @property
    def limit(self) -> Estimate:
        """Return the limit of the curve for any number of reviews."""
        return Estimate(float(self.fitted[0]), *_ends(self.resampled[:, 0]).tolist())

    @property
    def doubt(self) -> str:
        """Return why the limit is unreliable; empty if it is reliable."""
        limit, (_, gap, rate) = self.limit, self.fitted
        if gap > NO_GAP and (limit.value >= HIGHEST or rate <= RATES[0]):
            return "the points do not bend towards a limit yet"
        if limit.high - limit.low > TOO_WIDE:
            return f"the points leave it open from {limit.low:.2f} to {limit.high:.2f}"
        return ""

    @property
    def beyond(self) -> Estimate | None:
        """Return the score at ten times the most reviews; None if its interval is too wide."""
        estimate = self.estimate(BEYOND * self.most)
        return None if estimate.high - estimate.low > TOO_WIDE else estimate

    def at(self, reviews: np.ndarray) -> np.ndarray:
        """Return the fitted scores, shape (sizes,)."""
        return _law(self.fitted[None], reviews / self.most)[0]

    def interval(self, reviews: np.ndarray) -> np.ndarray:
        """Return the ends of the 95% intervals of the fitted scores, shape (2, sizes)."""
        return _ends(_law(self.resampled, reviews / self.most))

    def estimate(self, reviews: int) -> Estimate:
        """Return the fitted score at a number of reviews."""
        sizes = np.array([reviews])
        return Estimate(float(self.at(sizes)[0]), *self.interval(sizes)[:, 0].tolist())

    def worth_doubling_until(self, worth: float) -> float:
        """Return from how many reviews on a doubling gains less than `worth`; 0 if none gains that much."""
        _, gap, rate = self.fitted
        return float(self.most * (gap * (1 - 2.0**-rate) / worth) ** (1 / rate))


def passing(behind: Trend, ahead: Trend, times: int) -> Estimate:
    """Return the number of reviews, up to `times` the largest size, at which one law overtakes another.

    Infinite if it does not. The interval is over the resamples, which both laws share.
    """
    sizes = np.geomspace(1, times, 400)
    laws = ((behind.fitted[None], ahead.fitted[None]), (behind.resampled, ahead.resampled))
    above = [_law(own, sizes) > _law(other, sizes) for own, other in laws]
    first = (np.where(each.any(axis=1), sizes[each.argmax(axis=1)], np.inf) for each in above)
    (value,), resampled = (behind.most * at for at in first)
    # Infinity cannot be interpolated.
    low = np.quantile(resampled, TAIL, method="lower")
    high = np.quantile(resampled, 1 - TAIL, method="higher")
    return Estimate(float(value), float(low), float(high))


def _law(laws: np.ndarray, relative: np.ndarray) -> np.ndarray:
    """Return the scores (laws, sizes) of power laws (laws, 3) at `relative` times the largest size."""
    limit, gap, rate = laws.T[..., None]
    return np.asarray(limit - gap * relative**-rate)


def _ends(resampled: np.ndarray) -> np.ndarray:
    """Return the ends, shape (2, ...), of the 95% intervals of draws, shape (draws, ...)."""
    return np.quantile(resampled, [TAIL, 1 - TAIL], axis=0)
