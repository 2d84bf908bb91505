"""Turn a file of reviews of any size into three splits on this machine, in little memory.

A file is read and cleaned once, chunk by chunk; the texts wait on the disk, as Arrow, until all rows are
known.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from starcast.cli.processes import scratch_folder
from starcast.cli.progress import Progress
from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import REJECTED, CheckReport, conclude
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.hashing import digest_sum
from starcast.reviews.inspection import BAD_KEY, BAD_RATING, ReadRows, inspect, to_reviews
from starcast.reviews.layouts import Layout
from starcast.reviews.opening import OpenFile, open_files, seen_in
from starcast.reviews.parameters import SLICE, DataParameters, SplitBy
from starcast.reviews.parquet import RowGroups, to_table
from starcast.reviews.parsing import SHOWN, Chunk
from starcast.reviews.scripts import letters_by_script
from starcast.reviews.split import SPLITS, assign, check_ratings, describe
from starcast.reviews.split_keys import read_keys
from starcast.reviews.unpack import split_address

WHEN = ("before", "after")  # cleaning
# For every row of a file: its rating or why it is not used, and its split; both int8, shape (rows,).
Places = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class SplitFacts:
    """Statistics of some rows of the splits; the statistics of parts can be added up.

    Attributes:
        counts: rows per split and rating, shape (3, labels).
        digests: sum of the hashes of the rows per split.
        lengths: how many `reviews` have which `rating` and `characters`, `before` and `after` cleaning.
        beginnings: `row` (from 1) and `beginning` of the texts whose rating was bad.
        scripts: number of letters in each script.
    """

    counts: np.ndarray
    digests: tuple[int, ...]
    lengths: dict[str, pl.DataFrame]
    beginnings: pl.DataFrame
    scripts: Counter[str]

    @classmethod
    def total(cls, parts: Iterable["SplitFacts"]) -> "SplitFacts":
        """Return the facts about all parts together."""
        every = list(parts)
        lengths = {when: _summed(pl.concat([part.lengths[when] for part in every])) for when in WHEN}
        digests = tuple(sum(sums) for sums in zip(*(part.digests for part in every), strict=True))
        counts = np.sum([part.counts for part in every], axis=0)
        beginnings = pl.concat([part.beginnings for part in every])
        return cls(counts, digests, lengths, beginnings, sum((part.scripts for part in every), Counter()))


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


class PreparedFiles(NamedTuple):
    """The columns and rows of each file, the result of the checks, and the facts about the splits."""

    raw: list[tuple[pl.Schema, int]]
    checked: CheckReport
    facts: SplitFacts


def prepare_here(
    parameters: DataParameters, files: Mapping[str, Path], cleaner: Cleaner, folder: Path
) -> PreparedFiles:
    """Read and clean the files once, decide where every row goes, and write the splits into `folder`.

    Args:
        files: by the parameters that name them.

    Raises:
        UserError: a file cannot be read, or the checks refuse it.
    """
    with scratch_folder() as scratch, ExitStack() as stack:
        spool = scratch / "rows.arrow"
        layout, opened = open_files(parameters, files)
        read, rows_of_files = _spool(opened, layout, cleaner, spool, parameters)
        places, checked = place(read, layout, parameters, seen_in(opened))
        show, found, done = Progress("reviews").counted("splitting the reviews"), [], 0
        writers = [stack.enter_context(RowGroups.to(folder / f"{name}.parquet")) for name in SPLITS]
        labels = len(checked.scale.scale)
        for tables, facts in map_ahead(lambda rows: split_batch(rows, places, labels), _rows_of(spool)):
            for writer, table in zip(writers, tables, strict=True):
                writer.write(table)
            found.append(facts)
            reviews = int(facts.counts.sum())
            done += reviews
            show(reviews, done / int((places[1] >= 0).sum()))
    raw = [(file.first.table.schema, rows) for file, rows in zip(opened, rows_of_files, strict=True)]
    return PreparedFiles(raw, checked, SplitFacts.total(found))


def place(
    read: list[ReadRows], layout: Layout, parameters: DataParameters, seen: str
) -> tuple[Places, CheckReport]:
    """Decide, after every row was checked, which rows are used and in which split, or refuse the file."""
    once, told, split = parameters.split != "study_a", parameters.scale, parameters.split_by()
    whole, checked = conclude(
        read, layout, parameters.on_bad_rows, once, told, seen, split, parameters.near_duplicates
    )
    scale, rule, seed = checked.scale.scale, parameters.split, parameters.seed
    assigned = assign(whole.verdicts, whole.keys, scale, rule, parameters.sample_size, seed)
    notes = describe(whole.keys, assigned, rule), check_ratings(whole.verdicts, assigned, scale, rule, seed)
    return (whole.verdicts, assigned), replace(checked, notes=(*checked.notes, *chain(*notes)))


def _spool(
    opened: Sequence[OpenFile], layout: Layout, cleaner: Cleaner, spool: Path, parameters: DataParameters
) -> tuple[list[ReadRows], list[int]]:
    """Clean and inspect every row of the files, in order; keep the texts in record batches on the disk.

    Returns:
        What is known of the rows, and the number of rows of each file.
    """
    sizes = [split_address(file.path)[0].stat().st_size for file in opened]
    rows_of_files, near = [0] * len(opened), parameters.near_duplicates != "off"

    def numbered() -> Iterator[tuple[int, SplitBy, Chunk]]:
        """Yield every chunk with the number of rows before it; its share is that of all files read."""
        for number, file in enumerate(opened):
            for chunk in file.chunks:
                done = sum(sizes[:number]) + chunk.share * sizes[number]
                yield sum(rows_of_files), file.split, chunk._replace(share=done / sum(sizes))
                rows_of_files[number] += chunk.table.height

    def read_rows(numbered: tuple[int, SplitBy, Chunk]) -> tuple[pa.Table, ReadRows, float]:
        """Return the texts of a chunk, what is known of its rows, and the share of the files read."""
        before, split, chunk = numbered
        reviews = to_reviews(chunk.table, layout, before, parameters.slice_columns)
        cleaned = cleaner.clean(join_title(reviews)).alias("cleaned")
        rows = reviews.drop("rating").with_columns(cleaned).to_arrow(compat_level=pl.CompatLevel.oldest())
        keys = read_keys(chunk.table, split)
        return rows, inspect(reviews, cleaned, chunk.rejected, keys, near), chunk.share

    read, show = [], Progress("reviews").counted("reading the file")
    with pa.OSFile(str(spool), "wb") as sink:
        writer = None
        for rows, known, share in map_ahead(read_rows, numbered()):
            writer = writer or pa.ipc.new_file(sink, rows.schema)
            writer.write(rows)
            read.append(known)
            show(len(known.codes), share)
        assert writer is not None, "a file without rows is refused"
        writer.close()
    return read, rows_of_files


def _rows_of(spool: Path) -> Iterator[pl.DataFrame]:
    """Yield all spooled rows in order, a record batch at a time, with the columns of `split_batch`."""
    with pa.memory_map(str(spool)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield to_table(reader.get_batch(number))


def split_batch(rows: pl.DataFrame, places: Places, labels: int) -> tuple[list[pl.DataFrame], SplitFacts]:
    """Return a table per split of the rows that are in one, and the facts about them.

    Args:
        rows: `review_id` (row number in the file), `text`, if it is used `title`, `cleaned`, and what slices
            the reviews.
        labels: number of labels of the scale.
    """
    (verdicts, assigned), numbers = places, rows["review_id"].to_numpy()
    rating, split = pl.Series("rating", verdicts[numbers]), pl.Series("split", assigned[numbers])
    rated = rows.with_columns(rating, split)
    beginning = pl.col("text").str.slice(0, SHOWN).alias("beginning")
    beginnings = rated.filter(rating.is_in([BAD_RATING, BAD_KEY])).select(
        (pl.col("review_id") + 1).alias("row"), beginning
    )
    title = ("title",) if "title" in rows.columns else ()
    slices = [name for name in rows.columns if name.startswith(SLICE)]
    columns = "split", "review_id", "text", "rating", *title, "cleaned", *slices
    kept = rated.filter(split >= 0).select(columns)
    tables = [kept.filter(pl.col("split") == index).drop("split") for index in range(len(SPLITS))]
    counts = np.array([np.bincount(table["rating"], minlength=labels + 1)[1:] for table in tables])
    lengths = {}
    for when, texts in zip(WHEN, (join_title(kept), kept["cleaned"]), strict=True):
        characters = texts.str.len_chars().cast(pl.Int64).alias("characters")
        lengths[when] = _summed(kept.select("rating", characters, pl.lit(1, pl.Int64).alias("reviews")))
    scripts = letters_by_script(kept["cleaned"])
    return tables, SplitFacts(counts, tuple(map(digest_sum, tables)), lengths, beginnings, scripts)


def rejected_rows(checked: CheckReport, facts: SplitFacts) -> pl.DataFrame:
    """Return the rows that were dropped as bad, each with its beginning."""
    known = pl.coalesce("beginning", "beginning_right").alias("beginning")
    return checked.rejected.join(facts.beginnings, "row", "left").with_columns(known).select(*REJECTED)
