"""The decision: a weight per rating, fitted for a measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steps.evaluation.scores import count_matrix, matrix_scores
from steps.models.decision import Decision, tune_decision


def measured(name: str, ratings: np.ndarray, predicted: np.ndarray) -> float:
    return float(matrix_scores(count_matrix(ratings, predicted))[name])


def uneven(seed: int, reviews: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Ratings of uneven shares, and probabilities that lean to the frequent rating."""
    random = np.random.default_rng(seed)
    ratings = random.choice(5, size=reviews, p=[0.05, 0.07, 0.13, 0.2, 0.55])
    logits = random.normal(size=(reviews, 5)) + np.log([0.05, 0.07, 0.13, 0.2, 0.55]) + 1.5 * np.eye(5)[ratings]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return ratings, probabilities.astype(np.float32)


def test_equal_weights_are_argmax() -> None:
    _, probabilities = uneven(0)
    np.testing.assert_array_equal(Decision().choose(probabilities), probabilities.argmax(axis=1))


def test_a_weight_turns_a_decision() -> None:
    assert Decision((1.0, 1.0, 1.0, 1.0, 0.5)).choose(np.array([[0.0, 0.0, 0.0, 0.4, 0.6]])).tolist() == [3]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from(["f1_macro", "f1_weighted", "harmonic_recall", "quadratic_kappa"]))
def test_it_is_never_worse_than_argmax_where_it_was_fitted(seed: int, name: str) -> None:
    ratings, probabilities = uneven(seed)
    decision = tune_decision(ratings, probabilities, lambda matrices: matrix_scores(matrices)[name])
    assert measured(name, ratings, decision.choose(probabilities)) >= measured(name, ratings, probabilities.argmax(axis=1))


def test_it_helps_on_reviews_it_did_not_see() -> None:
    ratings, probabilities = uneven(1, reviews=4_000)
    decision = tune_decision(ratings[:2_000], probabilities[:2_000], lambda matrices: matrix_scores(matrices)["f1_macro"])
    rest, chosen = ratings[2_000:], decision.choose(probabilities[2_000:])
    assert measured("f1_macro", rest, chosen) > measured("f1_macro", rest, probabilities[2_000:].argmax(axis=1)) + 0.02


def test_weights_have_mean_one_and_are_the_same_each_time() -> None:
    ratings, probabilities = uneven(2)
    first, second = (tune_decision(ratings, probabilities, lambda m: matrix_scores(m)["f1_macro"]) for _ in range(2))
    assert first == second
    assert np.mean(first.weights) == pytest.approx(1)
