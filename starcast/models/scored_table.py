"""A table of scored reviews: all their columns, then the predictions and the name of the model."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS

PROBABILITIES = tuple(f"probability_{rating}" for rating in STARS.labels)
ANSWERED = ("predicted_rating", *PROBABILITIES, "expected_rating")
NAMED = ("model", "model_version", "model_run")
ADDED = (*ANSWERED, *NAMED)


@dataclass(frozen=True)
class ScoringSummary:
    """How many reviews were scored, the mean of their expected ratings, and how fast that was."""

    reviews: int
    mean_stars: float
    per_second: float


def add_answers(table: pl.DataFrame, answers: pl.DataFrame, model: Mapping[str, str]) -> pl.DataFrame:
    """Return all columns of a table of reviews, followed by the `ADDED` ones.

    Args:
        answers: the model's predictions for the reviews, with its stars in `rating`.
        model: values of the `NAMED` columns.

    Raises:
        UserError: the model is from another project, and its predictions have another form than ours.
    """
    answers = answers.rename({"rating": ADDED[0]}, strict=False)
    if answers.height != table.height or not set(ANSWERED) <= set(answers.columns):
        whose = f"model {model['model']}, version {model['model_version']}"
        given = f"{answers.height} rows of {', '.join(answers.columns)}"
        wanted = f"rating and {', '.join(ANSWERED[1:])}"
        raise UserError(f"{whose}: answers {table.height} reviews with {given}, not with {wanted}")
    table = table.with_columns(answers.select(ANSWERED).get_columns())
    return table.with_columns(pl.lit(model[name]).alias(name) for name in NAMED)
