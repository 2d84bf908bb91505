"""Power laws: fits recover what was put in, intervals contain it, open questions stay open."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from starcast.experiments.power_law import BEYOND, RATES, Trend, fit_power_laws, passing

REVIEWS = np.array([1_000, 2_000, 4_000, 8_000, 16_000])
EQUAL = np.ones(5)


def law(reviews: np.ndarray, limit: float, gap: float, rate: float) -> np.ndarray:
    return limit - gap * (np.asarray(reviews) / REVIEWS[-1]) ** -rate


def trend_of(limit: float, gap: float, rate: float, noise: float = 0.002, seed: int = 0) -> Trend:
    """The trend of a curve that was measured with noise, which its resamples have as well."""
    random = np.random.default_rng(seed)
    scores = law(REVIEWS, limit, gap, rate) + random.normal(0, noise, 5)
    found = Trend.fit(REVIEWS, scores, scores + random.normal(0, noise, (200, 5)))
    assert found
    return found


@settings(max_examples=60)
@given(st.floats(0.3, 0.95), st.floats(0.02, 0.3), st.floats(0.1, 1.9))
def test_a_known_law_is_recovered(limit: float, rise: float, rate: float) -> None:
    gap = rise / (16**rate - 1)
    scores = law(REVIEWS, limit, gap, rate)
    fitted = fit_power_laws(REVIEWS, scores[None], EQUAL)[0]
    np.testing.assert_allclose(law(REVIEWS, *fitted), scores, atol=0.002)
    assert fitted[2] == pytest.approx(rate, rel=0.02)
    assert fitted[0] == pytest.approx(limit, abs=0.03 * gap + 0.001)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.lists(st.floats(0.5, 3), min_size=5, max_size=5))
def test_no_curve_within_the_bounds_lies_closer_than_the_one_found(seed: int, errors: list[float]) -> None:
    scores = np.sort(np.random.default_rng(seed).uniform(0.2, 1, 5))

    def missed(fitted: np.ndarray) -> float:
        return float((((law(REVIEWS, *fitted) - scores) / errors) ** 2).sum())

    bounds = ([-5, 0, RATES[0]], [1, 5, RATES[-1]])
    other, _ = curve_fit(
        law, REVIEWS, scores, (scores[-1], 0.1, 0.5), np.array(errors), bounds=bounds, max_nfev=10_000
    )
    limit, gap, rate = found = fit_power_laws(REVIEWS, scores[None], np.array(errors))[0]
    assert limit <= 1
    assert gap >= 0
    assert RATES[0] <= rate <= RATES[-1]
    assert missed(found) <= 1.001 * missed(other) + 1e-6


def test_many_curves_are_fitted_as_each_alone() -> None:
    scores = np.sort(np.random.default_rng(0).uniform(0.2, 1, (20, 5)), axis=1)
    together = fit_power_laws(REVIEWS, scores, EQUAL)
    np.testing.assert_allclose(together, [fit_power_laws(REVIEWS, row[None], EQUAL)[0] for row in scores])


def test_a_size_with_a_small_error_weighs_more() -> None:
    scores = law(REVIEWS, 0.6, 0.05, 0.5) + np.array([0, 0, 0.05, 0, 0])
    sure = fit_power_laws(REVIEWS, scores[None], np.array([1, 1, 0.01, 1, 1]))[0]
    unsure = fit_power_laws(REVIEWS, scores[None], np.array([1, 1, 100, 1, 1]))[0]
    assert law(REVIEWS[2:3], *sure) == pytest.approx(scores[2], abs=1e-3)
    np.testing.assert_allclose(unsure, [0.6, 0.05, 0.5], atol=0.005)


def test_intervals_hold_the_truth_nearly_always() -> None:
    trends = [trend_of(0.6, 0.05, 0.6, seed=seed) for seed in range(20)]
    truths = {"limit": 0.6, "beyond": float(law(REVIEWS[-1:] * BEYOND, 0.6, 0.05, 0.6)[0])}
    for name, truth in truths.items():
        found = [getattr(trend, name) for trend in trends]
        assert sum(one.low <= truth <= one.high for one in found) >= 16  # 19 are to be expected
        assert all(one.low <= one.value <= one.high for one in found)
    assert not any(trend.doubt for trend in trends)


def test_a_flat_curve_ends_where_it_is() -> None:
    trend = trend_of(0.6, 0, 0.5, noise=0)
    assert trend.limit.value == pytest.approx(0.6)
    assert trend.doubt == ""
    assert trend.worth_doubling_until(0.005) < 1
    noisy = trend_of(0.6, 0, 0.5)
    assert noisy.beyond
    assert noisy.beyond.low - 0.002 < 0.6 < noisy.beyond.high + 0.002


def test_a_curve_that_falls_is_flat_to_the_law() -> None:
    limit, gap, _ = fit_power_laws(REVIEWS, np.array([[0.6, 0.59, 0.58, 0.57, 0.56]]), EQUAL)[0]
    assert gap == 0
    assert limit == pytest.approx(0.58)


def test_a_limit_that_the_points_leave_open_is_doubted() -> None:
    assert "leave it open from 0." in trend_of(0.6, 0.1, 0.1).doubt


def test_a_curve_that_does_not_bend_is_doubted() -> None:
    straight = 0.4 + 0.05 * np.log2(REVIEWS / 1_000)
    trend = Trend.fit(REVIEWS, straight, np.tile(straight, (10, 1)))
    assert trend
    assert trend.doubt == "the points do not bend towards a limit yet"


def test_a_score_beyond_that_may_be_anything_is_not_told() -> None:
    assert trend_of(0.6, 0.05, 0.6).beyond
    assert trend_of(0.6, 0.05, 0.6, noise=0.2).beyond is None


@pytest.mark.parametrize("sizes", [1, 2, 3])
def test_fewer_than_four_sizes_are_not_fitted(sizes: int) -> None:
    scores = law(REVIEWS[:sizes], 0.6, 0.05, 0.5)
    assert Trend.fit(REVIEWS[:sizes], scores, np.tile(scores, (10, 1))) is None


def test_a_doubling_is_worth_it_until_it_gains_less() -> None:
    trend = trend_of(0.6, 0.05, 0.5, noise=0)
    until = trend.worth_doubling_until(0.005)
    low, high = trend.at(np.array([until, 2 * until]))
    assert high - low == pytest.approx(0.005)
    assert until > REVIEWS[-1]


def test_a_family_behind_passes_where_the_laws_cross() -> None:
    ahead, behind = trend_of(0.6, 0.02, 1, noise=0.0003), trend_of(0.7, 0.15, 0.5, noise=0.0003)
    at = passing(behind, ahead, times=1_000)
    own, other = (trend.at(np.array([at.value / 1.05, at.value * 1.05])) for trend in (behind, ahead))
    assert own[0] < other[0]
    assert own[1] > other[1]
    assert at.low <= at.value <= at.high < math.inf


def test_a_family_with_a_lower_limit_never_passes() -> None:
    at = passing(trend_of(0.5, 0.02, 1), trend_of(0.6, 0.02, 1), times=1_000)
    assert (at.low, at.value, at.high) == (math.inf, math.inf, math.inf)


def test_where_only_some_resamples_cross_the_interval_is_open_to_never() -> None:
    at = passing(trend_of(0.605, 0.06, 0.7), trend_of(0.6, 0.02, 1), times=1_000)
    assert REVIEWS[-1] < at.low < math.inf
    assert at.high == math.inf
