"""Clean reviews and write them to a file per split, counting them on the way."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import RATINGS
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.hashing import digest_sum
from starcast.reviews.parquet import RowGroups
from starcast.reviews.split import SPLITS

WHEN = ("before", "after")  # cleaning
# For every row of a file its rating or why it is not used, and its split; both int8, shape (rows,).
Places = tuple[np.ndarray, np.ndarray]
# Takes how many reviews more are done, and the share of all that is done with them, 0 to 1.
ReviewProgress = Callable[[int, float], None]


@dataclass(frozen=True)
class SplitFacts:
    """Facts about some rows of the splits; those of parts add up.

    Attributes:
        counts: rows per split and rating, shape (3, 5).
        digests: sum of the rows' hashes per split.
        lengths: how many `reviews` have which `rating` and `characters`, `before` and `after` cleaning.
    """

    counts: np.ndarray
    digests: tuple[int, ...]
    lengths: dict[str, pl.DataFrame]

    @classmethod
    def of(cls, tables: list[pl.DataFrame]) -> "SplitFacts":
        """Return the facts about some rows of each split."""
        counts = np.array([np.bincount(table["rating"], minlength=len(RATINGS) + 1)[1:] for table in tables])
        every, lengths = pl.concat(tables), {}
        for when, texts in zip(WHEN, (join_title(every), every["cleaned"]), strict=True):
            characters = texts.str.len_chars().cast(pl.Int64).alias("characters")
            lengths[when] = _summed(every.select("rating", characters, pl.lit(1, pl.Int64).alias("reviews")))
        return cls(counts, tuple(map(digest_sum, tables)), lengths)

    @classmethod
    def total(cls, parts: Iterable["SplitFacts"]) -> "SplitFacts":
        """Return the facts about all parts together."""
        every = list(parts)
        lengths = {when: _summed(pl.concat([part.lengths[when] for part in every])) for when in WHEN}
        digests = tuple(sum(sums) for sums in zip(*(part.digests for part in every), strict=True))
        return cls(np.sum([part.counts for part in every], axis=0), digests, lengths)


def _summed(lengths: pl.DataFrame) -> pl.DataFrame:
    return lengths.group_by("rating", "characters").agg(pl.col("reviews").sum()).sort("characters", "rating")


def length_summary(lengths: pl.DataFrame) -> dict[str, float]:
    """Return mean, standard deviation, extremes and quartiles of lengths in characters.

    Args:
        lengths: number of `reviews` with each length in `characters`.
    """
    values = np.repeat(lengths["characters"].to_numpy(), lengths["reviews"].to_numpy()).astype(float)
    names = ("min", "q1", "median", "q3", "max")
    quartiles = dict(zip(names, np.percentile(values, [0, 25, 50, 75, 100]).tolist(), strict=True))
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)), **quartiles}


def clean_batch(
    rows: pl.DataFrame, places: Places, cleaner: Cleaner
) -> tuple[list[pl.DataFrame], SplitFacts]:
    """Clean the rows that are in a split; return a table per split, and the facts about them.

    Args:
        rows: `review_id` (row number in the file), `text` and, if it is used, `title`.
    """
    (verdicts, assigned), numbers = places, rows["review_id"].to_numpy()
    rating, split = pl.Series("rating", verdicts[numbers]), pl.Series("split", assigned[numbers])
    placed = rows.with_columns(rating, split).filter(pl.col("split") >= 0)
    placed = placed.with_columns(cleaner.clean(join_title(placed)).alias("cleaned"))
    title = ("title",) if "title" in rows.columns else ()
    kept = placed.select("split", "review_id", "text", "rating", *title, "cleaned")
    tables = [kept.filter(pl.col("split") == index).drop("split") for index in range(len(SPLITS))]
    return tables, SplitFacts.of(tables)


def write_splits(
    batches: Iterable[pl.DataFrame], places: Places, cleaner: Cleaner, folder: Path, show: ReviewProgress
) -> SplitFacts:
    """Clean all rows of a file, in order, and write `<split>.parquet` of every split into a folder."""
    found, done, placed = [], 0, int((places[1] >= 0).sum())
    with ExitStack() as stack:
        writers = [stack.enter_context(RowGroups.to(folder / f"{name}.parquet")) for name in SPLITS]
        for tables, facts in map_ahead(lambda rows: clean_batch(rows, places, cleaner), batches):
            for writer, table in zip(writers, tables, strict=True):
                writer.write(table)
            found.append(facts)
            reviews = int(facts.counts.sum())
            done += reviews
            show(reviews, done / placed)
    return SplitFacts.total(found)
