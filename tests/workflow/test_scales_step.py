"""Ratings that are words, numbers other than 1-5, or lack some labels, through every step that they touch."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.experiments.parameters import SamplingParameters
from starcast.experiments.sampling import run_sampling
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.reviews.clean import Cleaner
from starcast.reviews.split import SPLITS
from starcast.tracking.artifacts import fetch
from starcast.tracking.scored_runs import read_answers
from starcast.workflow.candidate import Candidate
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.prepare import Prepared
from starcast.workflow.train import train
from tests.conftest import make_reviews

WORDS = {1: "Negative", 2: "Negative", 3: "Neutral", 4: "Positive", 5: "Positive"}


def write(path: Path, ratings: dict[int, object]) -> Path:
    """Write reviews with other ratings in place of stars."""
    reviews = make_reviews(300).select("text", "rating")
    reviews.with_columns(pl.col("rating").replace_strict(ratings)).write_csv(path)
    return path


def fitted(data: Path, **given: object) -> Candidate:
    return train(
        TrainParameters.model_validate({"data": str(data), "family": "logistic_regression", **given})
    )


def judge(**given: object) -> None:
    promote(PromoteParameters.model_validate(given))


def test_words_are_what_the_file_has_from_the_splits_to_the_answer(store: mlflow.MlflowClient) -> None:
    data = write(Path("words.csv"), dict(WORDS))
    candidate = fitted(data)
    run = store.get_run(candidate.run_id)
    assert {"test_recall_Neutral", "test_f1_Positive", "val_precision_Negative"} <= run.data.metrics.keys()
    assert not {"test_recall_1", "test_recall_3"} & run.data.metrics.keys()
    matrix = json.loads(fetch(candidate.run_id, "confusion_matrix_test.json").read_text("utf-8"))
    assert matrix["labels"] == ["Negative", "Neutral", "Positive"]
    answers = read_answers(fetch(candidate.run_id, "predictions_test.parquet"))
    assert answers.scale.labels == ("Negative", "Neutral", "Positive")
    assert (answers.probabilities.shape[1], int(answers.ratings.max())) == (3, 2)
    assert (
        matrix["matrix"]
        == pd.crosstab(answers.ratings, answers.predicted)
        .reindex(index=range(3), columns=range(3), fill_value=0)
        .to_numpy()
        .tolist()
    )

    served = mlflow.pyfunc.load_model("models:/review-rating@challenger")
    outputs = {each.name: str(each.type) for each in served.metadata.signature.outputs}
    assert "string" in outputs["rating"].lower()
    assert list(outputs)[1:4] == ["probability_Negative", "probability_Neutral", "probability_Positive"]
    answer = served.predict(pd.DataFrame({"text": ["perfect, gorgeous, great", None]}))
    assert answer["rating"][0] == "Positive"

    output = predict(PredictParameters(input=str(data), output="scored.csv"))
    scored = pl.read_csv(output)
    assert set(scored["predicted_rating"]) <= set(WORDS.values())
    assert (scored["expected_rating"].min(), scored["expected_rating"].max()) >= (1.0, 1.0)
    assert scored["expected_rating"].max() <= 3  # type: ignore[operator]
    agreed = (scored["rating"] == scored["predicted_rating"]).mean()
    assert agreed is not None
    assert agreed > 0.6  # type: ignore[operator]


def test_models_of_different_scales_are_not_compared(store: mlflow.MlflowClient) -> None:
    fitted(write(Path("words.csv"), dict(WORDS)))
    judge(mode="enabled", thresholds={"f1_macro": 0.05})
    fitted(write(Path("ten.csv"), {star: star * 2 for star in range(1, 6)}), split="hash")
    with pytest.raises(UserError) as refused:
        judge()
    assert (
        "champion version 1 rates Negative, Neutral, Positive, challenger version 2 1-10: they cannot"
        in str(refused.value)
    )
    assert len(str(refused.value).splitlines()) == 1


def test_scores_leave_out_ratings_that_do_not_occur_and_say_so(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write(Path("three.csv"), {1: 1, 2: 1, 3: 3, 4: 3, 5: 5})
    clear = pl.concat_str("text", pl.lit(" clue"), "rating")  # so that each rating is found at times
    pl.read_csv(data).with_columns(text=clear).write_csv(data)
    candidate = fitted(data, decision_metric="harmonic_recall")
    said = "ratings 2 and 4 do not occur; scores leave them out"
    assert f"preprocess: {said}\n" in capsys.readouterr().out
    assert candidate.summary().endswith(said)
    assert candidate.test["harmonic_recall"] > 0
    assert not {"recall_2", "f1_4"} & candidate.test.keys()
    asked = {"data": str(data), "variants": "none,random_under", "repeats": 1, "metric": "harmonic_recall"}
    scored = run_sampling(SamplingParameters.model_validate(asked))
    assert max(system.draws.values["harmonic_recall"] for system in scored.systems) > 0


def test_a_score_of_a_rating_that_is_not_there_is_refused(store: mlflow.MlflowClient) -> None:
    data = write(Path("words.csv"), dict(WORDS))
    with pytest.raises(UserError, match=r"no score recall_good, the ratings of this data are Negative, Neu"):
        fitted(data, decision_metric="recall_good")


def test_a_score_of_a_rating_that_only_a_held_out_split_lacks_is_refused_too() -> None:
    counts = {"train": [9] * 5, "validation": [3] * 5, "test": [0, *[3] * 4]}
    prepared = Prepared("abc", {"counts": counts}, Cleaner.create("light", False))
    prepared.check_score("metric", "recall_2")
    prepared.check_score("objective", "val_f1_macro")
    prepared.check_score("objective", "val_recall_1")  # the test has no part in it
    with pytest.raises(UserError, match=r"no score recall_1, the ratings of the test split are 2, 3"):
        prepared.check_score("metric", "recall_1", SPLITS)


@pytest.mark.parametrize(
    ("ratings", "type_name"),
    [({1: 0, 2: 0, 3: 0, 4: 1, 5: 1}, "long"), ({s: s - 0.5 for s in range(1, 6)}, "double")],
)
def test_numbers_are_served_as_numbers(
    store: mlflow.MlflowClient, ratings: dict[int, object], type_name: str
) -> None:
    fitted(write(Path("numbers.csv"), ratings))
    served = mlflow.pyfunc.load_model("models:/review-rating@challenger")
    assert str(served.metadata.signature.outputs.inputs[0].type) == f"DataType.{type_name}"
    answer = served.predict(pd.DataFrame({"text": ["perfect, gorgeous, great"]}))
    assert answer["rating"][0] in set(ratings.values())
    lowest, *_, highest = (float(str(rating)) for rating in ratings.values())
    assert lowest <= answer["expected_rating"][0] <= highest
