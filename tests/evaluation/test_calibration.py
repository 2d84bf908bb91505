"""Calibration: probabilities stay probabilities, the loss never grows, priors come back, zeros stay zeros."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.evaluation.calibration import SMALLEST, Calibration, fit_calibration
from starcast.evaluation.decision import RatingShares, Validation, prior_correction
from starcast.evaluation.scores import probability_means

SHARES = np.array([0.05, 0.1, 0.15, 0.2, 0.5])
EVEN = np.full(5, 0.2)
SEEDS = st.integers(0, 2**16)


def shifted(
    seed: int, reviews: int, exponent: float = 1.0, known: tuple[int, ...] = (0, 1, 2, 3, 4)
) -> Validation:
    """Ratings of uneven shares, and what a model says that learned from even ones and is too sure or unsure.

    Ratings that are not `known` have the probability 0, as if there had been none in the training split.
    """
    random = np.random.default_rng(seed)
    ratings = random.choice(5, size=reviews, p=SHARES)
    logits = random.normal(size=(reviews, 5)) * 0.7 + 1.2 * np.eye(5)[ratings]
    logits[:, [label for label in range(5) if label not in known]] = -np.inf
    probabilities = np.exp(exponent * (logits - logits.max(axis=1, keepdims=True)))
    return ratings, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def loss(ratings: np.ndarray, probabilities: np.ndarray) -> float:
    true = probabilities[np.arange(len(ratings)), ratings]
    return float(-np.log(np.maximum(true, SMALLEST)).mean())


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    reviews=st.integers(1, 300),
    exponent=st.floats(0.05, 30),
    known=st.sets(st.integers(0, 4), min_size=1).map(lambda labels: tuple(sorted(labels))),
    trained=st.sampled_from([SHARES, EVEN]),
)
def test_the_loss_on_validation_never_grows_and_rows_stay_probabilities(
    seed: int, reviews: int, exponent: float, known: tuple[int, ...], trained: np.ndarray
) -> None:
    ratings, probabilities = shifted(seed, reviews, exponent, known)
    mask = np.isin(range(5), known)
    shares = RatingShares(*(each * mask / (each * mask).sum() for each in (SHARES, trained)))
    calibrated = fit_calibration((ratings, probabilities), shares).apply(probabilities)
    assert calibrated.dtype == probabilities.dtype
    assert calibrated.min() >= 0
    assert calibrated.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (calibrated[:, ~mask] == 0).all()
    assert loss(ratings, calibrated) <= loss(ratings, probabilities) + 1e-6


@settings(max_examples=30)
@given(seed=SEEDS, exponent=st.floats(0.05, 20))
def test_equal_exponents_and_weights_keep_the_order_of_ratings(seed: int, exponent: float) -> None:
    _, probabilities = shifted(seed, 50)
    heated = Calibration((exponent,) * 5, (1.0,) * 5).apply(probabilities.astype(np.float64))
    np.testing.assert_array_equal(heated.argmax(axis=1), probabilities.argmax(axis=1))
    surer = heated.max(axis=1) - probabilities.max(axis=1)
    assert (surer * np.sign(exponent - 1) >= -1e-9).all()


def test_without_reviews_the_priors_alone_are_put_back() -> None:
    ratings, probabilities = shifted(1, 200)
    unknown = ratings[:0], probabilities[:0]
    put_back = fit_calibration(unknown, RatingShares(SHARES, EVEN)).apply(probabilities)
    weighted = probabilities * prior_correction(SHARES, EVEN).weights
    assert put_back == pytest.approx(weighted / weighted.sum(axis=1, keepdims=True), rel=1e-4)


@pytest.mark.parametrize("exponent", [0.4, 1.0, 3.0])
def test_a_model_of_even_classes_that_is_too_sure_or_unsure_is_set_right_on_new_reviews(
    exponent: float,
) -> None:
    calibration = fit_calibration(shifted(2, 4_000, exponent), RatingShares(SHARES, EVEN))
    ratings, probabilities = shifted(3, 4_000, exponent)
    calibrated = calibration.apply(probabilities)
    before, after = (
        probability_means(ratings, each.argmax(axis=1), each) for each in (probabilities, calibrated)
    )
    assert after["ece"] < 0.03 < before["ece"]
    assert after["loss"] < before["loss"]
    assert after["brier"] < before["brier"]
    assert calibrated.mean(axis=0) == pytest.approx(np.bincount(ratings) / 4_000, abs=0.02)


def test_one_review_moves_the_probabilities_little() -> None:
    ratings, probabilities = shifted(4, 200)
    one = fit_calibration((ratings[:1], probabilities[:1]), RatingShares(SHARES, SHARES)).apply(probabilities)
    assert np.abs(one - probabilities).max() < 0.2


def test_a_rating_that_validation_lacks_is_kept_possible() -> None:
    ratings, probabilities = shifted(5, 2_000)
    seen = ratings != 1
    calibration = fit_calibration((ratings[seen], probabilities[seen]), RatingShares(SHARES, SHARES))
    assert 0 < calibration.apply(probabilities)[:, 1].mean() < probabilities[:, 1].mean()


def test_it_is_read_back_or_refused() -> None:
    calibration = fit_calibration(shifted(6, 300), RatingShares(SHARES, EVEN))
    described = asdict(calibration)
    assert Calibration.from_dict(described, 5) == calibration
    for name, value in (
        ("weights", [1.0] * 4),
        ("weights", [1.0, 1, 1, 1, 0]),
        ("weights", [float("nan")] * 5),
        ("exponents", [0.0] * 5),
        ("exponents", [float("nan")] * 5),
    ):
        with pytest.raises(ValueError, match="calibration"):
            Calibration.from_dict({**described, name: value}, 5)
