"""Check reviews before training: ratings, texts, duplicates, enough reviews of each rating.

Each row gets a verdict of one byte, so that a file of any size can be checked chunk by chunk.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.hashing import text_hashes
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import OnBadRows

RATINGS = (1, 2, 3, 4, 5)
SMALLEST_CLASS = 5  # with fewer, a split may have none: 20% are for the test, 30% of the rest for validation
# Verdicts other than the ratings 1-5, and their descriptions.
NO_TEXT, NO_RATING, BAD_RATING, DUPLICATE = 0, -1, -2, -3
DROPPED = {
    NO_TEXT: "no text",
    NO_RATING: "no rating",
    BAD_RATING: "rating not a whole number 1-5",
    DUPLICATE: "same text as an earlier review",
}


@dataclass
class CheckReport:
    """How many rows were read, dropped for each reason, and kept with each rating."""

    layout: str
    read: int
    dropped: dict[str, int]
    kept: dict[int, int]

    def lines(self) -> list[str]:
        """Return the report as plain lines for the terminal."""
        total = sum(self.kept.values())
        shares = ", ".join(f"{rating}: {rows:,} ({rows / total:.1%})" for rating, rows in self.kept.items())
        return [
            f"read {self.read:,} rows, layout: {self.layout}",
            *(f"dropped {rows:,}: {why}" for why, rows in self.dropped.items() if rows),
            f"kept {total:,} reviews; {shares}",
        ]


@dataclass(frozen=True)
class CheckedRows:
    """Verdicts (int8) on rows, hashes of their texts (uint64), number and value of the first bad rating."""

    verdicts: np.ndarray
    hashes: np.ndarray
    first_bad: tuple[int, str] | None = None


def to_reviews(table: pl.DataFrame, layout: Layout, before: int = 0) -> pl.DataFrame:
    """Return `review_id` (row number in the file), `text`, `rating` (as written) and `title` of a table.

    Args:
        before: number of rows of the file before those of the table.

    Raises:
        UserError: a column holds lists or structures.
    """
    for name in filter(None, (layout.text, layout.rating, layout.title)):
        if table[name].dtype.is_nested():
            what = f"column {name!r} holds {table[name].dtype}, not plain values"
            raise UserError(f"{what}; name another column")
    columns = {
        "text": pl.col(layout.text).cast(pl.String, strict=False),
        "rating": pl.col(layout.rating).cast(pl.String, strict=False).str.strip_chars(),
    }
    if layout.title:
        columns["title"] = pl.col(layout.title).cast(pl.String, strict=False).fill_null("")
    return table.select(review_id=pl.int_range(before, before + pl.len(), dtype=pl.Int64), **columns)


def judge(reviews: pl.DataFrame) -> CheckedRows:
    """Return the verdict on each row: its rating, or why the row cannot be used."""
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
    bad = reviews.select("review_id", "rating").filter(verdicts == BAD_RATING)
    first = (int(bad["review_id"][0]), str(bad["rating"][0])) if bad.height else None
    return CheckedRows(verdicts, text_hashes(reviews["text"]), first)


def conclude(
    judged: list[CheckedRows], layout: Layout, on_bad_rows: OnBadRows, drop_duplicates: bool
) -> tuple[CheckedRows, CheckReport]:
    """Combine the verdicts on all rows of a file, and find the duplicates.

    Rows without text or rating are dropped and counted; a rating other than a whole number 1-5 is refused, or
    dropped if `on_bad_rows` says so. `drop_duplicates` keeps the first of the reviews with the same text.
    With nine million different texts, two share a hash in one of 450,000 files.

    Raises:
        UserError: bad ratings (refuse), nothing left, or one class only.
    """
    verdicts = np.concatenate([each.verdicts for each in judged])
    hashes = np.concatenate([each.hashes for each in judged])
    first_bad = next((each.first_bad for each in judged if each.first_bad), None)
    if first_bad and on_bad_rows == "refuse":
        row, value = first_bad
        bad, rated = int((verdicts == BAD_RATING).sum()), int((verdicts > 0).sum())
        what = (
            f"{bad} of {rated + bad} ratings are not whole numbers 1-5, first {value!r} in data row {row + 1}"
        )
        raise UserError(f"column {layout.rating!r}: {what}; mend the file or pass on_bad_rows=drop")
    if drop_duplicates:
        usable = np.flatnonzero(verdicts > 0)
        repeated = ~pl.Series(hashes[usable]).is_first_distinct().to_numpy()
        verdicts[usable[repeated]] = DUPLICATE
    rows = {verdict: int((verdicts == verdict).sum()) for verdict in (*DROPPED, *RATINGS)}
    dropped = {why: rows[verdict] for verdict, why in DROPPED.items()}
    kept = {rating: rows[rating] for rating in RATINGS}
    check_classes(kept)
    return CheckedRows(verdicts, hashes, first_bad), CheckReport(layout.name, len(verdicts), dropped, kept)


def check_classes(counts: dict[int, int]) -> None:
    """Raise a UserError unless there are two ratings or more, and enough reviews of each for three splits."""
    present = {rating: rows for rating, rows in counts.items() if rows}
    if len(present) < 2:
        what = f"only rating {next(iter(present))}" if present else "no review"
        remedy = "at least two ratings are needed, add reviews of others"
        raise UserError(f"{what} is left after the checks; {remedy}")
    for rating, rows in present.items():
        if rows < SMALLEST_CLASS:
            few = f"{rows} review{'s' if rows > 1 else ''}, at least {SMALLEST_CLASS} are needed"
            remedy = "add reviews of it, remove it, or use a larger sample"
            raise UserError(f"rating {rating}: {few} for three splits; {remedy}")
