"""A table of scored reviews: all their columns, then the predictions and the name of the model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import STARS, Scale

PREDICTED = "predicted_rating"
PREFIX = "starcast_"
NAMED = ("model", "model_version", "model_run")


def added(scale: Scale, columns: Iterable[str] = ()) -> dict[str, str]:
    """Return the columns that are added to a table, and how they are called among these other columns.

    One whose name is taken gets a prefix: the file keeps its own.
    """
    taken, names = set(columns), dict[str, str]()
    for name in (*_answered(scale), *NAMED):
        names[name] = name
        while names[name] in taken:
            names[name] = f"{PREFIX}{names[name]}"
    return names


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
    names = added(scale, table.columns)
    table = table.with_columns(
        answers.select(pl.col(name).alias(names[name]) for name in answered).get_columns()
    )
    return table.with_columns(pl.lit(model[name]).alias(names[name]) for name in NAMED)


def expected_stars(scored: pl.DataFrame) -> float:
    """Return the sum of the expected ratings in a table with answers."""
    return float(scored[:, -1 - len(NAMED)].sum())
