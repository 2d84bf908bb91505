"""Check reviews before training: ratings, texts, duplicates, enough reviews of each rating.

Each row gets a verdict of one byte, so that a file of any size can be checked chunk by chunk.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.evaluation.scale import Label
from starcast.reviews.inspection import (
    BAD_KEY,
    BAD_RATING,
    DUPLICATE,
    HELD_OUT,
    NEAR_DUPLICATE,
    NO_KEY,
    NO_RATING,
    NO_TEXT,
    UNREADABLE,
    ReadRows,
)
from starcast.reviews.layouts import Layout
from starcast.reviews.near_duplicates import repeated
from starcast.reviews.parameters import STRATIFIED, NearDuplicates, OnBadRows, SplitBy
from starcast.reviews.scales import RecognisedScale, recognise_scale
from starcast.reviews.split_keys import ColumnKeys, join_keys
from starcast.reviews.times import UNREAD

SMALLEST_CLASS = 5  # with fewer, a split may have none: 20% are for the test, 30% of the rest for validation
MOST_BAD = 0.05  # share of the rows that on_bad_rows=drop drops
DROPPED = {
    NO_TEXT: "no text",
    NO_RATING: "no rating",
    NO_KEY: "nothing in the column that the split goes by",
    HELD_OUT: "same text as a review of the given test or validation split",
    DUPLICATE: "same text as an earlier review",
    NEAR_DUPLICATE: "a few words differ from another review",
}
# Rows that are dropped as bad, in the order of the file; `row` counts from 1.
REJECTED = {"row": pl.Int64, "reason": pl.String, "rating": pl.String, "beginning": pl.String}
BAD = (BAD_RATING, BAD_KEY, UNREADABLE)


@dataclass(frozen=True)
class CheckReport:
    """What was read, how many rows were dropped for each reason, and how many were kept with each rating.

    Attributes:
        seen: what was recognised about the file, in words.
        rejected: the rows that were dropped as bad, with the columns `REJECTED`; without `beginning` where
            the row could be read.
        notes: what is to be said about the splits.
    """

    seen: str
    layout: Layout
    scale: RecognisedScale
    read: int
    dropped: dict[str, int]
    kept: dict[Label, int]
    rejected: pl.DataFrame
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as plain lines for the terminal."""
        total, first = sum(self.kept.values()), dict(self.rejected.select("reason", "row").reverse().rows())
        shares = ", ".join(f"{label}: {rows:,} ({rows / total:.1%})" for label, rows in self.kept.items())
        where = {why: f"; first in data row {row:,}, all in rejected_rows.csv" for why, row in first.items()}
        layout = self.layout
        columns = f"text from {layout.text!r}, rating from {layout.rating!r}"
        columns += f", title from {layout.title!r}" if layout.title else ""
        return [
            f"read {self.read:,} rows{self.seen and f', {self.seen}'}, layout: {layout.name}, {columns}",
            self.scale.line,
            *(f"dropped {rows:,}: {why}{where.get(why, '')}" for why, rows in self.dropped.items() if rows),
            f"kept {total:,} reviews; {shares}",
            *self.notes,
        ]


@dataclass(frozen=True)
class CheckedRows:
    """Verdicts (int8) on rows, and what their splits go by: hashes of what a model reads, or `ColumnKeys`."""

    verdicts: np.ndarray
    keys: np.ndarray


def conclude(
    read: list[ReadRows],
    layout: Layout,
    on_bad_rows: OnBadRows = "refuse",
    drop_duplicates: bool = True,
    scale: str = "auto",
    seen: str = "",
    split: SplitBy = STRATIFIED,
    near_duplicates: NearDuplicates = "off",
) -> tuple[CheckedRows, CheckReport]:
    """Recognise the scale of the ratings, reach a verdict on all rows of a file, and find the duplicates.

    Rows without text or rating, or what the split goes by, are dropped and counted; those where one of these
    cannot be read are refused, or dropped if `on_bad_rows` says so. `drop_duplicates` keeps the first of the
    reviews of which a model reads the same. With nine million different texts, two share a hash in one of
    450,000 files.

    Args:
        scale: as `recognise_scale` takes it.
        seen: what was recognised about the file, in words.
        split: the rule of the splits.
        near_duplicates: whether to count, or drop, texts that differ in a few words from an earlier one.

    Raises:
        UserError: no scale, bad ratings (refuse), too many bad rows (drop), nothing left, or one class only.
    """
    counts: Counter[str] = Counter()
    for rows in read:
        counts.update(rows.counts())
    recognised = recognise_scale(counts, scale, layout.rating)
    if recognised.other and on_bad_rows != "drop_any":
        raise UserError(recognised.other)
    verdicts = np.concatenate([rows.verdicts(recognised) for rows in read])
    hashes = np.concatenate([rows.hashes for rows in read])
    keys = _judge_keys(read, verdicts, split)
    off = {BAD_RATING: f"rating not on the scale {recognised.scale}", BAD_KEY: keys.unread if keys else ""}
    rejected = _rejected(read, verdicts, off)
    _refuse_bad_rows(rejected, len(verdicts), layout.rating, off[BAD_RATING], on_bad_rows)
    given = keys.keys if keys and split.rule == "given" else None
    if drop_duplicates:
        _mark_repeats(verdicts, hashes, given)
    near = _near_duplicates(read, verdicts, given) if near_duplicates != "off" else None
    notes: tuple[str, ...] = ()
    if near is not None and near_duplicates == "drop":
        verdicts[near] = NEAR_DUPLICATE
    elif near is not None:
        notes = (f"near duplicates: {len(near):,} reviews, kept; near_duplicates=drop drops them",)
    dropped = {why: int((verdicts == verdict).sum()) for verdict, why in DROPPED.items()}
    dropped |= dict(rejected["reason"].value_counts(sort=True).rows())
    ranks = enumerate(recognised.scale.labels, start=1)
    kept = {label: int((verdicts == rank).sum()) for rank, label in ranks}
    check_classes(kept)
    report = CheckReport(seen, layout, recognised, len(verdicts), dropped, kept, rejected, notes)
    return CheckedRows(verdicts, keys.keys if keys else hashes), report


def _judge_keys(read: list[ReadRows], verdicts: np.ndarray, split: SplitBy) -> ColumnKeys | None:
    """Mark the rows that do not say in which split they are; return what the others say."""
    parts = [rows.keys for rows in read if rows.keys]
    if not parts:
        return None
    joined, usable = join_keys(parts, verdicts > 0, split), verdicts > 0
    verdicts[usable & (joined.keys == UNREAD)] = BAD_KEY
    verdicts[usable & joined.missing] = NO_KEY
    return joined


def _mark_repeats(verdicts: np.ndarray, hashes: np.ndarray, given: np.ndarray | None) -> None:
    """Mark all but the first of the rows of which a model reads the same.

    Args:
        given: splits of the rows, if they are given. The test is left as it is; a row of an earlier split
            must not repeat one of a later.
    """
    usable = np.flatnonzero(verdicts > 0)
    if given is not None:
        for part in (0, 1):
            earlier, later = (usable[where] for where in (given[usable] == part, given[usable] > part))
            verdicts[earlier[np.isin(hashes[earlier], hashes[later])]] = HELD_OUT
        usable = usable[(verdicts[usable] > 0) & (given[usable] < 2)]
    again = ~pl.Series(hashes[usable]).is_first_distinct().to_numpy()
    verdicts[usable[again]] = DUPLICATE


def _near_duplicates(read: list[ReadRows], verdicts: np.ndarray, given: np.ndarray | None) -> np.ndarray:
    """Return the numbers of the rows that nearly repeat an earlier one, or one of a later given split.

    A given test split is left as it is.
    """
    usable = np.flatnonzero(verdicts > 0)
    if given is not None:
        usable = usable[np.argsort(-given[usable], kind="stable")]
    minima = np.concatenate([rows.minima for rows in read if rows.minima is not None])[usable]
    marked = usable[repeated(minima)]
    return marked if given is None else marked[given[marked] < 2]


def _rejected(read: list[ReadRows], verdicts: np.ndarray, off: Mapping[int, str]) -> pl.DataFrame:
    """Return the bad rows of a file, with the columns `REJECTED`.

    Args:
        off: what is wrong with rows that could be read, by their verdicts.
    """
    bad, before = [], 0
    for rows in read:
        judged = verdicts[before : before + len(rows.codes)]
        for place in np.flatnonzero(np.isin(judged, BAD)).tolist():
            why = rows.rejected.get(place)
            reason, beginning = (why.reason, why.beginning) if why else (off[judged[place]], None)
            rating = None if why else rows.values[rows.codes[place]]
            bad.append((before + place + 1, reason, rating, beginning))
        before += len(judged)
    return pl.DataFrame(bad, schema=REJECTED, orient="row")


def _refuse_bad_rows(
    rejected: pl.DataFrame, rows: int, rating: str, of_rating: str, on_bad_rows: OnBadRows
) -> None:
    """Raise a UserError if there are bad rows that may not be dropped.

    Args:
        rating: its column.
        of_rating: the reason of a row whose rating is bad.
    """
    many = rejected.height > MOST_BAD * rows
    if not rejected.height or on_bad_rows == "drop_any" or (on_bad_rows == "drop" and not many):
        return
    first = rejected.row(0, named=True)
    where, value = (
        (f"column {rating!r}: ", f" {first['rating'][:60]!r}") if first["reason"] == of_rating else ("", "")
    )
    each = ", ".join(f"{count:,}: {why}" for why, count in rejected["reason"].value_counts(sort=True).rows())
    what = f"{rejected.height:,} of {rows:,} rows are bad ({each}), first{value} in data row {first['row']:,}"
    remedy = f"on_bad_rows=drop_any, as they are more than {MOST_BAD:.0%}" if many else "on_bad_rows=drop"
    raise UserError(f"{where}{what}; fix the file, or leave them out with {remedy}")


def check_classes(counts: Mapping[Label, int]) -> None:
    """Raise a UserError unless there are two ratings or more, and enough reviews of each for three splits."""
    present = {rating: rows for rating, rows in counts.items() if rows}
    if len(present) < 2:
        what = f"only rating {next(iter(present))}" if present else "no review"
        remedy = "at least two ratings are needed, add reviews of others"
        raise UserError(f"{what} is left after the checks; {remedy}")
    if sum(present.values()) < SMALLEST_CLASS * len(present):
        few = f"{sum(present.values())} reviews of {len(present)} ratings are too few for three splits"
        raise UserError(
            f"{few}: at least {SMALLEST_CLASS} of each are needed; add some, or use a larger sample"
        )
    for rating, rows in present.items():
        if rows < SMALLEST_CLASS:
            few = f"{rows} review{'s' if rows > 1 else ''}, at least {SMALLEST_CLASS} are needed"
            remedy = "add reviews of it, remove it, or use a larger sample"
            raise UserError(f"rating {rating}: {few} for three splits; {remedy}")
