"""Confidence: what a threshold keeps, the curve behind it, and the bins of a reliability diagram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.evaluation.confidence import FEWEST, Coverage, Reliability, Threshold, confidence_of
from starcast.evaluation.scores import probability_means


def answers(seed: int, reviews: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, many equal ones among them, and whether the ratings are right, as often as they say."""
    random = np.random.default_rng(seed)
    confidences = random.random(reviews).round(2)
    return confidences, random.random(reviews) < confidences


@given(seed=st.integers(0, 2**16), reviews=st.integers(1, 200), accuracy=st.floats(0.01, 0.99))
def test_what_a_threshold_keeps_is_right_as_often_as_asked(seed: int, reviews: int, accuracy: float) -> None:
    confidences, right = answers(seed, reviews)
    threshold = Threshold.fit(confidences, right, accuracy)
    kept = ~threshold.below(confidences)
    if threshold.confidence is None:
        assert not kept.any()
        curve = Coverage.of(confidences, right)
        assert (curve.accuracies < accuracy).all()
        return
    assert right[kept].mean() >= accuracy
    assert kept.sum() >= min(FEWEST, reviews)
    for lower in np.unique(confidences[~kept]):  # no lower one would do
        assert right[confidences >= lower].mean() < accuracy


def test_points_of_the_curve_are_those_of_a_plain_loop() -> None:
    confidences, right = answers(1)
    curve = Coverage.of(confidences, right)
    for confidence, share, accuracy in zip(*curve, strict=True):
        kept = confidences >= confidence
        assert (share, accuracy) == pytest.approx((kept.mean(), right[kept].mean()))
    assert curve.shares[-1] == 1
    assert (np.diff(curve.shares) > 0).all()


def test_a_few_lucky_answers_reach_nothing() -> None:
    confidences = np.linspace(1, 0, 200)
    right = np.arange(200) < FEWEST - 1
    assert Threshold.fit(confidences, right, 0.99) == Threshold(0.99, None)


def test_thresholds_are_read_back_or_refused() -> None:
    for threshold in (Threshold(0.8, 0.5), Threshold(0.8, None)):
        assert Threshold.from_dict(vars(threshold)) == threshold
    for wrong in ({"accuracy": 0.8, "confidence": 2}, {"accuracy": "high", "confidence": None}):
        with pytest.raises(ValueError, match="threshold"):
            Threshold.from_dict(wrong)


def test_the_bins_of_a_diagram_hold_every_review_and_give_the_calibration_error() -> None:
    random = np.random.default_rng(2)
    ratings, probabilities = random.integers(5, size=400), random.dirichlet(np.ones(5), size=400)
    predicted = random.integers(5, size=400)
    confidences = confidence_of(probabilities, predicted)
    assert confidences.tolist() == [row[chosen] for row, chosen in zip(probabilities, predicted, strict=True)]
    reliability = Reliability.of(confidences, predicted == ratings)
    assert reliability.counts.sum() == 400
    assert reliability.error == pytest.approx(probability_means(ratings, predicted, probabilities)["ece"])
    low, high = reliability.intervals
    assert (low <= reliability.accuracies + 1e-12).all()
    assert (high >= reliability.accuracies - 1e-12).all()
    assert 0 <= low.min() <= high.max() <= 1
