"""A decision by its name."""

import numpy as np
import pytest

from starcast.evaluation.decision import (
    Decision,
    RatingShares,
    Validation,
    decide,
    decision_text,
    prior_correction,
)
from starcast.evaluation.names import DECISIONS
from starcast.evaluation.scores import count_matrix, matrix_scores

SHARES = np.array([0.05, 0.07, 0.13, 0.2, 0.55])
BALANCED = RatingShares(SHARES, np.full(5, 0.2))


@pytest.fixture
def seen() -> Validation:
    """Probabilities that lean to the frequent rating, of a model trained on equal shares."""
    random = np.random.default_rng(0)
    ratings = random.choice(5, size=600, p=SHARES)
    logits = random.normal(size=(600, 5)) + np.log(SHARES) + 1.5 * np.eye(5)[ratings]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return ratings, probabilities


def test_every_name_is_a_decision_of_its_own(seen: Validation) -> None:
    assert {len(decide(name, "f1_macro", seen, BALANCED).choose(seen[1])) for name in DECISIONS} == {600}
    assert len({decide(name, "f1_macro", seen, BALANCED) for name in DECISIONS}) == len(DECISIONS) == 4


def test_argmax_and_expected_look_at_nothing(seen: Validation) -> None:
    assert decide("argmax", "f1_macro", seen, BALANCED) == Decision()
    assert decide("expected", "f1_macro", seen, BALANCED) == Decision(rounds_mean=True)


def test_prior_corrected_looks_at_the_shares_alone(seen: Validation) -> None:
    corrected = decide("prior_corrected", "f1_macro", seen, BALANCED)
    assert corrected == prior_correction(*BALANCED)
    assert corrected.weights == pytest.approx(SHARES / SHARES.mean())
    assert decide("prior_corrected", "accuracy", (seen[0] * 0, seen[1]), BALANCED) == corrected
    assert decide("prior_corrected", "f1_macro", seen, RatingShares(SHARES, SHARES)) == Decision()


@pytest.mark.parametrize("metric", ["f1_macro", "accuracy", "harmonic_recall"])
def test_tuned_is_the_best_of_all_at_what_it_aims_at_where_it_was_fitted(
    seen: Validation, metric: str
) -> None:
    def measured(decision: Decision) -> float:
        return float(matrix_scores(count_matrix(seen[0], decision.choose(seen[1])))[metric])

    tuned = measured(decide("tuned", metric, seen, BALANCED))
    assert tuned == max(measured(decide(name, metric, seen, BALANCED)) for name in DECISIONS)
    assert tuned > measured(Decision())


def test_people_read_what_a_decision_was_tuned_for() -> None:
    assert decision_text("tuned", "f1_macro") == "tuned on validation for f1_macro"
    assert decision_text("expected", "f1_macro") == "expected"


def test_a_score_of_a_label_is_tuned_on_reviews_that_lack_it(seen: Validation) -> None:
    ratings, probabilities = seen
    rest = ratings > 0
    assert decide("tuned", "recall_1", (ratings[rest], probabilities[rest]), BALANCED) == Decision()
    harmonic = decide("tuned", "harmonic_recall", (ratings[rest], probabilities[rest]), BALANCED)
    assert harmonic != Decision()  # which leaves out what is not there
