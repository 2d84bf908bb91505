"""Checks before anything is trained: ratings 1-5, texts that are there, duplicates, classes enough to split."""

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from steps.errors import UserError
from steps.reviews.layouts import Layout

RATINGS = (1, 2, 3, 4, 5)
OnBadRows = Literal["refuse", "drop"]
# Fewer members cannot give each of the three splits one (20% test, 30% of the rest validation).
SMALLEST_CLASS = 5


@dataclass
class Report:
    """How many rows were read, how many dropped and why, how many kept of each rating."""

    layout: str
    read: int
    dropped: dict[str, int] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The report as plain lines for the terminal."""
        dropped = [f"dropped {rows:,}: {why}" for why, rows in self.dropped.items() if rows]
        total = sum(self.kept.values())
        shares = ", ".join(f"{rating}: {rows:,} ({rows / total:.1%})" for rating, rows in self.kept.items())
        return [f"read {self.read:,} rows, layout: {self.layout}", *dropped, f"kept {total:,} reviews; {shares}"]


def to_reviews(table: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns that matter, named: `review_id` (row number in the file), `text`, `rating` (as written), `title`.

    Raises:
        UserError: a column holds lists or structures.
    """
    for name in filter(None, (layout.text, layout.rating, layout.title)):
        if table[name].dtype.is_nested():
            raise UserError(f"column {name!r} holds {table[name].dtype}, not plain values; name another column")
    columns = [pl.col(layout.text).cast(pl.String, strict=False).alias("text")]
    if layout.rating:
        columns.append(pl.col(layout.rating).cast(pl.String, strict=False).str.strip_chars().alias("rating"))
    if layout.title:
        columns.append(pl.col(layout.title).cast(pl.String, strict=False).fill_null("").alias("title"))
    return table.select(columns).with_row_index("review_id").cast({"review_id": pl.Int64})


def check_reviews(
    reviews: pl.DataFrame, layout: Layout, on_bad_rows: OnBadRows = "refuse", drop_duplicates: bool = True
) -> tuple[pl.DataFrame, Report]:
    """Keep the reviews one can learn from; `rating` becomes a whole number 1-5.

    Rows without text or without rating are dropped and counted (nothing to learn from); a rating that is there and is
    not a whole number 1-5 is refused, or dropped where `on_bad_rows` says so. `drop_duplicates` keeps the first of
    reviews with the same text.

    Raises:
        UserError: bad ratings (refuse), nothing left, one class only.
    """
    report = Report(layout.name, reviews.height)
    reviews = _drop(reviews, report, "no text", pl.col("text").fill_null("").str.strip_chars() == "")
    reviews = _drop(reviews, report, "no rating", pl.col("rating").fill_null("") == "")
    number = pl.col("rating").cast(pl.Float64, strict=False)
    bad = ~number.is_in([float(rating) for rating in RATINGS]).fill_null(False)
    if on_bad_rows == "refuse":
        _refuse_bad_ratings(reviews.filter(bad), reviews.height, layout)
    reviews = _drop(reviews, report, "rating not a whole number 1-5", bad)
    reviews = reviews.with_columns(number.cast(pl.Int8))
    if drop_duplicates:
        reviews = _drop(reviews, report, "same text as an earlier review", ~pl.col("text").is_first_distinct())
    report.kept = count_ratings(reviews)
    check_classes(report.kept)
    return reviews, report


def count_ratings(reviews: pl.DataFrame) -> dict[int, int]:
    """Reviews per rating, zeros included."""
    return {rating: int((reviews["rating"] == rating).sum()) for rating in RATINGS}


def _drop(reviews: pl.DataFrame, report: Report, why: str, condition: pl.Expr) -> pl.DataFrame:
    kept = reviews.filter(~condition)
    report.dropped[why] = reviews.height - kept.height
    return kept


def _refuse_bad_ratings(bad: pl.DataFrame, rows: int, layout: Layout) -> None:
    if bad.is_empty():
        return
    first = bad.row(0, named=True)
    raise UserError(
        f"column {layout.rating!r}: {bad.height} of {rows} ratings are not whole numbers 1-5, first {first['rating']!r} "
        f"in data row {first['review_id'] + 1}; mend the file or pass on_bad_rows=drop"
    )


def check_classes(counts: dict[int, int]) -> None:
    """See that there is something to tell apart, and enough of each rating for three splits.

    Raises:
        UserError: fewer than two ratings, or a rating with too few reviews.
    """
    present = {rating: rows for rating, rows in counts.items() if rows}
    if len(present) < 2:
        what = f"only rating {next(iter(present))}" if present else "no review"
        raise UserError(f"{what} is left after the checks; at least two ratings are needed, add reviews of others")
    for rating, rows in present.items():
        if rows < SMALLEST_CLASS:
            raise UserError(
                f"rating {rating}: {rows} review{'s' if rows > 1 else ''}, at least {SMALLEST_CLASS} are needed for three "
                "splits; add reviews of it, take it out, or take a larger sample"
            )
