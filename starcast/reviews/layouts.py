"""Which column is the text, the rating, the title: known by their names for public sets, else told."""

from collections.abc import Sequence
from dataclasses import dataclass

from starcast.cli.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Column names of one kind of file; `title` is empty where the title is not used."""

    name: str
    text: str
    rating: str
    title: str = ""


KNOWN = (
    Layout("clothing reviews (study A)", "Review Text", "Rating"),
    Layout("Amazon US reviews (study B)", "review_body", "star_rating"),
    Layout("product reviews (reviews.text)", "reviews.text", "reviews.rating"),
    Layout("plain", "text", "rating"),
)


def _plain(name: str) -> str:
    # OpenML writes Review_Text for Review Text.
    return name.strip().lower().replace("_", " ")


def _find(columns: Sequence[str], wanted: str) -> str | None:
    if wanted in columns:
        return wanted
    return next((column for column in columns if _plain(column) == _plain(wanted)), None)


def recognise(
    columns: Sequence[str], text: str = "", rating: str = "", title: str = "", *, rated: bool = True
) -> Layout:
    """Choose the columns of a file: those told first, the others from the first known layout that fits.

    Args:
        columns: the file's column names.
        text, rating, title: column names told by the user; empty means recognise (for `title`: do not use one).
        rated: whether the rating is needed (a file to be scored has none).

    Raises:
        UserError: a told column is missing, or no known layout fits and a column was not told.
    """
    for parameter, told in (("text_column", text), ("rating_column", rating), ("title_column", title)):
        if told and told not in columns:
            raise UserError(f"{parameter}: no column {told!r}; the file has {', '.join(columns)}")
    if text and (rating or not rated):
        return Layout("columns as told", text, rating, title)
    for layout in KNOWN:
        text_found = text or _find(columns, layout.text)
        rating_found = rating or _find(columns, layout.rating)
        if text_found and (rating_found or not rated):
            return Layout(layout.name, text_found, rating_found or "", title)
    needed = "text_column and rating_column" if rated else "text_column"
    raise UserError(f"no known layout has the columns {', '.join(columns)}: name yours with {needed}")
