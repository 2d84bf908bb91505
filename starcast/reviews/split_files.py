"""Clean reviews and write them to a file per split, counting them on the way."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import RATINGS
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.hashing import digest_sum, digest_text
from starcast.reviews.parquet import RowGroups
from starcast.reviews.split import SPLITS

RATING_BASE = 10  # to write a rating and a length as one number
Counted = tuple[np.ndarray, np.ndarray]  # distinct numbers, ascending, and how many reviews have each
# Takes how many reviews more are done, and the share of all that is done with them, 0 to 1.
ReviewProgress = Callable[[int, float], None]


@dataclass(frozen=True)
class SplitFacts:
    """Facts about some rows of the splits; those of parts add up.

    Attributes:
        counts: rows per split and rating, shape (3, 5).
        digests: sum of the rows' hashes per split.
        lengths: before and after cleaning, counts of 10 times the length in characters plus the rating.
    """

    counts: np.ndarray
    digests: tuple[int, ...]
    lengths: tuple[Counted, Counted]

    @classmethod
    def of(cls, tables: list[pl.DataFrame]) -> "SplitFacts":
        """Return the facts about some rows of each split."""
        counts = np.array([np.bincount(table["rating"], minlength=len(RATINGS) + 1)[1:] for table in tables])
        ratings = np.concatenate([table["rating"].to_numpy() for table in tables])

        def count(texts: list[pl.Series]) -> Counted:
            characters = np.concatenate([each.str.len_chars().to_numpy() for each in texts]).astype(np.int64)
            keys, reviews = np.unique(characters * RATING_BASE + ratings, return_counts=True)
            return keys, reviews

        lengths = (
            count([join_title(table) for table in tables]),
            count([table["cleaned"] for table in tables]),
        )
        return cls(counts, tuple(digest_sum(table) for table in tables), lengths)

    @classmethod
    def total(cls, parts: Iterable["SplitFacts"]) -> "SplitFacts":
        """Return the facts about all parts together."""
        every = list(parts)
        digests = tuple(sum(sums) for sums in zip(*(part.digests for part in every), strict=True))

        def add(counted: list[Counted]) -> Counted:
            keys, places = np.unique(np.concatenate([keys for keys, _ in counted]), return_inverse=True)
            sums = np.bincount(places, np.concatenate([reviews for _, reviews in counted]), len(keys))
            return keys, sums.astype(np.int64)

        lengths = add([part.lengths[0] for part in every]), add([part.lengths[1] for part in every])
        return cls(np.sum([part.counts for part in every], axis=0), digests, lengths)

    def length_tables(self) -> dict[str, pl.DataFrame]:
        """Return how many `reviews` have which `rating` and `characters`, `before` and `after` cleaning."""
        return {
            when: pl.DataFrame(
                {"rating": keys % RATING_BASE, "characters": keys // RATING_BASE, "reviews": reviews}
            )
            for when, (keys, reviews) in zip(("before", "after"), self.lengths, strict=True)
        }

    def digest_texts(self) -> dict[str, str]:
        """Return the digest of each split: `digest_text` of its rows' sum."""
        return {name: digest_text(total) for name, total in zip(SPLITS, self.digests, strict=True)}

    def rating_counts(self) -> dict[str, list[int]]:
        """Return the number of rows per rating 1-5 of each split."""
        return {name: counts.tolist() for name, counts in zip(SPLITS, self.counts, strict=True)}


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
    rows: pl.DataFrame, verdicts: np.ndarray, assigned: np.ndarray, cleaner: Cleaner
) -> tuple[list[pl.DataFrame], SplitFacts]:
    """Clean the rows that are in a split; return a table per split, and the facts about them.

    Args:
        rows: `review_id`, `text` and, if it is used, `title`.
        verdicts, assigned: rating of each row, and the index of its split in `SPLITS`, or less than 0.
    """
    placed = rows.with_columns(pl.Series("rating", verdicts), pl.Series("split", assigned))
    placed = placed.filter(pl.col("split") >= 0)
    placed = placed.with_columns(cleaner.clean(join_title(placed)).alias("cleaned"))
    title = ("title",) if "title" in rows.columns else ()
    kept = placed.select("split", "review_id", "text", "rating", *title, "cleaned")
    tables = [kept.filter(pl.col("split") == index).drop("split") for index in range(len(SPLITS))]
    return tables, SplitFacts.of(tables)


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

    def numbered() -> Iterator[tuple[pl.DataFrame, slice]]:
        begin = 0
        for rows in batches:
            yield rows, slice(begin, begin + rows.height)
            begin += rows.height

    def clean(batch: tuple[pl.DataFrame, slice]) -> tuple[list[pl.DataFrame], SplitFacts]:
        rows, places = batch
        return clean_batch(rows, verdicts[places], assigned[places], cleaner)

    found, done, placed = [], 0, int((assigned >= 0).sum())
    with ExitStack() as stack:
        writers = [stack.enter_context(RowGroups.to(folder / f"{name}.parquet")) for name in SPLITS]
        for tables, facts in map_ahead(clean, numbered()):
            for writer, table in zip(writers, tables, strict=True):
                writer.write(table)
            found.append(facts)
            reviews = int(facts.counts.sum())
            done += reviews
            show(reviews, done / placed)
    return SplitFacts.total(found)
