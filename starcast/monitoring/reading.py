"""Read new reviews from a file: the columns that the model reads, and the true ratings if there are any."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars import selectors

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Scale
from starcast.monitoring.answering import RATING, draw
from starcast.monitoring.checks import Part
from starcast.monitoring.parameters import MonitorParameters
from starcast.reviews import layouts
from starcast.reviews.clean import without_nulls
from starcast.reviews.layouts import Layout
from starcast.reviews.opening import check_objects
from starcast.reviews.parameters import SLICE
from starcast.reviews.scales import values_text
from starcast.reviews.stream import read_chunks
from starcast.reviews.unpack import table_name
from starcast.tracking.scoring import Trained
from starcast.workflow.columns_read import choose_columns, on_scale

WITHOUT = "none"  # value of rating_column
CHANCE = 1e-6  # that ratings end below the top of their own scale, from which nothing is said


class NewReviews(NamedTuple):
    """Drawn reviews as `answer` takes them, the file's columns and rows, and what is to be said of it.

    `blank`: how many of the drawn rows had no text; they are left out.
    """

    reviews: pl.DataFrame
    blank: Part
    schema: pl.Schema
    rows: int
    lines: list[str]


def read_new(
    file: Path, parameters: MonitorParameters, trained: Trained, slices: Sequence[str]
) -> NewReviews:
    """Read a file of any size, and draw reviews from it.

    Args:
        slices: columns by which the test split can be told apart; those that the file lacks are left out.

    Raises:
        UserError: the file cannot be read, or lacks a column.
    """
    chunks = read_chunks(file, parameters.reading())
    first = next(chunks)
    columns, schema = first.table.columns, first.table.schema
    layout, lines = choose_columns(columns, trained, parameters.text_column, parameters.title_column)
    layout = Layout(layout.name, layout.text, _rating_column(columns, trained, parameters), layout.title)
    layouts.check_values(schema, layout)
    layouts.check_single(layout.rating, columns, table_name(file))
    check_objects(first.table, layout, table_name(file))
    wanted = {"text": layout.text, "title": layout.title, RATING: layout.rating}
    written = {role: selectors.by_name(name).cast(pl.String) for role, name in wanted.items() if name}
    read = [without_nulls(column).alias(role) for role, column in written.items()]
    read += [_slice(name) for name in slices if name in columns and not schema[name].is_nested()]
    tables = (chunk.table.select(read) for chunk in chain([first], chunks))
    drawn, rows = draw(tables, parameters.reviews, parameters.seed)
    told = [f"reads {table_name(file)}, {first.seen}"] if first.seen else []
    blank = drawn["text"].fill_null("").str.strip_chars() == ""
    drawn = drawn.filter(~blank)
    ratings, line = _ratings(drawn, layout.rating, trained.scale)
    reviews = drawn.with_columns(ratings)
    return NewReviews(reviews, (int(blank.sum()), len(blank)), schema, rows, [*told, *lines, line])


def _slice(name: str) -> pl.Expr:
    """Return a column of slices as the splits keep it."""
    sliced = selectors.by_name(name).cast(pl.String, strict=False).str.strip_chars()
    return without_nulls(sliced).fill_null("").alias(SLICE + name)


def _rating_column(columns: Sequence[str], trained: Trained, parameters: MonitorParameters) -> str:
    told, before = parameters.rating_column, trained.columns.rating if trained.columns else ""
    if told == WITHOUT:
        return ""
    layouts.require("rating_column", told, columns)
    return told or layouts.find(columns, before)


def _ratings(drawn: pl.DataFrame, column: str, scale: Scale) -> tuple[pl.Series, str]:
    """Return the true ratings as index from 0, -1 where there is none, and what is to be said of them.

    Raises:
        UserError: the column holds ratings on another scale.
    """
    none = pl.Series(RATING, [-1] * drawn.height, dtype=pl.Int64)
    if not column:
        return none, "no true ratings: rating_column names their column"
    written, ranks, off = on_scale(drawn[RATING], scale)
    if off:
        said = f"column {column!r} holds other ratings ({values_text(off)}) than the model gives, {scale}"
        raise UserError(f"{said}: rating_column names another column; {WITHOUT} compares without ratings")
    rated = written.replace_strict(ranks, default=0, return_dtype=pl.Int64).alias(RATING) - 1
    return rated, f"true ratings from {column!r}: {int((rated >= 0).sum()):,} of {drawn.height:,}"


def doubt_of_scale(now: pl.Series, before: pl.Series, scale: Scale) -> list[str]:
    """Return a line if ratings end below the top of the scale by more than chance, as 1-5 stars among 1-10.

    Args:
        now, before: true ratings of the new reviews and of the test split as index from 0, -1 for none.
    """
    new, old = (side.filter(side >= 0).to_numpy() for side in (now, before))
    if not len(new) or not len(old) or not scale.numeric:
        return []
    highest = int(new.max())
    above = float((old > highest).mean())
    if (1 - above) ** len(new) > CHANCE:
        return []
    found = f"no new rating is above {scale.names[highest]}, {above:.0%} of the test split's are"
    return [f"{found}: if these are on another scale than {scale}, compare with rating_column={WITHOUT}"]
