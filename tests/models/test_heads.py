"""The heads of a network: probabilities of ordered ratings, and the losses by which they are learned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how_often
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import wasserstein_distance

from starcast.models.heads import ConditionalProbabilities, SmoothedLoss, TrainingLoss

LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=4, max_size=4)
MASSES = st.lists(st.integers(0, 9), min_size=5, max_size=5).filter(any)


def answered(logits: list[float]) -> np.ndarray:
    return np.asarray(ConditionalProbabilities()(np.array([logits], dtype=np.float32)))[0]


def loss(head: str, rating: int, probabilities: np.ndarray, smoothing: float = 0.0) -> float:
    lowered = SmoothedLoss(head)
    lowered.label_smoothing.assign(smoothing)
    return float(lowered(np.array([rating]), probabilities[None].astype(np.float32)))


@how_often(max_examples=30)
@given(logits=LOGITS)
def test_logits_are_chances_to_be_above_a_label_given_not_below_it(logits: list[float]) -> None:
    answers = answered(logits)
    assert answers.sum() == pytest.approx(1, abs=1e-5)
    not_below = answers[::-1].cumsum()[::-1]
    assert not_below[1:] == pytest.approx(np.cumprod(expit(logits)), abs=1e-5)


@how_often(max_examples=30)
@given(logits=LOGITS, rating=st.integers(0, 4))
def test_cross_entropy_of_these_is_the_loss_of_corn(logits: list[float], rating: int) -> None:
    asked = np.arange(4) <= rating  # a task for each label that the rating is not below
    above = np.arange(4) < rating
    tasks = -np.log(np.where(above, expit(logits), expit(-np.array(logits))))
    expected = tasks[asked[:4]].sum()
    assert -np.log(answered(logits)[rating]) == pytest.approx(expected, rel=1e-3, abs=1e-4)


@how_often(max_examples=30)
@given(masses=MASSES, rating=st.integers(0, 4))
def test_the_distance_is_that_of_moved_earth_each_step_squared(masses: list[int], rating: int) -> None:
    probabilities = np.array(masses) / sum(masses)
    steps = np.abs(np.cumsum(probabilities) - (np.arange(5) >= rating))
    assert steps.sum() == pytest.approx(wasserstein_distance(np.arange(5), [rating], probabilities), abs=1e-6)
    assert loss("emd", rating, probabilities) == pytest.approx((steps**2).sum(), abs=1e-5)


def test_a_far_rating_costs_more_than_a_near_one_by_the_distance_alone() -> None:
    near, far = np.array([0.1, 0.1, 0.1, 0.6, 0.1]), np.array([0.6, 0.1, 0.1, 0.1, 0.1])
    assert loss("emd", 4, far) > 2 * loss("emd", 4, near)
    assert loss("softmax", 4, far) == pytest.approx(loss("softmax", 4, near), abs=1e-6)


@how_often(max_examples=20)
@given(rating=st.integers(0, 4), smoothing=st.floats(0, 0.5))
def test_smoothing_spreads_a_share_of_the_target_over_all_labels(rating: int, smoothing: float) -> None:
    probabilities = np.array([0.1, 0.15, 0.2, 0.25, 0.3])
    target = np.full(5, smoothing / 5)
    target[rating] += 1 - smoothing
    assert loss("softmax", rating, probabilities, smoothing) == pytest.approx(
        -(target * np.log(probabilities)).sum(), abs=1e-5
    )
    cumulative = np.cumsum(target - probabilities)
    assert loss("emd", rating, probabilities, smoothing) == pytest.approx((cumulative**2).sum(), abs=1e-5)


def test_what_settings_do_not_name_is_as_in_the_studies() -> None:
    assert TrainingLoss.of({"units_1": 8, "learning_rate": 0.1}) == TrainingLoss("softmax", 0.0, 0.0)
    assert TrainingLoss.of({"units": 8, "head": "emd", "weight_decay": 0.1}) == TrainingLoss("emd", 0.0, 0.1)
    assert TrainingLoss().plain
    assert TrainingLoss("corn").plain
    assert not TrainingLoss("emd").plain
    assert not TrainingLoss(label_smoothing=0.1).plain
