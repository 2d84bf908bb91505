"""A model as it is served: raw reviews in, stars out, saved without pickle."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from starcast.evaluation.calibration import Calibration
from starcast.evaluation.confidence import Threshold
from starcast.evaluation.decision import Decision, prior_correction
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.predictor import DESCRIPTION, Predictor, join_title
from starcast.reviews.clean import Cleaner

RAW = {
    1: "Awful! It TORE.",
    2: "Poor, and dull dresses",
    3: "It's okay...",
    4: "Nice & soft",
    5: "Gorgeous: I love it, très chic",
}
COLUMNS = ["rating", *(f"probability_{rating}" for rating in range(1, 6)), "expected_rating"]
ODD_TEXTS = [
    None,
    "",
    "   ",
    "?!",
    "ça ne va pas",
    "素晴らしいドレス",
    "мне нравится",
    "🙂",
    "great " * 50_000,
    "x" * 100_000,
]
PICKLE = b"\x80"


class Silent:
    """A recorder that keeps nothing."""

    def report(self, report: FitReport) -> None:
        """Take a report."""


def predictor(family: str, cleaner: Cleaner, uses_title: bool = False) -> Predictor:
    ratings = [1, 2, 3, 4, 5] * 6
    part = CorpusSplit(cleaner.clean(pl.Series([RAW[rating] for rating in ratings])), np.array(ratings) - 1)
    given = {"units_1": 8} if family == "gru_1" else {"c": 10.0}
    fitted = family_named(family).fit(
        Corpus(part, part),
        ModelSpec(
            family,
            family_named(family).check(given),
            FitOptions(sampling="none", epochs=1, batch_size=8, seed=1, patience=1),
        ),
        Silent(),
    )
    return Predictor(family, cleaner, fitted.model, uses_title)


@pytest.fixture(scope="module")
def served() -> dict[str, Predictor]:
    cleaner = Cleaner.create("light")
    return {family: predictor(family, cleaner) for family in ("logistic_regression", "gru_1")}


def test_answers_have_the_columns_and_the_order_of_the_reviews(served: dict[str, Predictor]) -> None:
    reviews = pl.DataFrame({"text": [RAW[rating] for rating in (5, 1, 4, 2, 3)]})
    answers = served["logistic_regression"].predict(reviews)
    assert answers.columns == COLUMNS
    assert answers["rating"].to_list() == [5, 1, 4, 2, 3]


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_odd_texts_are_answered(served: dict[str, Predictor], family: str) -> None:
    answers = served[family].predict(pl.DataFrame({"text": ODD_TEXTS}))
    probabilities = answers.select(COLUMNS[1:6]).to_numpy()
    assert answers.height == len(ODD_TEXTS)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert answers["rating"].to_list() == (probabilities.argmax(axis=1) + 1).tolist()
    assert answers["expected_rating"].to_list() == pytest.approx(probabilities @ [1, 2, 3, 4, 5])
    assert probabilities[1] == pytest.approx(probabilities[0], abs=1e-6)  # null is the empty text


def test_a_column_of_nulls_is_answered(served: dict[str, Predictor]) -> None:
    answers = served["logistic_regression"].predict(pl.DataFrame({"text": [None, None]}))
    assert answers["rating"].is_between(1, 5).to_list() == [True, True]


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_saved_predictor_answers_the_same_when_loaded(
    served: dict[str, Predictor], family: str, tmp_path: Path
) -> None:
    reviews = pl.DataFrame({"text": [*RAW.values(), None, "très"]})
    served[family].save(tmp_path / "new" / "folder")
    loaded = Predictor.load(tmp_path / "new" / "folder")
    assert_frame_equal(loaded.predict(reviews), served[family].predict(reviews), abs_tol=1e-7)
    assert (loaded.family, loaded.cleaner, loaded.uses_title) == (family, served[family].cleaner, False)


DECISIONS = {
    "argmax": Decision(),
    "tuned": Decision((0.5, 2.0, 1.0, 0.25, 1.25)),
    "expected": Decision(rounds_mean=True),
    "prior_corrected": prior_correction(np.array([0.9, 0.02, 0.02, 0.02, 0.04]), np.full(5, 0.2)),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_the_decision_travels_with_the_model(served: dict[str, Predictor], name: str, tmp_path: Path) -> None:
    saved = replace(served["logistic_regression"], decision=DECISIONS[name])
    saved.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.decision == DECISIONS[name]
    reviews = pl.DataFrame({"text": [*RAW.values(), "dress", "awful gorgeous", "poor nice okay"]})
    answers = loaded.predict(reviews)
    assert_frame_equal(answers, saved.predict(reviews))
    probabilities = answers.select(COLUMNS[1:6]).to_numpy()
    assert answers["rating"].to_list() == (DECISIONS[name].choose(probabilities) + 1).tolist()


def test_the_decision_changes_the_rating_and_not_the_probabilities(served: dict[str, Predictor]) -> None:
    reviews = pl.DataFrame(
        {"text": [*RAW.values(), "dress", "awful gorgeous", "poor nice okay", "awful nice"]}
    )
    answers = {
        name: replace(served["logistic_regression"], decision=rule).predict(reviews)
        for name, rule in DECISIONS.items()
    }
    for answer in answers.values():
        assert_frame_equal(answer.drop("rating"), answers["argmax"].drop("rating"))
    assert len({tuple(answer["rating"]) for answer in answers.values()}) == len(DECISIONS)
    mean = answers["expected"]["expected_rating"].to_numpy()
    assert answers["expected"]["rating"].to_list() == np.floor(mean + 0.5).astype(int).tolist()


CALIBRATION = Calibration((2.0, 1.0, 0.5, 1.0, 1.5), (0.5, 0.5, 1.0, 1.0, 2.0))


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_calibration_and_threshold_travel_with_the_model(
    served: dict[str, Predictor], family: str, tmp_path: Path
) -> None:
    plain, decision = served[family], Decision((0.2, 3.0, 1.0, 0.3, 0.5))
    saved = replace(plain, calibration=CALIBRATION, threshold=Threshold(0.8, 0.3), decision=decision)
    saved.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert (loaded.calibration, loaded.threshold) == (CALIBRATION, Threshold(0.8, 0.3))
    reviews = pl.DataFrame({"text": [*RAW.values(), "dress awful", "gorgeous poor"]})
    answers = loaded.predict(reviews)
    assert answers.columns == [*COLUMNS, "confidence", "needs_review"]
    assert_frame_equal(answers, saved.predict(reviews), abs_tol=1e-6)
    uncalibrated = plain.predict(reviews).select(COLUMNS[1:6]).to_numpy()
    probabilities = answers.select(COLUMNS[1:6]).to_numpy()
    assert probabilities == pytest.approx(CALIBRATION.apply(uncalibrated), abs=1e-5)
    chosen = answers["rating"].to_numpy() - 1
    assert chosen.tolist() == decision.choose(probabilities).tolist()
    assert answers["confidence"].to_list() == pytest.approx(probabilities[np.arange(len(chosen)), chosen])
    assert answers["needs_review"].to_list() == (answers["confidence"] < 0.3).to_list()


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_texts_of_which_the_model_knows_no_word_always_need_review(
    served: dict[str, Predictor], family: str
) -> None:
    sure = replace(served[family], threshold=Threshold(0.8, 0.0))
    nothing = [None, "", "  ", "?", "🙂", "xyzzy", "xyzzy qwrtz plugh " * 9, "素晴らしいドレス"]
    answers = sure.predict(pl.DataFrame({"text": [*nothing, *RAW.values(), "xyzzy gorgeous"]}))
    assert answers["needs_review"].to_list() == [True] * len(nothing) + [False] * 6
    assert sure.predict(pl.DataFrame({"text": [None]}))["needs_review"].to_list() == [True]
    everything = replace(sure, threshold=Threshold(0.99, None)).predict(pl.DataFrame({"text": [RAW[5]]}))
    assert everything["needs_review"].to_list() == [True]


def test_a_title_that_is_read_is_enough_and_one_that_is_not_read_is_none() -> None:
    reviews = pl.DataFrame({"title": [RAW[5], RAW[5]], "text": ["", RAW[1]]})
    for uses_title, expected in ((True, [False, False]), (False, [True, False])):
        plain = predictor("logistic_regression", Cleaner.create("light"), uses_title)
        answers = replace(plain, threshold=Threshold(0.8, 0.0)).predict(reviews)
        assert answers["needs_review"].to_list() == expected


def test_a_model_of_the_schema_before_answers_as_before(served: dict[str, Predictor], tmp_path: Path) -> None:
    served["logistic_regression"].save(tmp_path)
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    assert not {"calibration", "threshold"} & description.keys()
    (tmp_path / DESCRIPTION).write_text(json.dumps({**description, "schema": 1}))
    reviews = pl.DataFrame({"text": [*RAW.values()]})
    answers = Predictor.load(tmp_path).predict(reviews)
    assert_frame_equal(answers, served["logistic_regression"].predict(reviews))
    assert answers.columns == COLUMNS


def contents(path: Path) -> dict[str, bytes]:
    """A file and, where it is an archive, what is inside."""
    files = {path.name: path.read_bytes()}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(io.BytesIO(files[path.name])) as archive:
            files |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    return files


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_no_file_of_the_folder_is_a_pickle(served: dict[str, Predictor], family: str, tmp_path: Path) -> None:
    served[family].save(tmp_path)
    files = {
        name: content
        for path in tmp_path.rglob("*")
        if path.is_file()
        for name, content in contents(path).items()
    }
    assert len(files) > 3
    for name, content in files.items():
        assert not name.endswith((".pkl", ".pickle", ".joblib")), name
        assert not content.startswith(PICKLE), name
        if name.endswith(".npy"):
            np.load(io.BytesIO(content), allow_pickle=False)


def test_title_stands_in_front_of_the_text() -> None:
    reviews = pl.DataFrame(
        {"title": ["Love it", None, "Only a title", None], "text": ["It fits", "No title", None, None]}
    )
    assert join_title(reviews).to_list() == ["Love it It fits", " No title", "Only a title ", " "]
    assert join_title(reviews.drop("title")).to_list() == ["It fits", "No title", None, None]


def test_a_predictor_reads_the_title_only_if_it_was_trained_with_one(tmp_path: Path) -> None:
    cleaner = Cleaner.create("light")
    reviews = pl.DataFrame({"title": [RAW[1], None], "text": ["the dress", RAW[5]]})
    joined = pl.DataFrame({"text": [f"{RAW[1]} the dress", RAW[5]]})
    for uses_title, same_as in ((True, joined), (False, reviews.drop("title"))):
        predictor("logistic_regression", cleaner, uses_title).save(tmp_path / str(uses_title))
        loaded = Predictor.load(tmp_path / str(uses_title))
        assert_frame_equal(loaded.predict(reviews), loaded.predict(same_as))
    assert Predictor.load(tmp_path / "True").predict(reviews)["rating"].to_list() == [1, 5]


def test_texts_are_cleaned_as_they_were_for_training(served: dict[str, Predictor]) -> None:
    untidy = pl.DataFrame({"text": ["  awful!\tIT,\n tore ", "IT\u2019S   OKAY"]})
    tidy = pl.DataFrame({"text": [RAW[1], RAW[3]]})
    assert_frame_equal(
        served["logistic_regression"].predict(untidy), served["logistic_regression"].predict(tidy)
    )


def test_the_cleaning_recipe_travels_with_the_model(wordnet: None, tmp_path: Path) -> None:
    saved = predictor("logistic_regression", Cleaner.create("study_a", lemmas=True))
    saved.save(tmp_path)
    loaded = Predictor.load(tmp_path)
    assert loaded.cleaner == saved.cleaner
    assert (tmp_path / "nltk_data" / "corpora" / "wordnet.zip").is_file()
    plural, singular = (
        loaded.predict(pl.DataFrame({"text": [text]})) for text in ("The poor dresses", "poor dress")
    )
    assert_frame_equal(plural, singular)
