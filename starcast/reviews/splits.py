"""The second look: rows are cleaned and written to the three splits, and counted on the way."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import RATINGS
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.hashing import digest_sum, digest_text
from starcast.reviews.parquet import RowGroups
from starcast.reviews.split import SPLITS
from starcast.reviews.spool import ReviewProgress

RATING_BASE = 10  # a rating and a length as one number
Counted = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SplitFacts:
    """What is known of some rows of the splits; those of parts add up.

    Attributes:
        counts: rows per split and rating, shape (3, 5).
        digests: sums of the rows' hashes per split.
        lengths: before and after cleaning: 10 times the characters plus the rating, ascending, and how many reviews have both.
    """

    counts: np.ndarray
    digests: tuple[int, ...]
    lengths: tuple[Counted, Counted]

    @classmethod
    def total(cls, parts: Iterable["SplitFacts"]) -> "SplitFacts":
        """The facts of all parts together."""
        every = list(parts)
        digests = tuple(sum(sums) for sums in zip(*(part.digests for part in every), strict=True))
        before, after = (_added([part.lengths[when] for part in every]) for when in (0, 1))
        return cls(np.sum([part.counts for part in every], axis=0), digests, (before, after))

    def length_tables(self) -> dict[str, pl.DataFrame]:
        """Lengths `before` and `after` cleaning: how many `reviews` of each `rating` have how many `characters`."""
        return {
            when: pl.DataFrame(
                {"rating": keys % RATING_BASE, "characters": keys // RATING_BASE, "reviews": reviews}
            )
            for when, (keys, reviews) in zip(("before", "after"), self.lengths, strict=True)
        }

    def digest_texts(self) -> dict[str, str]:
        """The digest of each split: `digest_text` of its rows' sum."""
        return {name: digest_text(total) for name, total in zip(SPLITS, self.digests, strict=True)}

    def rating_counts(self) -> dict[str, list[int]]:
        """Rows per rating 1-5 of each split."""
        return {name: counts.tolist() for name, counts in zip(SPLITS, self.counts, strict=True)}


def _added(parts: list[Counted]) -> Counted:
    keys, places = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    sums = np.bincount(places, np.concatenate([reviews for _, reviews in parts]), len(keys))
    return keys, sums.astype(np.int64)


@dataclass(frozen=True)
class Cleaned:
    """The cleaned rows of one batch, per split, and their facts."""

    tables: list[pl.DataFrame]
    facts: SplitFacts


def clean_batch(rows: pl.DataFrame, verdicts: np.ndarray, assigned: np.ndarray, cleaner: Cleaner) -> Cleaned:
    """Clean the rows that are in a split.

    Args:
        rows: `review_id`, `text` and, where it is used, `title`.
        verdicts, assigned: of each row its rating, and the place of its split in `SPLITS`, or less than 0.
    """
    placed = rows.with_columns(pl.Series("rating", verdicts), pl.Series("split", assigned)).filter(
        pl.col("split") >= 0
    )
    placed = placed.with_columns(cleaner.clean(join_title(placed)).alias("cleaned"))
    title = ("title",) if "title" in rows.columns else ()
    kept = placed.select("split", "review_id", "text", "rating", *title, "cleaned")
    tables = [kept.filter(pl.col("split") == place).drop("split") for place in range(len(SPLITS))]
    return Cleaned(tables, facts_of(tables))


def facts_of(tables: list[pl.DataFrame]) -> SplitFacts:
    """The facts of some rows of each split."""
    counts = np.array([np.bincount(table["rating"], minlength=len(RATINGS) + 1)[1:] for table in tables])
    ratings = np.concatenate([table["rating"].to_numpy() for table in tables])
    before, after = ([join_title(table) for table in tables], [table["cleaned"] for table in tables])
    lengths = _counted(before, ratings), _counted(after, ratings)
    return SplitFacts(counts, tuple(digest_sum(table) for table in tables), lengths)


def _counted(texts: list[pl.Series], ratings: np.ndarray) -> Counted:
    characters = np.concatenate([each.str.len_chars().to_numpy() for each in texts]).astype(np.int64)
    keys, reviews = np.unique(characters * RATING_BASE + ratings, return_counts=True)
    return keys, reviews


def write_splits(
    batches: Iterator[pl.DataFrame],
    verdicts: np.ndarray,
    assigned: np.ndarray,
    cleaner: Cleaner,
    folder: Path,
    show: ReviewProgress,
) -> SplitFacts:
    """Write `<split>.parquet` of every split into a folder; rows keep their order.

    Args:
        batches: all rows of the file in order.
        verdicts, assigned: of all rows, as for `clean_batch`.
    """
    found, placed = [], int((assigned >= 0).sum())
    with ExitStack() as stack:
        writers = [stack.enter_context(RowGroups.to(folder / f"{name}.parquet")) for name in SPLITS]
        done = 0
        for cleaned in map_ahead(partial(_clean, cleaner), _with_places(batches, verdicts, assigned)):
            for writer, table in zip(writers, cleaned.tables, strict=True):
                writer.write(table)
            found.append(cleaned.facts)
            reviews = int(cleaned.facts.counts.sum())
            done += reviews
            show(reviews, done / placed)
    return SplitFacts.total(found)


Placed = tuple[pl.DataFrame, np.ndarray, np.ndarray]


def _with_places(
    batches: Iterator[pl.DataFrame], verdicts: np.ndarray, assigned: np.ndarray
) -> Iterator[Placed]:
    """Every batch with its part of both arrays."""
    begin = 0
    for rows in batches:
        end = begin + rows.height
        yield rows, verdicts[begin:end], assigned[begin:end]
        begin = end


def _clean(cleaner: Cleaner, placed: Placed) -> Cleaned:
    return clean_batch(*placed, cleaner)
