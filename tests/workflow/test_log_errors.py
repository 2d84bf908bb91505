"""What a candidate logs about its errors, read back from its run."""

from io import BytesIO
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
from PIL import Image

from starcast.evaluation.answer_rule import Answers
from starcast.evaluation.scores import count_matrix, matrix_scores
from starcast.tracking.artifacts import fetch
from starcast.workflow.log_errors import suspected_labels, worst_mistakes
from starcast.workflow.log_words import balanced
from tests.conftest import PRAISE


def candidate(client: mlflow.MlflowClient, family: str = "logistic_regression") -> str:
    """The run of a candidate of the fitted store."""
    experiment = client.get_experiment_by_name("fitted").experiment_id
    [run] = client.search_runs([experiment], f"tags.step = 'train' and tags.family = '{family}'")
    return str(run.info.run_id)


def test_slices_and_worst_mistakes_are_tables_on_the_candidate(fitted_store: mlflow.MlflowClient) -> None:
    run_id = candidate(fitted_store)
    slices, worst = (pl.read_csv(fetch(run_id, f"{name}_test.csv")) for name in ("slices", "worst"))
    answers = pl.read_parquet(fetch(run_id, "predictions_test.parquet"))
    assert slices.columns[:6] == ["slice", "value", "reviews", "accuracy", "accuracy_low", "accuracy_high"]
    assert slices.columns[-1] == "worse"
    assert dict(slices.group_by("slice").agg(pl.sum("reviews")).iter_rows()) == dict.fromkeys(
        ("length", "script", "title", "rating"), answers.height
    )
    matrix = count_matrix(answers["rating"].to_numpy() - 1, answers["predicted"].to_numpy() - 1)
    whole = slices.row(by_predicate=pl.col("slice") == "script", named=True)
    expected = matrix_scores(matrix)
    assert [whole[name] for name in ("accuracy", "f1_macro", "mae")] == [
        round(float(expected[name]), 4) for name in ("accuracy", "f1_macro", "mae")
    ]
    assert worst.columns == ["review_id", "rating", "predicted", "probability", "text"]
    assert worst["probability"].is_sorted()
    joined = worst.join(answers, "review_id", how="left", maintain_order="left")
    assert joined["rating"].equals(joined["rating_right"], check_names=False)
    assert (joined["rating"] != joined["predicted_right"]).all()
    reviews = pl.read_csv("reviews.csv")["text"]
    assert worst["text"].to_list() == [reviews[row] for row in worst["review_id"]]
    assert Image.open(BytesIO(fetch(run_id, "slices_test.png").read_bytes())).width > 500
    assert "slice" in fitted_store.get_run(run_id).data.tags["mlflow.note.content"]


def test_texts_of_worst_mistakes_are_short_and_in_one_line(tmp_path: Path) -> None:
    texts = ["right", "many\nlines  and\ttabs", "long " * 100, None]
    table = {"review_id": [7, 8, 9, 10], "title": ["A", "B", None, ""], "text": texts}
    pl.DataFrame(table).write_parquet(tmp_path / "test.parquet")
    probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8], [0.45, 0.55]])
    answers = Answers(np.zeros(4, dtype=np.int64), probabilities.argmax(axis=1), probabilities)
    worst = worst_mistakes(answers, tmp_path / "test.parquet")
    assert worst["review_id"].to_list() == [9, 8, 10]
    assert worst["text"][1] == "B many lines and tabs"
    assert worst["text"][0].endswith("long ...")
    assert len(worst["text"][0]) == 303
    assert worst["text"][2] == ""


def test_the_most_suspect_labels_of_both_splits_come_first() -> None:
    parts = {
        name: pl.DataFrame({"review_id": ids, "probability": probabilities})
        for name, ids, probabilities in (("test", [1, 2], [0.1, 0.3]), ("validation", [3, 4], [0.05, 0.2]))
    }
    found = suspected_labels(parts)
    assert found["review_id"].to_list() == [3, 1, 4, 2]
    assert found["split"].to_list() == ["validation", "test", "validation", "test"]


def test_suspected_labels_are_on_the_candidate(fitted_store: mlflow.MlflowClient) -> None:
    found = pl.read_csv(fetch(candidate(fitted_store), "suspected_labels.csv"))
    assert found.columns == ["split", "review_id", "rating", "predicted", "probability", "text"]
    assert found["probability"].is_sorted()
    assert set(found["split"]) == {"test", "validation"}
    assert found["text"].to_list() == [pl.read_csv("reviews.csv")["text"][row] for row in found["review_id"]]


def test_the_words_that_drive_each_rating(fitted_store: mlflow.MlflowClient) -> None:
    run_id = candidate(fitted_store, "logistic_regression")
    words = pl.read_csv(fetch(run_id, "words_of_ratings.csv"))
    assert words.columns == ["rating", "word", "weight"]
    assert words["rating"].unique().to_list() == [1, 2, 3, 4, 5]
    for _, each in words.group_by("rating"):
        assert each["weight"].is_sorted(descending=True)
    best = words.filter(pl.col("rating") == 5)["word"].to_list()
    assert set(best) & set(PRAISE)
    assert Image.open(BytesIO(fetch(run_id, "words_of_ratings.png").read_bytes())).width > 500


def test_reviews_to_look_at_have_each_rating_as_often() -> None:
    ratings = np.repeat([0, 2, 4], [3, 50, 9])
    rows = balanced(ratings, 8, seed=1)
    assert np.bincount(ratings[rows]).tolist() == [3, 0, 8, 0, 8]
    assert (np.diff(rows) > 0).all()
