"""Every mistake a user can make: one clear line, and no run left RUNNING."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest

from starcast.cli import parameters as step_parameters
from starcast.cli.errors import UserError
from starcast.reviews.parameters import DataParameters
from starcast.tracking.artifacts import fetch
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.prepare import preprocess
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.train import train
from starcast.workflow.tune import tune
from tests.conftest import make_reviews, statuses

Steps = dict[str, tuple[type[step_parameters.Parameters], Callable[[Any], object]]]
STEPS: Steps = {
    "preprocess": (DataParameters, preprocess),
    "tune": (TuneParameters, tune),
    "train": (TrainParameters, train),
    "predict": (PredictParameters, predict),
}


def mistake(step: str, **given: object) -> str:
    """What a step says to these parameters."""
    model, run = STEPS[step]
    with pytest.raises(UserError) as caught:
        run(step_parameters.parse(model, [f"--{name}={value}" for name, value in given.items()]))
    return str(caught.value)


def reviews_with(ratings: dict[int, object]) -> str:
    table = make_reviews(60).select("text", pl.col("rating").cast(pl.String))
    rows = table["rating"].to_list()
    for row, value in ratings.items():
        rows[row] = str(value)
    return table.with_columns(pl.Series("rating", rows)).write_csv()


def one_class() -> str:
    return make_reviews(60).with_columns(pl.lit(5).alias("rating")).write_csv()


def two_in_a_class() -> str:
    table = make_reviews(60)
    return pl.concat(
        [table.filter(pl.col("rating") != 2), table.filter(pl.col("rating") == 2).head(2)]
    ).write_csv()


FILES: dict[str, tuple[bytes, str]] = {
    "rating 0": (
        reviews_with({3: 0}).encode(),
        "1 of 60 rows are bad (1: rating not on the scale 1-5), first '0' in data row 4",
    ),
    "rating 6": (reviews_with({3: 6}).encode(), "first '6'"),
    "rating 3.5": (reviews_with({0: 3.5, 1: 4.5}).encode(), "2 of 60 rows"),
    "rating text": (reviews_with({3: "five"}).encode(), "first 'five'"),
    "empty file": (b"", "the file is empty"),
    "header only": (b"text,rating\n", "a header and no rows"),
    "missing column": (b"words,stars\ngood,5\n", "the columns words, stars: name yours with text_column"),
    "no rating": (b"text,grade\ngood,5\n", "the columns text, grade: name yours with rating_column"),
    "one column": (b"review\ngood\nbad\n", "a single column, review: reviews need a text and a rating"),
    "three reviews": (b"text,rating\ngood,5\nbad,1\nfine,3\n", "3 reviews of 3 ratings are too few"),
    "objects": (b'text,rating\n"{""body"": ""good""}",5\n', "column 'text' holds objects, such as"),
    "two ratings": (b"text,rating,rating\ngood,5,1\n", "two columns 'rating'; rename"),
    "one class": (one_class().encode(), "only rating 5"),
    "two in a class": (two_in_a_class().encode(), "rating 2: 2 reviews, at least 5"),
    "latin-1": (
        make_reviews(60).write_csv().encode() + "caf\xe9,t,5\n".encode("latin-1"),
        "not UTF-8: byte 0xe9 in line 62",
    ),
    "binary": (bytes(range(256)) * 20, "bad.csv"),
}


@pytest.mark.parametrize("name", FILES)
def test_bad_file(store: mlflow.MlflowClient, tmp_path: Path, name: str) -> None:
    content, expected = FILES[name]
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    said = mistake("preprocess", data=path)
    assert expected in said
    assert "\n" not in said
    assert statuses(store) == ["FAILED"]


def test_a_bad_time_is_not_called_a_rating(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    days = [f"2014-01-{number % 28 + 1:02}" for number in range(60)]
    days[3] = "soon"
    make_reviews(60).with_columns(day=pl.Series(days)).write_csv(tmp_path / "bad.csv")
    said = mistake("preprocess", data=tmp_path / "bad.csv", split="time", time_column="day")
    assert (
        "1 of 60 rows are bad (1: not a time in column 'day', but 'soon'), first in data row 4; fix" in said
    )
    assert "rating" not in said


def test_bad_rows_can_be_dropped_and_are_listed(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(reviews_with({40: 0, 41: "five", 42: "5.0"}))
    prepared = preprocess(DataParameters(data=str(path), on_bad_rows="drop"))
    assert prepared.report["dropped"]["rating not on the scale 1-5"] == 2
    listed = pl.read_csv(fetch(prepared.run_id, "rejected_rows.csv"))
    assert listed.columns == ["row", "reason", "rating", "beginning"]
    assert listed["row"].to_list() == [41, 42]
    assert listed["rating"].to_list() == ["0", "five"]
    assert listed["beginning"].to_list() == make_reviews(60)["text"].str.slice(0, 80)[40:42].to_list()
    assert statuses(store) == ["FINISHED"]


@pytest.mark.parametrize(
    ("step", "given", "expected"),
    [
        ("tune", {"max_trials": 0}, "max_trials: should be greater than or equal to 1, not '0'"),
        ("tune", {"max_trials": "abc"}, "max_trials: should be a whole number"),
        (
            "tune",
            {"families": "lstm_9"},
            "should be one of lstm_2, gru_1, gru_2, gru_4, lstm_1, logistic_regression",
        ),
        ("tune", {"families": ""}, "families:"),
        ("tune", {"objective": "test_auc"}, "should be one of val_loss"),
        ("tune", {"extra": 5}, "unknown parameter 'extra'"),
        (
            "tune",
            {"algorithm": "grid"},
            "should be one of auto, tpe, random, anneal, bayesian, hyperband",
        ),
        ("train", {"family": "svm"}, "should be one of"),
        ("train", {"settings": "{c: 1"}, "should be JSON such as"),
        ("train", {"settings": "[1]"}, "should be a JSON object such as"),
        ("train", {"settings": '{"depth": 3}'}, "logistic_regression has no 'depth'"),
        ("train", {"settings": '{"c": -1}'}, "c should be a number from 1e-06 to 1000000.0, not -1"),
        ("train", {"model": "a/b"}, "model:"),
        ("predict", {"output": "scores.xlsx"}, "should end in .csv"),
        ("preprocess", {"seed": -1}, "seed: should be greater than or equal to 0"),
    ],
)
def test_bad_parameter_begins_no_run(
    store: mlflow.MlflowClient, step: str, given: dict[str, object], expected: str
) -> None:
    said = mistake(step, **given)
    assert expected in said
    assert "\n" not in said
    assert statuses(store) == []


@pytest.mark.parametrize(
    ("step", "given", "expected"),
    [
        ("preprocess", {"data": "nowhere.csv"}, "no such file"),
        ("preprocess", {"data": "."}, "is a folder"),
        ("preprocess", {"sample_size": 10_000_000}, "usable reviews"),
        ("preprocess", {"text_column": "review"}, "no column 'review'; the file has title, text, rating"),
        ("predict", {}, "make one first: cd "),
        ("predict", {"model": "runs:/1/model"}, "should read models:/<name>, models:/<name>@<alias>"),
    ],
)
def test_mistake_found_later_fails_the_run(
    store: mlflow.MlflowClient, step: str, given: dict[str, object], expected: str
) -> None:
    assert expected in mistake(step, **given)
    assert set(statuses(store)) == {"FAILED"}


def test_a_run_to_take_settings_from_that_is_not_there_begins_nothing(store: mlflow.MlflowClient) -> None:
    assert "neither a search, a trial nor a candidate" in mistake("train", from_run="0" * 32)
    assert statuses(store) == []


def test_a_server_that_is_not_there(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    assert "tracking server http://127.0.0.1:9 does not answer" in mistake("preprocess")


def test_output_folder_that_is_not_there(fitted_store: mlflow.MlflowClient, tmp_path: Path) -> None:
    said = mistake("predict", input="reviews.csv", output=tmp_path / "nowhere" / "scores.csv")
    assert "there is no folder" in said
    assert "RUNNING" not in statuses(fitted_store)
