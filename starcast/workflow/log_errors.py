"""Log what a candidate gets wrong: its scores on slices of the test split, and its worst mistakes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.answer_rule import Answers
from starcast.evaluation.paired import Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.slices import DECIDING, SliceScores, slice_scores
from starcast.reports.error_files import shortened, write_slices
from starcast.reports.slice_figure import slice_picture
from starcast.reviews.clean import join_title
from starcast.reviews.parquet import read_row_groups, schema_of
from starcast.reviews.slices import slices_of
from starcast.tracking import runs

WORST = 100  # mistakes that are listed
NAMED = 5  # slices


def log_errors(
    test: Answers, accuracy: tuple[float, float], split: Path, seed: int, scale: Scale
) -> list[str]:
    """Log the errors of a candidate on the active run, and return lines that tell where it is worse.

    Args:
        split: the stored test split, in the order of its answers.
        accuracy: the ends of its 95% interval on the whole split.
    """
    found = slice_scores(test.ratings, test.predicted, slices_of(split), seed, scale)
    with runs.artifacts_of_run() as folder:
        write_slices(folder / "slices_test.csv", found)
        slice_picture(found, Estimate(float(test.right.mean()), *accuracy)).save(folder / "slices_test.png")
        worst_mistakes(test, split, scale).write_csv(folder / "worst_test.csv", float_precision=4)
    return [_told(found)]


def _told(found: Sequence[SliceScores]) -> str:
    """Return which slices are significantly worse, the most reviews first, but for single ratings."""
    worse = [each for each in found if each.worse and each.slice != "rating"]
    if not worse:
        return "no slice of the test reviews is significantly worse than the others"
    worse.sort(key=lambda each: each.reviews, reverse=True)
    named = [
        f"{each.slice} {each.value} ({DECIDING} {each.scores[DECIDING].value:.1%} on {each.reviews:,})"
        for each in worse[:NAMED]
    ]
    more = f" and {len(worse) - NAMED} more, see slices_test.csv" if len(worse) > NAMED else ""
    return f"significantly worse than on the other test reviews: {', '.join(named)}{more}"


def worst_mistakes(answers: Answers, split: Path, scale: Scale = STARS) -> pl.DataFrame:
    """Return the reviews whose true rating the model thinks least probable of all it rates wrong.

    Columns: `review_id`, `rating`, `predicted`, `probability` of the true rating, `text` (with its title).
    """
    true = answers.probabilities[np.arange(len(answers.ratings)), answers.ratings]
    wrong = np.flatnonzero(~answers.right)
    rows = wrong[np.argsort(true[wrong], kind="stable")[:WORST]]
    columns = {
        "rating": scale.label_of(answers.ratings[rows]),
        "predicted": scale.label_of(answers.predicted[rows]),
        "probability": true[rows].astype(np.float64),
    }
    return pl.concat([reviews_at(split, rows), pl.DataFrame(columns)], how="horizontal").select(
        "review_id", *columns, "text"
    )


def reviews_at(split: Path, rows: np.ndarray) -> pl.DataFrame:
    """Return `review_id` and the shortened `text` of some rows of a stored split, in the order asked for."""
    names = [name for name in ("review_id", "title", "text") if name in schema_of(split)]
    found, begin = [], 0
    for table in read_row_groups(split, columns=names):
        here = np.sort(rows[(rows >= begin) & (rows < begin + table.height)]) - begin
        found.append(table[here])
        begin += table.height
    kept = pl.concat(found)
    text = pl.DataFrame([kept["review_id"], join_title(kept)]).with_columns(shortened(pl.col("text")))
    return text[np.argsort(np.argsort(rows))]
