"""The files of a split, in the shapes that the design promises."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import classification_report

from starcast.reports.files import write_class_counts, write_json, write_predictions, write_split_files

RATINGS = np.array([0, 0, 3, 4, 4, 4])
PREDICTED = np.array([0, 4, 3, 4, 4, 3])
PROBABILITIES = (np.eye(5)[PREDICTED] * 0.6 + 0.08).astype(np.float32)


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_each_split_has_its_three_files(tmp_path: Path, split: str) -> None:
    write_split_files(tmp_path, split, RATINGS, PREDICTED)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"confusion_matrix_{split}.json",
        f"confusion_matrix_{split}.png",
        f"classification_report_{split}.json",
    }
    assert (tmp_path / f"confusion_matrix_{split}.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_the_confusion_matrix_holds_counts_with_true_ratings_in_rows(tmp_path: Path) -> None:
    write_split_files(tmp_path, "val", RATINGS, PREDICTED)
    assert read_json(tmp_path / "confusion_matrix_val.json") == {
        "labels": [1, 2, 3, 4, 5],
        "matrix": [[1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 1, 2]],
    }


def test_the_report_is_scikit_learn_s_over_the_stars_1_to_5(tmp_path: Path) -> None:
    write_split_files(tmp_path, "val", RATINGS, PREDICTED)
    report = read_json(tmp_path / "classification_report_val.json")
    assert report.keys() == {"1", "2", "3", "4", "5", "accuracy", "macro avg", "weighted avg"}
    expected = classification_report(RATINGS + 1, PREDICTED + 1, output_dict=True, zero_division=0)
    for name in ("1", "4", "5", "weighted avg"):
        assert report[name] == pytest.approx(expected[name])
    assert report["accuracy"] == pytest.approx(4 / 6)
    assert report["2"] == {"precision": 0, "recall": 0, "f1-score": 0, "support": 0}


def test_predictions_are_a_row_per_review(tmp_path: Path) -> None:
    write_predictions(tmp_path, "test", pl.Series([7, 3, 11, 2, 5, 4]), RATINGS, PREDICTED, PROBABILITIES)
    table = pl.read_parquet(tmp_path / "predictions_test.parquet")
    assert table.columns == [
        "review_id",
        "rating",
        "predicted",
        *(f"probability_{rating}" for rating in range(1, 6)),
    ]
    assert table["review_id"].to_list() == [7, 3, 11, 2, 5, 4]
    assert table["rating"].to_list() == (RATINGS + 1).tolist()
    assert table["predicted"].to_list() == (PREDICTED + 1).tolist()
    assert table.select(pl.col("^probability_.$")).to_numpy().tolist() == PROBABILITIES.tolist()


def test_json_is_readable_and_utf_8(tmp_path: Path) -> None:
    write_json(tmp_path / "values.json", {"word": "très", "list": [1, 2.5, None, True]})
    text = (tmp_path / "values.json").read_bytes().decode("utf-8")
    assert '  "word": "très"' in text
    assert json.loads(text) == {"word": "très", "list": [1, 2.5, None, True]}


def test_rows_per_rating_are_a_table_and_a_picture_where_sampling_changed_them(tmp_path: Path) -> None:
    before, after = np.array([8, 12, 20, 30, 60]), np.full(5, 8)
    for name, rows in (("same", before), ("changed", after)):
        (tmp_path / name).mkdir()
        write_class_counts(tmp_path / name, before, rows)
        table = {"rating": [1, 2, 3, 4, 5], "before": before.tolist(), "after": rows.tolist()}
        assert read_json(tmp_path / name / "class_counts.json") == table
    assert (tmp_path / "changed" / "class_counts.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert not (tmp_path / "same" / "class_counts.png").exists()
