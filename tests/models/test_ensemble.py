"""Blends: never worse than their best member where they are fitted; how an ensemble is described."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from starcast.cli.errors import UserError
from starcast.evaluation.decision import RatingShares
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.ensemble import FittedEnsemble
from starcast.models.ensemble_blend import fit_blend, fit_weights, held_out
from starcast.models.ensemble_family import ENSEMBLE, ensemble_of, members_of
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.predictor import Predictor
from starcast.reviews.clean import Cleaner
from tests.conftest import make_reviews

OPTIONS = FitOptions(sampling="none", epochs=4, batch_size=64, seed=1)
LABELS = 5


def members(seed: int, reviews: int, skills: list[float]) -> tuple[np.ndarray, list[np.ndarray]]:
    """True ratings, and probabilities of members that know them more or less well."""
    random = np.random.default_rng(seed)
    ratings = random.integers(LABELS, size=reviews)
    known = np.eye(LABELS)[ratings]
    logits = [skill * known + random.normal(size=(reviews, LABELS)) for skill in skills]
    return ratings, [np.exp(each) / np.exp(each).sum(axis=1, keepdims=True) for each in logits]


def loss(ratings: np.ndarray, probabilities: np.ndarray) -> float:
    return float(log_loss(ratings, probabilities, labels=range(LABELS)))


@settings(max_examples=50)
@given(st.integers(0, 99), st.integers(1, 200), st.lists(st.floats(-1, 4), min_size=1, max_size=6))
def test_a_blend_is_never_worse_than_its_best_member_where_it_is_fitted(
    seed: int, reviews: int, skills: list[float]
) -> None:
    ratings, probabilities = members(seed, reviews, skills)
    weights = fit_weights(ratings, probabilities)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    blended = sum(weight * each for weight, each in zip(weights, probabilities, strict=True))
    assert loss(ratings, blended) <= min(loss(ratings, each) for each in probabilities) + 1e-9


def test_weights_are_the_best_of_a_grid() -> None:
    ratings, probabilities = members(3, 500, [1.0, 1.5])
    best = min(
        np.linspace(0, 1, 101), key=lambda w: loss(ratings, w * probabilities[0] + (1 - w) * probabilities[1])
    )
    assert fit_weights(ratings, probabilities)[0] == pytest.approx(best, abs=0.01)


def test_a_member_that_knows_nothing_is_left_out() -> None:
    ratings, probabilities = members(1, 2_000, [3.0, 3.0, -2.0])
    assert fit_weights(ratings, probabilities)[2] == 0


def test_what_is_held_out_was_answered_by_a_blend_of_the_others() -> None:
    ratings, probabilities = members(5, 400, [1.0, 1.2, 0.8])
    shares = [RatingShares(np.full(LABELS, 0.2), np.full(LABELS, 0.2))] * 3
    answers = held_out(ratings, probabilities, shares, seed=1)
    whole = fit_blend(ratings, probabilities, shares).apply(probabilities)
    assert answers.shape == whole.shape
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert loss(ratings, whole) < loss(ratings, answers) < min(loss(ratings, each) for each in probabilities)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"weights": [1]}, "ensemble has no 'weights'; it has members, such as {"),
        ({"members": "["}, "members should be two or more"),
        ({"members": [{"family": "gru_1"}]}, "members should be two or more"),
        ({"members": ["gru_1", "lstm_2"]}, "a member should have a family, such as .*, not 'gru_1'"),
        (
            {"members": [{"family": "gru_1", "rate": 1}, {}]},
            "a member has no 'rate'; it has family, settings, ",
        ),
        ({"members": [{"family": "gru_9"}, {"family": "gru_1"}]}, "family gru_9: there is none of this name"),
        ({"members": [{"family": "ensemble"}] * 2}, "an ensemble cannot be a member of another"),
        (
            {"members": [{"family": "gru_1", "settings": {"units_1": 0}}] * 2},
            "gru_1's units_1 should be a whole",
        ),
        ({"members": [{"family": "gru_1", "settings": 3}] * 2}, "settings should be an object, not 3"),
        (
            {"members": [{"family": "gru_1", "epochs": 0}] * 2},
            "epochs should be a whole number from 1, not 0",
        ),
        ({"members": [{"family": "gru_1", "sampling": "smot"}] * 2}, "sampling smot: not for gru_1"),
    ],
)
def test_what_is_no_ensemble_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        ENSEMBLE.check(given)


def test_members_have_their_own_options_else_the_ensemble_s() -> None:
    listed = [{"family": "logistic_regression"}, {"family": "gru_1", "epochs": 2, "settings": {"units_1": 8}}]
    checked = ENSEMBLE.check({"members": listed})
    assert ENSEMBLE.check(checked) == checked
    first, second = members_of(ModelSpec("ensemble", checked, OPTIONS))
    assert (first.options.sampling, first.options.epochs) == ("class_weight", 1)
    assert (second.options.sampling, second.options.epochs, second.options.batch_size) == ("none", 2, 64)
    assert second.settings["units_1"] == 8
    assert members_of(ensemble_of([first, second])) == [first, second]


def test_a_member_with_epochs_among_its_settings_keeps_them() -> None:
    listed = [
        {"family": "transformer"},
        {"family": "transformer", "settings": {"epochs": 1, "batch_size": 16}},
    ]
    usual, given = members_of(ModelSpec("ensemble", ENSEMBLE.check({"members": listed}), OPTIONS))
    assert (usual.options.epochs, usual.options.batch_size) == (2, 32)
    assert (given.options.epochs, given.options.batch_size) == (1, 16)
    assert not {"epochs", "batch_size"} & given.settings.keys()


def test_an_ensemble_is_known_by_name_but_not_among_the_families_of_a_search() -> None:
    assert family_named("ensemble") is ENSEMBLE
    assert "ensemble" not in FAMILIES
    with pytest.raises(UserError, match="each member of an ensemble has its own, such as"):
        ENSEMBLE.check_sampling("smote")


def test_a_saved_ensemble_answers_as_before_and_knows_its_members_words(tmp_path: Path) -> None:
    reviews = make_reviews(200)
    split = CorpusSplit(reviews["text"], reviews["rating"].to_numpy() - 1)
    corpus = Corpus(split, split)
    listed = [{"family": "logistic_regression", "settings": {"ngrams": 1}}, {"family": "logistic_regression"}]
    spec = ModelSpec("ensemble", ENSEMBLE.check({"members": listed}), OPTIONS)

    class Epochs:
        def report(self, report: FitReport) -> None:
            assert report.probabilities.shape == (len(corpus.validation.ratings), LABELS)

    fit = ENSEMBLE.fit(corpus, spec, Epochs())
    assert isinstance(fit.model, FittedEnsemble)
    assert sum(fit.model.shares().values()) == pytest.approx(1)
    predictor = Predictor("ensemble", Cleaner.create("light"), fit.model, False)
    predictor.save(tmp_path / "model")
    loaded = Predictor.load(tmp_path / "model")
    asked = pl.DataFrame({"text": ["lovely soft dress", None, ""]})
    assert loaded.predict(asked).equals(predictor.predict(asked))
    assert {*predictor.families} == {"ensemble", "logistic_regression"}
    asked_cleaned = pl.DataFrame({"raw": ["Lovely!", "xyzzy", ""], "cleaned": ["lovely", "xyzzy", ""]})
    assert fit.model.knows(asked_cleaned.to_struct("both")).tolist() == [True, False, False]
    described = tmp_path / "model" / "ensemble.json"
    changed = json.loads(described.read_text())
    changed["members"][0]["share"] = 2
    described.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match="shares do not add up to 1"):
        Predictor.load(tmp_path / "model")
