"""Write the files of a trial or a candidate for each split."""

import json
from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix
from starcast.reports.figures import class_count_picture, confusion_picture


def write_split_files(
    folder: Path, split: str, ratings: np.ndarray, predicted: np.ndarray, scale: Scale = STARS
) -> None:
    """Write the confusion matrix (JSON and picture) and the classification report of a split.

    Args:
        split: `train`, `val` or `test`.
        ratings, predicted: true and chosen ratings as index from 0, shape (reviews,).
    """
    from sklearn.metrics import classification_report  # takes a CPU second, which preprocess can save

    matrix = count_matrix(ratings, predicted, len(scale))
    table = {"labels": scale.labels, "matrix": matrix.tolist()}
    write_json(folder / f"confusion_matrix_{split}.json", table)
    confusion_picture({split: matrix}, scale).save(folder / f"confusion_matrix_{split}.png")
    asked = {"labels": range(len(scale)), "target_names": scale.names, "zero_division": 0}
    report = classification_report(ratings, predicted, output_dict=True, **asked)
    write_json(folder / f"classification_report_{split}.json", report)


def write_class_counts(folder: Path, before: np.ndarray, after: np.ndarray, scale: Scale = STARS) -> None:
    """Write the training rows per rating before and after sampling as JSON and, if changed, as a picture."""
    table = {"rating": scale.labels, "before": before.tolist(), "after": after.tolist()}
    write_json(folder / "class_counts.json", table)
    if (before != after).any():
        class_count_picture(before, after, scale).save(folder / "class_counts.png")


def write_predictions(
    folder: Path,
    split: str,
    review_ids: pl.Series,
    ratings: np.ndarray,
    predicted: np.ndarray,
    probabilities: np.ndarray,
    scale: Scale = STARS,
) -> None:
    """Write the predictions for a split as Parquet; ratings are given as index from 0, written as labels."""
    columns = {
        "review_id": review_ids,
        "rating": scale.label_of(ratings),
        "predicted": scale.label_of(predicted),
    }
    columns |= {name: probabilities[:, i] for i, name in enumerate(scale.probabilities)}
    pl.DataFrame(columns).write_parquet(folder / f"predictions_{split}.parquet")


def write_json(path: Path, values: object) -> None:
    """Write readable JSON."""
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")
