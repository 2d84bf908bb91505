"""A table of scored reviews: all their columns, then the predictions and the name of the model."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS, Scale

PREDICTED = "predicted_rating"
NAMED = ("model", "model_version", "model_run")


def added(scale: Scale) -> tuple[str, ...]:
    """Return the names of the columns that are added to a table, of a model with these ratings."""
    return *_answered(scale), *NAMED


def _answered(scale: Scale) -> tuple[str, ...]:
    return PREDICTED, *scale.probabilities, "expected_rating"


@dataclass(frozen=True)
class ScoringSummary:
    """How many reviews were scored, the mean of their expected ratings, and how fast that was."""

    reviews: int
    mean_stars: float
    per_second: float


def add_answers(
    table: pl.DataFrame, answers: pl.DataFrame, model: Mapping[str, str], scale: Scale = STARS
) -> pl.DataFrame:
    """Return all columns of a table of reviews, followed by those `added`.

    Args:
        answers: the model's predictions for the reviews, with its label in `rating`.
        model: values of the `NAMED` columns.

    Raises:
        UserError: the model is from another project, and its predictions have another form than ours.
    """
    answers, answered = answers.rename({"rating": PREDICTED}, strict=False), _answered(scale)
    if answers.height != table.height or not set(answered) <= set(answers.columns):
        whose = f"model {model['model']}, version {model['model_version']}"
        given = f"{answers.height} rows of {', '.join(answers.columns)}"
        wanted = f"rating and {', '.join(answered[1:])}"
        raise UserError(f"{whose}: answers {table.height} reviews with {given}, not with {wanted}")
    table = table.with_columns(answers.select(answered).get_columns())
    return table.with_columns(pl.lit(model[name]).alias(name) for name in NAMED)
