"""Choose the columns of a file that a model reads: those it was trained on, unless the user names others.

Wherever file, model and user differ, a line says which column is read instead, or the file is refused.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Scale
from starcast.reviews import layouts
from starcast.reviews.inspection import MOST_VALUES
from starcast.reviews.layouts import Layout
from starcast.reviews.scales import recognise_scale, values_text
from starcast.tracking.scoring import Trained

NO_TITLE = "none"  # value of title_column: score without the title


class ColumnsRead(NamedTuple):
    """The columns of the text and of the title (empty: none) in a file to be scored, and what to say."""

    layout: Layout
    lines: list[str]


class RatingsOnScale(NamedTuple):
    """Ratings as written, the rank on a model's scale of each value (from 1), and how often others occur.

    `off` is empty where others are few enough to be slips.
    """

    written: pl.Series
    ranks: dict[str, int]
    off: dict[str, int]


def choose_columns(columns: Sequence[str], trained: Trained, text: str, title: str) -> ColumnsRead:
    """Choose the columns of a file to be scored.

    Args:
        text, title: columns that the user names; empty: those that the model was trained on.

    Raises:
        UserError: a column that is named or needed is missing, or several could be the text.
    """
    text_read, text_line = _choose_text(columns, trained, text)
    title_read, title_line = _choose_title(columns, trained, title)
    for column in (text_read, title_read):
        layouts.check_single(column, columns, "the file")
    return ColumnsRead(Layout("", text_read, "", title_read), [text_line, *filter(None, [title_line])])


def other_scale(table: pl.DataFrame, trained: Trained) -> str:
    """Return a line if ratings in a file to be scored are on another scale than the model's; else nothing.

    Args:
        table: the first rows of the file.
    """
    column = layouts.find(table.columns, trained.columns.rating) if trained.columns else ""
    if not column or table[column].dtype.is_nested():
        return ""
    off, scale = on_scale(table[column], trained.scale).off, f"the model answers on the scale {trained.scale}"
    return f"column {column!r} holds other ratings ({values_text(off)}); {scale}" if off else ""


def on_scale(ratings: pl.Series, scale: Scale) -> RatingsOnScale:
    """Read the ratings of a column on a model's scale."""
    written = ratings.cast(pl.String, strict=False).fill_null("").str.strip_chars()
    counts = dict(written.value_counts(sort=True).head(MOST_VALUES).rows())
    try:
        found = recognise_scale(counts, ",".join(scale.names), ratings.name)
    except UserError:  # not one of them is on the scale
        return RatingsOnScale(written, {}, counts)
    return RatingsOnScale(written, found.ranks, found.bad if found.other else {})


def _choose_text(columns: Sequence[str], trained: Trained, told: str) -> tuple[str, str]:
    before = trained.columns.text if trained.columns else ""
    if told or not before:
        layout = layouts.recognise(columns, told, rated=False)
        how = _as_told(told, before) if told else f"layout: {layout.name}"
        return layout.text, f"reads {layout.text!r} as the text ({how})"
    if found := layouts.find(columns, before):
        return found, _as_trained(found, before, "text")
    missing = f"no column {before!r}, on which the model was trained"
    fitting = layouts.texts_among(columns)
    if len(fitting) != 1:
        more = f"; {' or '.join(fitting)}" if fitting else f"; the file has {layouts.listed(columns)}"
        raise UserError(f"{missing}{more}: name the column of the text with text_column")
    [instead] = fitting
    return instead, f"{missing}: reads {instead!r} as the text instead; text_column names another"


def _choose_title(columns: Sequence[str], trained: Trained, told: str) -> tuple[str, str]:
    before, without = trained.columns.title if trained.columns else "", told == NO_TITLE
    if trained.uses_title is False:
        unread = f"title_column={told}: the model was trained without titles, so none is read"
        return "", unread if told and not without else ""
    if without:
        return "", "reads no title, as told; the model was trained with titles" if trained.uses_title else ""
    if told:
        if told not in columns:
            raise UserError(f"title_column: no column {told!r}; the file has {layouts.listed(columns)}")
        return told, f"reads {told!r} as the title ({_as_told(told, before)})"
    if found := before and layouts.find(columns, before):
        return found, _as_trained(found, before, "title")
    ways = f"name its column with title_column, or score without by title_column={NO_TITLE}"
    if before:
        there = f"the file has {layouts.listed(columns)}"
        raise UserError(
            f"the model was trained with titles, and there is no column {before!r}; {there}: {ways}"
        )
    # Models of earlier versions do not know the column; they went on without it, and still do.
    return "", f"reads no title, but the model was trained with titles: {ways}" if trained.uses_title else ""


def _as_told(told: str, before: str) -> str:
    return "as told" if before in ("", told) else f"as told; the model was trained on {before!r}"


def _as_trained(found: str, before: str, role: str) -> str:
    how = "as the model was trained" if found == before else f"the model was trained on {before!r}"
    return f"reads {found!r} as the {role} ({how})"
