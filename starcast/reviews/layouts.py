"""Find the columns of text, rating and title, by the names of public data sets or as the user names them."""

from collections.abc import Sequence
from dataclasses import dataclass

from starcast.cli.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Column names of one kind of file; `title` is empty if no title is used."""

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


def recognise(
    columns: Sequence[str], text: str = "", rating: str = "", title: str = "", *, rated: bool = True
) -> Layout:
    """Choose the columns of a file: those named by the user, the others by the first known layout that fits.

    Args:
        text, rating, title: column names given by the user; empty: to be recognised (`title`: not used).
        rated: whether the rating is needed (a file to be scored has none).

    Raises:
        UserError: a named column is missing, or no known layout fits.
    """
    for parameter, named in (("text_column", text), ("rating_column", rating), ("title_column", title)):
        if named and named not in columns:
            raise UserError(f"{parameter}: no column {named!r}; the file has {', '.join(columns)}")
    if text and (rating or not rated):
        return Layout("columns as told", text, rating, title)
    for layout in KNOWN:
        text_found = text or find(columns, layout.text)
        rating_found = rating or find(columns, layout.rating)
        if text_found and (rating_found or not rated):
            return Layout(layout.name, text_found, rating_found, title)
    needed = "text_column and rating_column" if rated else "text_column"
    raise UserError(f"no known layout has the columns {', '.join(columns)}: name yours with {needed}")


def find(columns: Sequence[str], wanted: str) -> str:
    """Return the column with this name or a similar one: OpenML writes Review_Text for Review Text."""
    spellings = {column.strip().lower().replace("_", " "): column for column in reversed(columns)}
    return wanted if wanted in columns else spellings.get(wanted.lower().replace("_", " "), "")
