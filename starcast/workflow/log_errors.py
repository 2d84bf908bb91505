"""Log what a candidate gets wrong: scores on slices of the test split, worst mistakes, suspected labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from starcast.evaluation.answer_rule import Answers
from starcast.evaluation.resampling import Estimate
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.slices import DECIDING, SliceScores, slice_scores
from starcast.reports.error_files import shortened, write_slices
from starcast.reports.slice_figure import slice_picture
from starcast.reviews.clean import join_title
from starcast.reviews.parquet import rows_at
from starcast.reviews.slices import slices_of
from starcast.tracking import runs

WORST = 100  # mistakes, and suspected labels, that are listed
NAMED = 5  # slices


class AnswersOnSplit(NamedTuple):
    """Answers to reviews that the model and its rule were not fitted on, and the stored split of these."""

    answers: Answers
    split: Path


def log_errors(
    test: AnswersOnSplit, validation: AnswersOnSplit, accuracy: tuple[float, float], seed: int, scale: Scale
) -> list[str]:
    """Log the errors of a candidate on the active run, and return lines that tell where it is worse.

    Args:
        accuracy: the ends of its 95% interval on the test split.
    """
    answers = test.answers
    found = slice_scores(answers.ratings, answers.predicted, slices_of(test.split), seed, scale)
    whole = Estimate(float(answers.right.mean()), *accuracy)
    worst, others = (worst_mistakes(*each, scale) for each in (test, validation))
    with runs.artifacts_of_run() as folder:
        write_slices(folder / "slices_test.csv", found)
        slice_picture(found, whole).save(folder / "slices_test.png")
        worst.write_csv(folder / "worst_test.csv", float_precision=4)
        suspected_labels({"test": worst, "validation": others}).write_csv(
            folder / "suspected_labels.csv", float_precision=4
        )
    return [_told(found)]


def suspected_labels(worst: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the reviews whose rating may be wrong, the most suspect first, with their `split`.

    They are those with the highest loss. Of 5% planted wrong labels this found more than confident learning
    (Northcutt et al., JAIR 2021): `python -m bench.label_noise`.

    Args:
        worst: by split, as `worst_mistakes` returns them.
    """
    parts = [table.select(pl.lit(name).alias("split"), pl.all()) for name, table in worst.items()]
    return pl.concat(parts).sort("probability", maintain_order=True).head(WORST)


def _told(found: Sequence[SliceScores]) -> str:
    """Return which slices are significantly worse, the most reviews first, but for single ratings."""
    worse = [each for each in found if each.worse and each.slice != "rating"]
    if not worse:
        return "no slice of the test reviews, single ratings aside, is significantly worse than the others"
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
    found = rows_at(split, rows, ("review_id", "title", "text"))
    text = join_title(found).to_frame("text").select(shortened(pl.col("text")))
    return pl.DataFrame({"review_id": found["review_id"], **columns, "text": text["text"]})
