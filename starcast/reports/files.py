"""The files that a trial or a candidate leaves, per split."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import classification_report

from starcast.evaluation.scores import count_matrix
from starcast.reports.figures import class_count_figure, confusion_figure


def write_split_files(folder: Path, split: str, ratings: np.ndarray, predicted: np.ndarray) -> None:
    """Write confusion matrix (JSON, picture) and classification report of a split (`train`, `val`, `test`).

    Args:
        ratings, predicted: true and chosen ratings as index 0-4, shape (reviews,).
    """
    matrix = count_matrix(ratings, predicted)
    table = {"labels": [1, 2, 3, 4, 5], "matrix": matrix.tolist()}
    write_json(folder / f"confusion_matrix_{split}.json", table)
    confusion_figure({split: matrix}).savefig(folder / f"confusion_matrix_{split}.png", dpi=90)
    report = classification_report(
        ratings + 1, predicted + 1, labels=[1, 2, 3, 4, 5], output_dict=True, zero_division=0
    )
    write_json(folder / f"classification_report_{split}.json", report)


def write_class_counts(folder: Path, before: np.ndarray, after: np.ndarray) -> None:
    """Write rows of the training split per rating 1-5 before and after sampling, as JSON and, where they differ, as a picture."""
    table = {"rating": [1, 2, 3, 4, 5], "before": before.tolist(), "after": after.tolist()}
    write_json(folder / "class_counts.json", table)
    if (before != after).any():
        class_count_figure(before, after).savefig(folder / "class_counts.png", dpi=90)


def write_predictions(
    folder: Path,
    split: str,
    review_ids: pl.Series,
    ratings: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
) -> None:
    """Write what was predicted for each review of a split as Parquet; ratings come as index 0-4 and are written as 1-5."""
    columns = {f"probability_{rating}": probabilities[:, rating - 1] for rating in range(1, 6)}
    table = pl.DataFrame(
        {"review_id": review_ids, "rating": ratings + 1, "predicted": predicted + 1, **columns}
    )
    table.write_parquet(folder / f"predictions_{split}.parquet")


def write_json(path: Path, values: object) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")
