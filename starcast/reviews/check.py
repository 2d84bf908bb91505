"""Checks before anything is trained: ratings 1-5, texts that are there, duplicates, classes enough to split.

Of every row a verdict is kept, one byte, so that a file of any size is judged chunk by chunk.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.hashing import text_hashes
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import OnBadRows

RATINGS = (1, 2, 3, 4, 5)
# Fewer members cannot give each of the three splits one (20% test, 30% of the rest validation).
SMALLEST_CLASS = 5
# Verdicts beside the ratings 1-5, and what is said of them.
NO_TEXT, NO_RATING, BAD_RATING, DUPLICATE = 0, -1, -2, -3
DROPPED = {
    NO_TEXT: "no text",
    NO_RATING: "no rating",
    BAD_RATING: "rating not a whole number 1-5",
    DUPLICATE: "same text as an earlier review",
}


@dataclass
class CheckReport:
    """How many rows were read, how many dropped and why, how many kept of each rating."""

    layout: str
    read: int
    dropped: dict[str, int] = field(default_factory=dict)
    kept: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, layout: Layout, verdicts: np.ndarray) -> "CheckReport":
        """Count the verdicts of all rows."""
        counts = dict(
            zip(*(values.tolist() for values in np.unique(verdicts, return_counts=True)), strict=True)
        )
        dropped = {why: counts.get(verdict, 0) for verdict, why in DROPPED.items()}
        return cls(layout.name, len(verdicts), dropped, {rating: counts.get(rating, 0) for rating in RATINGS})

    def lines(self) -> list[str]:
        """The report as plain lines for the terminal."""
        dropped = [f"dropped {rows:,}: {why}" for why, rows in self.dropped.items() if rows]
        total = sum(self.kept.values())
        shares = ", ".join(f"{rating}: {rows:,} ({rows / total:.1%})" for rating, rows in self.kept.items())
        return [
            f"read {self.read:,} rows, layout: {self.layout}",
            *dropped,
            f"kept {total:,} reviews; {shares}",
        ]


@dataclass(frozen=True)
class CheckedRows:
    """Some rows in a row: of each its verdict (int8) and the hash of its text (uint64); the first bad rating, and where."""

    verdicts: np.ndarray
    hashes: np.ndarray
    first_bad: tuple[int, str] | None = None


def to_reviews(table: pl.DataFrame, layout: Layout, before: int = 0) -> pl.DataFrame:
    """The columns that matter, named: `review_id` (row number in the file), `text`, `rating` (as written), `title`.

    Args:
        before: rows of the file that come before the table's.

    Raises:
        UserError: a column holds lists or structures.
    """
    for name in filter(None, (layout.text, layout.rating, layout.title)):
        if table[name].dtype.is_nested():
            raise UserError(
                f"column {name!r} holds {table[name].dtype}, not plain values; name another column"
            )
    columns = [pl.col(layout.text).cast(pl.String, strict=False).alias("text")]
    if layout.rating:
        columns.append(pl.col(layout.rating).cast(pl.String, strict=False).str.strip_chars().alias("rating"))
    if layout.title:
        columns.append(pl.col(layout.title).cast(pl.String, strict=False).fill_null("").alias("title"))
    ids = pl.int_range(before, before + pl.len(), dtype=pl.Int64).alias("review_id")
    return table.select(ids, *columns)


def judge(reviews: pl.DataFrame) -> CheckedRows:
    """The verdict on each of some rows: its rating or, where one cannot learn from it, why not."""
    number = pl.col("rating").cast(pl.Float64, strict=False)
    verdict = (
        pl.when(pl.col("text").fill_null("").str.strip_chars() == "")
        .then(NO_TEXT)
        .when(pl.col("rating").fill_null("") == "")
        .then(NO_RATING)
        .when(number.is_in([float(rating) for rating in RATINGS]))
        .then(number)
        .otherwise(BAD_RATING)
    )
    verdicts = reviews.select(verdict.cast(pl.Int8)).to_series().to_numpy()
    bad = np.flatnonzero(verdicts == BAD_RATING)
    first = (
        (int(reviews["review_id"][int(bad[0])]), str(reviews["rating"][int(bad[0])])) if len(bad) else None
    )
    return CheckedRows(verdicts, text_hashes(reviews["text"]), first)


def conclude(
    judged: list[CheckedRows], layout: Layout, on_bad_rows: OnBadRows, drop_duplicates: bool
) -> tuple[CheckedRows, CheckReport]:
    """Put the verdicts on all rows of a file together, and find the duplicates among them.

    Rows without text or without rating are dropped and counted (nothing to learn from); a rating that is there and is
    not a whole number 1-5 is refused, or dropped where `on_bad_rows` says so. `drop_duplicates` keeps the first of
    reviews with the same text; of nine million different texts, two share a hash once in 450,000 files.

    Raises:
        UserError: bad ratings (refuse), nothing left, one class only.
    """
    verdicts, hashes = (
        np.concatenate([getattr(each, name) for each in judged]) for name in ("verdicts", "hashes")
    )
    first_bad = next((each.first_bad for each in judged if each.first_bad), None)
    if first_bad and on_bad_rows == "refuse":
        _refuse(first_bad, verdicts, layout)
    if drop_duplicates:
        usable = np.flatnonzero(verdicts > 0)
        repeated = ~pl.Series(hashes[usable]).is_first_distinct().to_numpy()
        verdicts[usable[repeated]] = DUPLICATE
    report = CheckReport.of(layout, verdicts)
    check_classes(report.kept)
    return CheckedRows(verdicts, hashes, first_bad), report


def check_reviews(
    reviews: pl.DataFrame, layout: Layout, on_bad_rows: OnBadRows = "refuse", drop_duplicates: bool = True
) -> tuple[pl.DataFrame, CheckReport]:
    """The reviews of a table in memory that one can learn from, with `rating` as a whole number 1-5.

    Raises:
        UserError: as `conclude`.
    """
    judged, report = conclude([judge(reviews)], layout, on_bad_rows, drop_duplicates)
    return reviews.with_columns(pl.Series("rating", judged.verdicts)).filter(pl.col("rating") > 0), report


def _refuse(first_bad: tuple[int, str], verdicts: np.ndarray, layout: Layout) -> None:
    row, value = first_bad
    bad, rows = int((verdicts == BAD_RATING).sum()), int(((verdicts > 0) | (verdicts == BAD_RATING)).sum())
    raise UserError(
        f"column {layout.rating!r}: {bad} of {rows} ratings are not whole numbers 1-5, first {value!r} "
        f"in data row {row + 1}; mend the file or pass on_bad_rows=drop"
    )


def check_classes(counts: dict[int, int]) -> None:
    """See that there is something to tell apart, and enough of each rating for three splits.

    Raises:
        UserError: fewer than two ratings, or a rating with too few reviews.
    """
    present = {rating: rows for rating, rows in counts.items() if rows}
    if len(present) < 2:
        what = f"only rating {next(iter(present))}" if present else "no review"
        raise UserError(
            f"{what} is left after the checks; at least two ratings are needed, add reviews of others"
        )
    for rating, rows in present.items():
        if rows < SMALLEST_CLASS:
            raise UserError(
                f"rating {rating}: {rows} review{'s' if rows > 1 else ''}, at least {SMALLEST_CLASS} are needed for three "
                "splits; add reviews of it, take it out, or take a larger sample"
            )
