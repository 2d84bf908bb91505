"""Log the files of a candidate that people and other steps read."""

from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.answer_rule import Answers
from starcast.evaluation.resampling import Intervals
from starcast.evaluation.scale import Scale
from starcast.models.sampling import count_ratings
from starcast.reports import figures, files
from starcast.tracking import runs
from starcast.tracking.history import OPTIONS
from starcast.workflow.fit_parameters import CandidatePlan


def log_files(
    plan: CandidatePlan,
    answers: dict[str, Answers],
    ends: Intervals,
    stored: dict[str, Path],
    trained_on: np.ndarray,
    scale: Scale,
) -> None:
    """Log settings, intervals, matrices, predictions and pictures of a candidate on the active run.

    Args:
        answers: to every split, by the prefix of its metrics.
        ends: of the 95% intervals of the test scores.
        stored: the splits as stored.
        trained_on: ratings of the training set after sampling, as index from 0.
    """
    runs.log_metrics({"rows_used": len(trained_on)})
    with runs.artifacts_of_run() as folder:
        learned = answers["train"].ratings, trained_on
        before, after = (count_ratings(each, len(scale)) for each in learned)
        files.write_class_counts(folder, before, after, scale)
        files.write_json(folder / "settings.json", plan.spec.settings)
        files.write_json(folder / OPTIONS, plan.spec.options.logged())
        files.write_json(folder / "intervals_test.json", ends)
        for split, answer in answers.items():
            files.write_split_files(folder, split, answer.ratings, answer.predicted, scale)
            ids = pl.read_parquet(stored[split], columns=["review_id"])["review_id"]
            files.write_predictions(folder, split, ids, *answer, scale=scale)
        matrices = {split: answers[split].matrix for split in ("train", "val")}
        figures.confusion_picture(matrices, scale).save(folder / "confusion_matrices_train_val.png")
        shares = {split: (answers[split].ratings, answers[split].predicted) for split in ("val", "test")}
        figures.share_picture(shares, scale).save(folder / "rating_shares.png")
