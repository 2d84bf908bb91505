"""The decision: a weight per rating, fitted for a measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.evaluation.decision import (
    FACTORS,
    Decision,
    _matrices_along,
    prior_correction,
    tune_decision,
)
from starcast.evaluation.scores import count_matrix, matrix_scores


def measured(name: str, ratings: np.ndarray, predicted: np.ndarray) -> float:
    return float(matrix_scores(count_matrix(ratings, predicted))[name])


def uneven(seed: int, reviews: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of uneven shares, and probabilities that lean to the frequent rating."""
    random = np.random.default_rng(seed)
    ratings = random.choice(5, size=reviews, p=[0.05, 0.07, 0.13, 0.2, 0.55])
    logits = (
        random.normal(size=(reviews, 5)) + np.log([0.05, 0.07, 0.13, 0.2, 0.55]) + 1.5 * np.eye(5)[ratings]
    )
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return ratings, probabilities.astype(np.float32)


def test_equal_weights_are_argmax() -> None:
    _, probabilities = uneven(0)
    np.testing.assert_array_equal(Decision().choose(probabilities), probabilities.argmax(axis=1))


def test_a_weight_turns_a_decision() -> None:
    assert Decision((1.0, 1.0, 1.0, 1.0, 0.5)).choose(np.array([[0.0, 0.0, 0.0, 0.4, 0.6]])).tolist() == [3]


@settings(max_examples=15)
@given(
    st.integers(0, 1_000), st.sampled_from(["f1_macro", "f1_weighted", "harmonic_recall", "quadratic_kappa"])
)
def test_it_is_never_worse_than_argmax_where_it_was_fitted(seed: int, name: str) -> None:
    ratings, probabilities = uneven(seed)
    decision = tune_decision(ratings, probabilities, lambda matrices: matrix_scores(matrices)[name])
    assert measured(name, ratings, decision.choose(probabilities)) >= measured(
        name, ratings, probabilities.argmax(axis=1)
    )


@settings(max_examples=30)
@given(st.integers(0, 1_000), st.integers(0, 4), st.integers(0, 3))
def test_matrices_along_a_weight_are_those_of_each_factor(seed: int, rating: int, never: int) -> None:
    ratings, probabilities = uneven(seed)
    scores = probabilities.astype(np.float64)
    scores[:, never] = 0  # a rating that was never seen
    tried = np.tile(scores, (len(FACTORS), 1, 1))
    tried[:, :, rating] *= FACTORS[:, None]
    expected = [count_matrix(ratings, each.argmax(axis=1)) for each in tried]
    np.testing.assert_array_equal(_matrices_along(ratings, scores, rating), expected)


def test_it_helps_on_reviews_it_did_not_see() -> None:
    ratings, probabilities = uneven(1, reviews=4_000)
    decision = tune_decision(
        ratings[:2_000], probabilities[:2_000], lambda matrices: matrix_scores(matrices)["f1_macro"]
    )
    rest, chosen = ratings[2_000:], decision.choose(probabilities[2_000:])
    assert (
        measured("f1_macro", rest, chosen)
        > measured("f1_macro", rest, probabilities[2_000:].argmax(axis=1)) + 0.02
    )


PROBABILITIES = st.lists(st.floats(0.001, 1), min_size=5, max_size=5).map(lambda p: np.array(p) / np.sum(p))


@given(
    st.lists(PROBABILITIES, min_size=1, max_size=10).map(np.array), st.sampled_from([np.float32, np.float64])
)
def test_the_expected_rating_is_within_half_a_star_of_the_mean(probabilities: np.ndarray, kind: type) -> None:
    chosen, mean = Decision(rounds_mean=True).choose(probabilities.astype(kind)), probabilities @ np.arange(5)
    assert (np.abs(chosen - mean) <= 0.5 + 1e-6).all()
    assert ((chosen >= 0) & (chosen <= 4)).all()
    assert np.issubdtype(chosen.dtype, np.integer)


def test_halves_of_the_mean_go_up() -> None:
    between = [
        [0.5, 0.5, 0, 0, 0],
        [0, 0.5, 0.5, 0, 0],
        [0, 0, 0.5, 0.5, 0],
        [0, 0, 0, 0.5, 0.5],
        [0.25, 0, 0.5, 0, 0.25],
    ]
    assert Decision(rounds_mean=True).choose(np.array(between)).tolist() == [1, 2, 3, 4, 2]
    certain = np.eye(5, dtype=np.float32)
    assert Decision(rounds_mean=True).choose(certain).tolist() == [0, 1, 2, 3, 4]


def test_the_mean_is_not_the_most_probable() -> None:
    torn = np.array([[0.45, 0, 0, 0.1, 0.45]])
    assert Decision(rounds_mean=True).choose(torn).tolist() == [2]
    assert Decision().choose(torn).tolist() == [0]


TRUE_SHARES = np.array([0.05, 0.07, 0.13, 0.2, 0.55])


@settings(max_examples=25)
@given(seed=st.integers(0, 1_000), trained=PROBABILITIES)
def test_prior_correction_is_exact_for_a_model_that_is(seed: int, trained: np.ndarray) -> None:
    """Naive Bayes over ten words with likelihoods that are known: only the shares of the ratings differ."""
    random = np.random.default_rng(seed)
    has_word = random.uniform(0.05, 0.95, size=(5, 10))
    words = random.random((200, 10)) < 0.5
    likelihood = np.where(words[:, None], has_word, 1 - has_word).prod(axis=2)

    def posterior(shares: np.ndarray) -> np.ndarray:
        joint = likelihood * shares
        return joint / joint.sum(axis=1, keepdims=True)

    decision, as_trained = prior_correction(TRUE_SHARES, trained), posterior(trained)
    corrected = as_trained * decision.weights
    np.testing.assert_allclose(
        corrected / corrected.sum(axis=1, keepdims=True), posterior(TRUE_SHARES), rtol=1e-9
    )
    np.testing.assert_array_equal(decision.choose(as_trained), posterior(TRUE_SHARES).argmax(axis=1))


def test_prior_correction_changes_answers_of_a_model_trained_on_equal_shares() -> None:
    equal = np.full((1, 5), 0.2)
    assert prior_correction(TRUE_SHARES, np.full(5, 0.2)).choose(equal).tolist() == [4]
    assert prior_correction(TRUE_SHARES, TRUE_SHARES) == Decision()


def test_a_rating_not_trained_on_keeps_its_weight_before_the_mean_is_taken() -> None:
    true, trained = np.array([0, 0.1, 0.3, 0.2, 0.4]), np.array([0, 0.25, 0.25, 0.25, 0.25])
    weights = np.array([1, 0.4, 1.2, 0.8, 1.6])
    assert prior_correction(true, trained).weights == pytest.approx(weights / weights.mean())


def test_weights_have_mean_one_and_are_the_same_each_time() -> None:
    ratings, probabilities = uneven(2)
    first, second = (
        tune_decision(ratings, probabilities, lambda m: matrix_scores(m)["f1_macro"]) for _ in range(2)
    )
    assert first == second
    assert np.mean(first.weights) == pytest.approx(1)
