"""A table of scored reviews: all their columns, then the predictions and the name of the model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import add
from typing import NamedTuple

import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.confidence import COLUMNS
from starcast.evaluation.scale import STARS, Scale

PREDICTED = "predicted_rating"
WORDS = "words"  # that speak for and against each rating, where these are asked for
PREFIX = "starcast_"
NAMED = ("model", "model_version", "model_run")


def added(
    scale: Scale, columns: Iterable[str] = (), reviewed: bool = False, explained: bool = False
) -> dict[str, str]:
    """Return the columns that are added to a table, and how they are called among these other columns.

    One whose name is taken gets a prefix: the file keeps its own.

    Args:
        reviewed: whether the model says which of its ratings need review.
        explained: whether it says which words speak for and against them.
    """
    taken, names = set(columns), dict[str, str]()
    for name in (*_answered(scale, reviewed, explained), *NAMED):
        names[name] = name
        while names[name] in taken:
            names[name] = f"{PREFIX}{names[name]}"
    return names


def _answered(scale: Scale, reviewed: bool, explained: bool) -> tuple[str, ...]:
    more = (*(COLUMNS if reviewed else ()), *((WORDS,) if explained else ()))
    return PREDICTED, *scale.probabilities, "expected_rating", *more


class Totals(NamedTuple):
    """Sums over scored reviews.

    Attributes:
        stars: of the expected ratings.
        to_review: ratings that need review.
        overruled: ratings that are not the most probable ones. Both are 0 for a model that has no confidence.
    """

    rows: int = 0
    stars: float = 0.0
    to_review: int = 0
    overruled: int = 0

    @classmethod
    def of(cls, answers: pl.DataFrame, scale: Scale, reviewed: bool) -> "Totals":
        """Count the answers of a model."""
        rows, stars = answers.height, float(answers["expected_rating"].sum())
        if not reviewed:
            return cls(rows, stars)
        highest = answers.select(pl.max_horizontal(scale.probabilities)).to_series()
        confidence, review = (answers[name] for name in COLUMNS)
        return cls(rows, stars, int(review.sum()), int((confidence < highest).sum()))

    def plus(self, other: "Totals") -> "Totals":
        """Return the sums over the reviews of both."""
        return Totals(*map(add, self, other))


@dataclass(frozen=True)
class ScoringSummary:
    """What was scored, and how many reviews a second."""

    totals: Totals
    per_second: float

    @property
    def mean_stars(self) -> float:
        """Return the mean of the expected ratings."""
        return self.totals.stars / self.totals.rows


def add_answers(
    table: pl.DataFrame,
    answers: pl.DataFrame,
    model: Mapping[str, str],
    scale: Scale = STARS,
    reviewed: bool = False,
    explained: bool = False,
) -> pl.DataFrame:
    """Return all columns of a table of reviews, followed by those `added`.

    Args:
        answers: the model's predictions for the reviews, with its label in `rating`.
        model: values of the `NAMED` columns.

    Raises:
        UserError: the model is from another project, and its predictions have another form than ours.
    """
    answers = answers.rename({"rating": PREDICTED}, strict=False)
    answered = _answered(scale, reviewed, explained)
    if answers.height != table.height or not set(answered) <= set(answers.columns):
        whose = f"model {model['model']}, version {model['model_version']}"
        given = f"{answers.height} rows of {', '.join(answers.columns)}"
        wanted = f"rating and {', '.join(answered[1:])}"
        raise UserError(f"{whose}: answers {table.height} reviews with {given}, not with {wanted}")
    names = added(scale, table.columns, reviewed, explained)
    table = table.with_columns(
        answers.select(pl.col(name).alias(names[name]) for name in answered).get_columns()
    )
    return table.with_columns(pl.lit(model[name]).alias(names[name]) for name in NAMED)
