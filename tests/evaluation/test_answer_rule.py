"""The rule: fitted on all of validation, and scored on parts of it that it was not fitted on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.evaluation import answer_rule
from starcast.evaluation.answer_rule import FOLDS, FittedRule, fit_rule, folds_of
from starcast.evaluation.decision import RatingShares, Validation
from starcast.evaluation.names import DECISIONS, DecisionName
from starcast.evaluation.scale import Scale

THREE = Scale(("bad", "fine", "good"))


def answered(seed: int, reviews: int, skill: float = 2.0, labels: int = 5) -> Validation:
    random = np.random.default_rng(seed)
    ratings = random.integers(labels, size=reviews)
    logits = random.normal(size=(reviews, labels)) + skill * np.eye(labels)[ratings]
    probabilities = np.exp(logits)
    return ratings, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)


def fitted(validation: Validation, name: DecisionName = "tuned", accuracy: float = 0.8) -> FittedRule:
    labels = validation[1].shape[1]
    shares, scale = np.full(labels, 1 / labels), Scale() if labels == 5 else THREE
    return fit_rule(validation, RatingShares(shares, shares), (name, "f1_macro"), accuracy, 1, scale)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 999),
    reviews=st.integers(1, 60),
    only=st.sampled_from([None, 0, 2]),
    name=st.sampled_from(DECISIONS),
    labels=st.sampled_from([3, 5]),
)
def test_few_reviews_a_single_rating_and_other_scales_are_fitted_all_the_same(
    seed: int, reviews: int, only: int | None, name: DecisionName, labels: int
) -> None:
    ratings, probabilities = answered(seed, reviews, labels=labels)
    ratings = ratings if only is None else np.full(reviews, only)
    rule, held_out, review = fitted((ratings, probabilities), name)
    assert np.isfinite(held_out.probabilities).all()
    assert held_out.probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert len(review) == reviews
    assert rule.decision.choose(rule.calibration.apply(probabilities)).max() < labels


@pytest.mark.parametrize("fold", [0, FOLDS - 1])
def test_no_held_out_answer_is_by_a_rule_that_saw_its_review(
    fold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratings, probabilities = answered(3, 400)
    folds = np.arange(400) % FOLDS
    monkeypatch.setattr(answer_rule, "folds_of", lambda *_: folds)
    inside, others = folds == fold, np.where(folds == fold, 4 - ratings, ratings)
    before, after = fitted((ratings, probabilities)), fitted((others, probabilities))
    np.testing.assert_array_equal(after.held_out.predicted[inside], before.held_out.predicted[inside])
    np.testing.assert_array_equal(after.held_out.probabilities[inside], before.held_out.probabilities[inside])
    assert (after.held_out.probabilities[~inside] != before.held_out.probabilities[~inside]).any()


def test_ratings_that_need_no_review_are_right_as_often_as_asked_on_new_reviews() -> None:
    rule, held_out, review = fitted(answered(4, 3_000, 1.3))
    ratings, probabilities = answered(5, 3_000, 1.3)
    calibrated = rule.calibration.apply(probabilities)
    chosen = rule.decision.choose(calibrated)
    kept = ~rule.threshold.below(calibrated[np.arange(3_000), chosen])
    assert 0.2 < kept.mean() < 0.9
    assert (chosen == ratings)[kept].mean() == pytest.approx(0.8, abs=0.03)
    assert held_out.right[~review].mean() == pytest.approx(0.8, abs=0.03)


def test_folds_have_the_same_shares_of_ratings() -> None:
    ratings = np.repeat(np.arange(5), [5, 10, 40, 100, 300])
    folds = folds_of(ratings, 1)
    for rating in range(5):
        counts = np.bincount(folds[ratings == rating], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert (folds == folds_of(ratings, 1)).all()
    assert (folds != folds_of(ratings, 2)).any()
