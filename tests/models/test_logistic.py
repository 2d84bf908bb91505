"""Logistic regression on TF-IDF: what it answers, and that its file runs no code."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from skops.io.exceptions import UntrustedTypesFoundException

from starcast.models import logistic
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Fit, FitOptions, ModelSpec, Sampling
from starcast.models.fit_report import FitReport
from starcast.models.linear_families import LOGISTIC_REGRESSION
from starcast.models.logistic import FittedLogistic
from starcast.models.space import Value

TEXTS = {1: "awful it tore", 2: "poor and dull", 3: "it is okay", 4: "nice and soft", 5: "gorgeous i love it"}


class ForeignClassifier(LogisticRegression):
    """A type that scikit-learn does not bring."""


class Epochs:
    """Keeps what a fit reports."""

    def __init__(self) -> None:
        self.seen: list[FitReport] = []

    def report(self, report: FitReport) -> None:
        self.seen.append(report)


def part(ratings: list[int]) -> CorpusSplit:
    return CorpusSplit(pl.Series([TEXTS[rating] for rating in ratings]), np.array(ratings) - 1)


def fit(
    train: CorpusSplit,
    given: dict[str, Value] | None = None,
    sampling: Sampling = "class_weight",
    seed: int = 1,
) -> Fit:
    corpus = Corpus(train, part([1, 3, 5]))
    return LOGISTIC_REGRESSION.fit(
        corpus,
        ModelSpec(
            LOGISTIC_REGRESSION.name,
            LOGISTIC_REGRESSION.check(given or {}),
            FitOptions(sampling=sampling, epochs=1, batch_size=32, seed=seed, patience=1),
        ),
        Epochs(),
    )


def test_it_answers_each_training_text_with_its_rating() -> None:
    model = fit(part([1, 2, 3, 4, 5] * 4), {"c": 10.0}).model
    probabilities = model.probabilities(pl.Series(list(TEXTS.values())))
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2, 3, 4]
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert probabilities.shape == (5, 5)


def test_answers_stand_in_the_order_of_the_texts_however_many_are_answered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = fit(part([1, 2, 3, 4, 5] * 4), {"c": 10.0}).model
    texts = pl.Series([TEXTS[rating] for rating in np.random.default_rng(0).integers(1, 6, 50)])
    whole = model.probabilities(texts)
    monkeypatch.setattr(logistic, "PIECE", 7)
    assert model.probabilities(texts) == pytest.approx(whole, abs=1e-6)


def test_ratings_never_seen_have_probability_0() -> None:
    model = fit(part([2, 4, 4, 5] * 3)).model
    probabilities = model.probabilities(pl.Series([*TEXTS.values(), "", "neverseen"]))
    assert (probabilities[:, [0, 2]] == 0).all()
    assert (probabilities[:, [1, 3, 4]] > 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_it_reports_one_epoch_with_the_validation_probabilities_it_keeps() -> None:
    corpus, recorder = Corpus(part([1, 3, 5] * 4), part([1, 3, 5, 5])), Epochs()
    fitted = LOGISTIC_REGRESSION.fit(
        corpus,
        ModelSpec(
            LOGISTIC_REGRESSION.name,
            LOGISTIC_REGRESSION.published,
            FitOptions(sampling="none", epochs=9, batch_size=32, seed=1, patience=1),
        ),
        recorder,
    )
    assert [(report.number, report.metrics) for report in recorder.seen] == [(1, {})]
    assert (fitted.epochs, fitted.best_epoch) == (1, 1)
    assert recorder.seen[0].probabilities.tolist() == fitted.validation_probabilities.tolist()
    assert (
        fitted.validation_probabilities.tolist()
        == fitted.model.probabilities(corpus.validation.texts).tolist()
    )


def test_a_fit_tells_how_far_its_work_on_all_reviews_is() -> None:
    told: list[tuple[str, float]] = []
    corpus = Corpus(
        part([1, 3, 5] * 4), part([1, 3, 5, 5]), show=lambda what, share: told.append((what, share))
    )
    LOGISTIC_REGRESSION.fit(
        corpus,
        ModelSpec(
            LOGISTIC_REGRESSION.name,
            LOGISTIC_REGRESSION.published,
            FitOptions(sampling="none", epochs=1, batch_size=32, seed=1, patience=1),
        ),
        Epochs(),
    )
    work = [
        "numbering words",
        "counting 2-grams",
        "counting 3-grams",
        "counting the n-grams that are kept",
        "fitting the weights",
    ]
    assert list(dict(told)) == work
    assert {dict(told)[what] for what in work[:-1]} == {1}
    fitting = [share for what, share in told if what == work[-1]]
    assert fitting == sorted(fitting)
    assert fitting[-1] < 1


def test_class_weight_raises_the_probability_of_a_rare_rating() -> None:
    train = part([1] * 3 + [5] * 40)
    weighted, plain = (
        fit(train, sampling=s).model.probabilities(pl.Series(["it"]))[0] for s in ("class_weight", "none")
    )
    assert weighted[0] > plain[0] + 0.1


def test_equal_fits_answer_equally() -> None:
    train = part([1, 2, 3, 4, 5, 5] * 4)
    assert fit(train).validation_probabilities.tolist() == fit(train).validation_probabilities.tolist()


def test_saved_model_answers_the_same_when_loaded(tmp_path: Path) -> None:
    model = fit(part([1, 2, 3, 4, 5] * 4), {"sublinear": True}).model
    model.save(tmp_path)
    texts = pl.Series([*TEXTS.values(), "", "it it it nice"])
    assert (
        LOGISTIC_REGRESSION.load(tmp_path).probabilities(texts).tolist()
        == model.probabilities(texts).tolist()
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.npz", "ngrams.json"]


def test_a_file_with_a_foreign_type_is_refused(tmp_path: Path) -> None:
    fit(part([1, 5])).model.save(tmp_path)
    skops.io.dump(ForeignClassifier().fit([[0.0], [1.0]], [0, 1]), tmp_path / "classifier.skops")
    with pytest.raises(UntrustedTypesFoundException, match="ForeignClassifier"):
        LOGISTIC_REGRESSION.load(tmp_path)


def test_study_b_takes_4000_ngrams_of_up_to_three_words() -> None:
    random = np.random.default_rng(0)
    ratings = np.arange(200) % 5
    texts = pl.Series([" ".join(random.choice([f"w{i}" for i in range(300)], size=30)) for _ in ratings])
    model = fit(CorpusSplit(texts, ratings)).model
    assert model.parameters() == 5 * 4_000 + 5
    assert isinstance(model, FittedLogistic)
    words_per_feature = {name.count(" ") + 1 for name in model.vectorizer.ngrams.names}
    assert words_per_feature == {1, 2, 3}


def test_ngrams_and_features_are_what_the_settings_say() -> None:
    train = CorpusSplit(pl.Series(["a b c d", "d c b a"] * 3), np.array([0, 4] * 3))
    distinct = {1: 4, 2: 4 + 6, 3: 4 + 6 + 4}  # single words; pairs ab bc cd dc cb ba; abc bcd dcb cba
    for ngrams, features in distinct.items():
        assert fit(train, {"ngrams": ngrams}).model.parameters() == features + 1


def test_words_of_one_letter_and_apostrophes_count() -> None:
    train = CorpusSplit(pl.Series(["i don't", "a do"] * 3), np.array([0, 4] * 3))
    assert fit(train, {"ngrams": 1}).model.parameters() == 4 + 1
