"""Checks of drift: what is sure but small does not count, what is large but not sure neither."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from starcast.monitoring import checks
from starcast.monitoring.checks import LEVEL, DriftCheck

RANDOM = np.random.default_rng(0)


def test_in_a_large_file_a_small_difference_is_sure_and_does_not_count() -> None:
    before, now = RANDOM.normal(0, 1, 200_000), RANDOM.normal(0.05, 1, 200_000)
    numbers = checks.compare_numbers("length", "", before, now)
    shares = checks.compare_shares(
        "ratings", "12345", *(np.array([5, 6, 10, 20, last]) * 5_000 for last in (59, 62))
    )
    share = checks.compare_share("script", "", (2_000, 200_000), (2_400, 200_000))
    for check in (numbers, shares, share):
        assert check is not None
        assert check.p < 1e-6
        assert not check.changed


def test_what_is_large_and_sure_counts() -> None:
    numbers = checks.compare_numbers("length", "", RANDOM.normal(0, 1, 500), RANDOM.normal(0.5, 1, 500))
    shares = checks.compare_shares("ratings", "ab", np.array([500, 500]), np.array([300, 700]))
    share = checks.compare_share("script", "", (5, 500), (40, 500))
    assert numbers is not None
    assert numbers.changed
    assert shares.changed
    assert (shares.before, shares.now) == ("50% / 50%", "30% / 70%")
    assert share.changed
    assert (share.before, share.now) == ("1.0%", "8.0%")
    assert share.effect == pytest.approx(2 * np.arcsin(0.08**0.5) - 2 * np.arcsin(0.1))


def test_what_may_be_chance_does_not_count() -> None:
    check = checks.compare_shares("ratings", "ab", np.array([6, 6]), np.array([3, 9]))
    assert check.effect > checks.LEAST["w"]
    assert not check.changed


def test_of_a_share_with_two_labels_w_is_about_h() -> None:
    counts = np.array([5_000, 5_000]), np.array([4_500, 5_500])
    w = checks.compare_shares("a", "ab", *counts).effect
    h = checks.compare_share("a", "", *((first, 10_000) for first, _ in counts)).effect
    assert w == pytest.approx(abs(h), rel=0.02)


@pytest.mark.parametrize("counts", [([0, 0], [3, 4]), ([5, 0], [7, 0]), ([0, 0], [0, 0])])
def test_where_there_is_nothing_to_compare_nothing_changed(counts: tuple[list[int], list[int]]) -> None:
    check = checks.compare_shares("a", "ab", *map(np.array, counts))
    assert (check.p, check.effect) == (1.0, 0.0)


def test_numbers_that_few_reviews_have_are_not_compared() -> None:
    some, none = np.arange(100.0), np.full(100, np.nan)
    assert checks.compare_numbers("a", "", some, none) is None
    assert checks.compare_numbers("a", "", some[:20], some) is None


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_adjusted_p_values_are_no_smaller_and_keep_their_order(values: list[float]) -> None:
    found = checks.adjusted([DriftCheck("a", "", "", "", 1.0, "h", p) for p in values])
    assert all(check.p >= p for check, p in zip(found, values, strict=True))
    ranks = stats.rankdata(values, "min"), stats.rankdata([check.p for check in found], "max")
    assert (ranks[0] <= ranks[1]).all()


def test_without_a_change_one_file_in_twenty_alarms_at_most() -> None:
    alarms = 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        found = checks.adjusted(
            [DriftCheck(str(i), "", "", "", 1.0, "h", float(p)) for i, p in enumerate(random.random(12))]
        )
        alarms += any(check.p < LEVEL for check in found)
    assert alarms <= 16  # 10 of 200 on average; more than 16 in 2 of 100 series
