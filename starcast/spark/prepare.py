"""Turn a file of reviews into three splits on Spark: executors check rows, the driver draws splits, executors
write.

The driver holds 10 bytes per row, 19 if a column says in which split it is. Executors upload parts of the
splits to the run's artifacts; a task that is repeated after its executor died uploads the same parts again.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.inspection import ReadRows, inspect, to_reviews
from starcast.reviews.layouts import Layout
from starcast.reviews.opening import OpenFile, open_files, seen_in
from starcast.reviews.parameters import SplitBy
from starcast.reviews.parquet import RowGroups, to_table
from starcast.reviews.prepare import Places, PreparedFiles, SplitFacts, place, split_batch
from starcast.reviews.split import SPLITS
from starcast.reviews.split_keys import read_keys
from starcast.reviews.unpack import table_name
from starcast.reviews.write import part_name
from starcast.spark.jobs import run_jobs
from starcast.spark.parameters import PreprocessParameters
from starcast.spark.reviews import SETTINGS, partition_number, read_reviews, rejected_of
from starcast.spark.session import spark_session
from starcast.tracking.artifacts import Uploads, uploads_of_run

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame, Row, SparkSession

READ, WRITTEN = "part int, read binary", "facts binary"


def prepare_on_spark(
    parameters: PreprocessParameters, files: Mapping[str, Path], cleaner: Cleaner
) -> PreparedFiles:
    """Do what `prepare_here` does, with the same rows in the same splits.

    Raises:
        UserError: as there, or Spark fails, or executors cannot reach a file or the run's artifacts.
    """
    layout, opened = open_files(parameters, files)
    near = parameters.near_duplicates != "off"
    uploads, name = uploads_of_run(), table_name(opened[0].path)
    with spark_session(parameters.spark_master, f"starcast preprocess {name}", SETTINGS) as session:
        tables = [_rows_of(session, file, layout, parameters) for file in opened]
        read: list[ReadRows] = []
        begins: list[dict[int, int]] = []  # the first row of each partition of each file
        ends: list[int] = []
        for rows, file in zip(tables, opened, strict=True):
            inspecting = rows.mapInArrow(partial(_inspect, layout, cleaner, file.split, near), READ)
            begins.append(_add_in_order(run_jobs(session.sparkContext, inspecting.collect), read))
            ends.append(sum(len(each.codes) for each in read))
        places, checked = place(read, layout, parameters, seen_in(opened))
        shared = session.sparkContext.broadcast((places, len(checked.scale.scale)))
        written: list[Row] = []
        parts = 0
        for rows, begin in zip(tables, begins, strict=True):
            writing = rows.mapInArrow(
                partial(_write, layout, parameters.slice_columns, cleaner, shared, begin, parts, uploads),
                WRITTEN,
            )
            written += run_jobs(session.sparkContext, writing.collect)
            parts += max(begin) + 1
    facts = SplitFacts.total(pickle.loads(row["facts"]) for row in written)
    if facts.counts.sum() != (places[1] >= 0).sum():
        raise UserError(f"{name}: changed while it was read; run the command again")
    filled = (facts.counts.sum(axis=1) > 0).tolist()
    uploads.check({f"splits/{name}.parquet": int(some) for name, some in zip(SPLITS, filled, strict=True)})
    sizes = np.diff([0, *ends]).tolist()
    raw = [(file.first.table.schema, rows) for file, rows in zip(opened, sizes, strict=True)]
    return PreparedFiles(raw, checked, facts)


def _rows_of(
    session: "SparkSession", file: OpenFile, layout: Layout, parameters: PreprocessParameters
) -> "DataFrame":
    """Return the rows of a file in order, with the columns that are used, and what is rejected."""
    columns = file.first.table.columns
    table = read_reviews(session, file.path, columns, parameters.reading())
    named = layout.text, layout.rating, layout.title, file.split.column, *parameters.slice_columns
    used = dict.fromkeys(filter(None, named))
    asked = [table[table.columns[columns.index(name)]].alias(name) for name in used]
    return table.select(*asked, *table.columns[len(columns) :])


def _inspect(
    layout: Layout, cleaner: Cleaner, split: SplitBy, near: bool, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Clean and inspect a partition's rows in an executor."""
    part = pa.array([partition_number()], pa.int32())
    for table in map(to_table, batches):
        reviews = to_reviews(table, layout)
        cleaned = cleaner.clean(join_title(reviews))
        read = pickle.dumps(inspect(reviews, cleaned, rejected_of(table), read_keys(table, split), near))
        yield pa.RecordBatch.from_pydict({"part": part, "read": [read]})


def _add_in_order(told: "list[Row]", read: list[ReadRows]) -> dict[int, int]:
    """Add what is known of a file's rows, in order; return the number of each partition's first row."""
    begins: dict[int, int] = {}
    before = sum(len(each.codes) for each in read)
    for row in sorted(told, key=lambda row: row["part"]):  # within a partition they are in order
        each: ReadRows = pickle.loads(row["read"])
        begins.setdefault(row["part"], before)
        read.append(each)
        before += len(each.codes)
    return begins


def _write(
    layout: Layout,
    slices: Sequence[str],
    cleaner: Cleaner,
    shared: "Broadcast[tuple[Places, int]]",
    begins: dict[int, int],
    parts_before: int,
    uploads: Uploads,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Clean a partition's rows in an executor and upload its part of each split to the run.

    Args:
        begins: number of each partition's first row.
        parts_before: how many partitions earlier files have.
    """
    places, labels = shared.value
    part, found = partition_number(), []
    begin = begins.get(part, 0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in SPLITS]
        with ExitStack() as stack:
            writers = [stack.enter_context(RowGroups.to(file)) for file in files]
            for table in map(to_table, batches):
                reviews = to_reviews(table, layout, begin, slices).drop("rating")
                cleaned = cleaner.clean(join_title(reviews)).alias("cleaned")
                splits, facts = split_batch(reviews.with_columns(cleaned), places, labels)
                for writer, split in zip(writers, splits, strict=True):
                    writer.write(split)
                found.append(facts)
                begin += table.height
        for file in files:
            if file.stat().st_size:
                named = file.rename(file.with_name(part_name(parts_before + part, ".parquet")))
                uploads.upload(named, f"splits/{file.name}.parquet")
                named.unlink()
    if found:
        yield pa.RecordBatch.from_pydict({"facts": [pickle.dumps(SplitFacts.total(found))]})
