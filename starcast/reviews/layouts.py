"""Find the columns of text, rating and title, by the names of public data sets or as the user names them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from starcast.cli.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Column names of one kind of file; `title` is empty if no title is used."""

    name: str
    text: str
    rating: str
    title: str = ""


# Public data sets and exports; the first that fits is taken. docs/data.md lists them.
KNOWN = (
    Layout("clothing reviews (study A)", "Review Text", "Rating"),
    Layout("Amazon US reviews (study B)", "review_body", "star_rating"),
    Layout("product reviews (reviews.text)", "reviews.text", "reviews.rating"),
    Layout("Amazon 2014 or 2018", "reviewText", "overall"),
    Layout("plain", "text", "rating"),
    Layout("Yelp", "text", "stars"),
    Layout("Google Play", "content", "score"),
    Layout("drug, app or hotel reviews", "review", "rating"),
    Layout("IMDB", "review", "sentiment"),
    Layout("Steam", "review", "voted_up"),
    Layout("Steam", "review", "recommended"),
    Layout("Steam", "review_text", "review_score"),
    Layout("Trustpilot", "Review Content", "Review Stars"),
    Layout("Google Maps", "review_text", "review_rating"),
    Layout("schema.org", "reviewBody", "ratingValue"),
    Layout("Amazon food reviews", "Text", "Score"),
    Layout("Hugging Face", "text", "label"),
    Layout("Hugging Face", "content", "label"),
    Layout("Hugging Face", "review_body", "stars"),
)
# Names of columns in files of no known layout, the surest first.
TEXTS = (
    *("review text", "review body", "review content", "reviews text", "review", "reviews", "text", "content"),
    *("body", "comment", "comments", "review comment", "customer review", "feedback", "opinion", "message"),
)
RATINGS = (
    *("rating", "ratings", "stars", "star rating", "review rating", "review stars", "review score", "score"),
    *("reviews rating", "overall", "overall rating", "star", "rating value", "user rating", "label"),
    *("sentiment", "recommended", "voted up"),
)
SHOWN, LONGEST = 20, 40  # names in a message, characters of a name


def recognise(
    columns: Sequence[str], text: str = "", rating: str = "", title: str = "", *, rated: bool = True
) -> Layout:
    """Choose the columns of a file: those named by the user, the others by the first known layout that fits.

    If none does, columns with usual names are taken. The layout's name says which other columns could be the
    text.

    Args:
        text, rating, title: column names given by the user; empty: to be recognised (`title`: not used).
        rated: whether the rating is needed (a file to be scored has none).

    Raises:
        UserError: a named column is missing, or no text or rating is recognised.
    """
    for parameter, named in (("text_column", text), ("rating_column", rating), ("title_column", title)):
        require(parameter, named, columns)
    if text and (rating or not rated):
        return Layout("columns as told", text, rating, title)
    usual = Layout("usual names", _first(columns, TEXTS), _first(columns, RATINGS))
    for layout in (*KNOWN, usual):
        text_found = text or find(columns, layout.text)
        rating_found = rating or find(columns, layout.rating)
        if text_found and (rating_found or not rated):
            others = [] if text else [each for each in texts_among(columns) if each != text_found]
            more = f" (not {' or '.join(map(repr, others))})" if others else ""
            return Layout(layout.name + more, text_found, rating_found, title)
    if rated and len(columns) == 1:
        what = f"a single column, {listed(columns)}: reviews need a text and a rating"
        raise UserError(f"{what}; give a file with both, or tell what stands between them with separator")
    has_rating = rating or not rated or any(find(columns, each.rating) for each in (*KNOWN, usual))
    needed = [] if text or texts_among(columns) else ["text_column"]
    needed += [] if has_rating else ["rating_column"]
    raise UserError(
        f"no known layout has the columns {listed(columns)}: name yours with {' and '.join(needed)}"
    )


def unique_names(columns: Iterable[str]) -> list[str]:
    """Return the names of columns; one that comes again is numbered, as Polars does."""
    names: dict[str, None] = {}
    for column in columns:
        repeated, number = column, 0
        while repeated in names:
            repeated, number = f"{column}_duplicated_{number}", number + 1
        names[repeated] = None
    return list(names)


def check_single(column: str, columns: Sequence[str], name: str) -> None:
    """Raise a UserError if a file has two columns of a name; columns without one are of no use."""
    if column and f"{column}_duplicated_0" in columns:  # as Polars calls the second
        raise UserError(f"{name}: two columns {column!r}; rename the one that is not meant")


def texts_among(columns: Sequence[str]) -> list[str]:
    """Return the columns with usual names of texts, the surest first."""
    names = dict.fromkeys([*(layout.text for layout in KNOWN), *TEXTS])
    return list(dict.fromkeys(filter(None, (find(columns, name) for name in names))))


def require(parameter: str, named: str, columns: Sequence[str]) -> None:
    """Raise a UserError unless the file has the column that a parameter names; it may name none."""
    if named and named not in columns:
        raise UserError(f"{parameter}: no column {named!r}; the file has {listed(columns)}")


def find(columns: Sequence[str], wanted: str) -> str:
    """Return the column with this name or one spelt alike: OpenML writes Review_Text for Review Text."""
    spellings = {_spelling(column): column for column in reversed(columns)}
    return wanted if wanted in columns else spellings.get(_spelling(wanted), "") if _spelling(wanted) else ""


def _first(columns: Sequence[str], names: Sequence[str]) -> str:
    return next(filter(None, (find(columns, name) for name in names)), "")


def _spelling(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def listed(columns: Sequence[str]) -> str:
    """Return the names of columns for a message; of hundreds, the first ones."""
    names = [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in columns[:SHOWN]]
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    return ", ".join(names) + more


def check_values(schema: pl.Schema, layout: Layout, more: Sequence[str] = ()) -> None:
    """Raise a UserError if a column that is read holds neither text nor what can be written as text."""
    for column in filter(None, (layout.text, layout.rating, layout.title, *more)):
        kind = schema[column]
        if kind.is_nested() or kind in (pl.Binary, pl.Duration, pl.Object):
            what = f"column {column!r} holds {kind}, not plain values"
            raise UserError(f"{what}; name another column")
