"""Turn a file of reviews into three splits on Spark: executors check rows, the driver draws splits, executors
write.

The driver holds 10 bytes per row. Executors upload parts of the splits to the run's artifacts; a task that is
repeated after its executor died uploads the same parts again.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews import layouts
from starcast.reviews.check import ReadRows, inspect, to_reviews
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.layouts import Layout
from starcast.reviews.parquet import RowGroups, to_table
from starcast.reviews.prepare import Places, PreparedFiles, SplitFacts, place, split_batch
from starcast.reviews.split import SPLITS
from starcast.reviews.stream import read_chunks
from starcast.reviews.write import part_name
from starcast.spark.jobs import run_jobs
from starcast.spark.parameters import PreprocessParameters
from starcast.spark.reviews import SETTINGS, partition_number, read_reviews, rejected_of
from starcast.spark.session import spark_session
from starcast.tracking.artifacts import Uploads, uploads_of_run

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import Row

READ, WRITTEN = "part int, read binary", "facts binary"


def prepare_on_spark(parameters: PreprocessParameters, file: Path, cleaner: Cleaner) -> PreparedFiles:
    """Do what `prepare_here` does, with the same rows in the same splits.

    Raises:
        UserError: as there, or Spark fails, or executors cannot reach the file or the run's artifacts.
    """
    first = next(read_chunks(file, parameters.reading()))
    named = parameters.text_column, parameters.rating_column, parameters.title_column
    layout, uploads = layouts.recognise(first.table.columns, *named), uploads_of_run()
    used = dict.fromkeys(filter(None, (layout.text, layout.rating, layout.title)))
    with spark_session(parameters.spark_master, f"starcast preprocess {file.name}", SETTINGS) as session:
        columns = first.table.columns
        table = read_reviews(session, file, columns, parameters.reading())
        asked = [table[table.columns[columns.index(name)]].alias(name) for name in used]
        rows = table.select(*asked, *table.columns[len(columns) :])  # and what is rejected
        told = run_jobs(
            session.sparkContext, rows.mapInArrow(partial(_inspect, layout, cleaner), READ).collect
        )
        read, begins = _in_order(told)
        places, checked = place(read, layout, parameters, first.seen)
        shared = session.sparkContext.broadcast((places, len(checked.scale.scale), begins))
        writing = rows.mapInArrow(partial(_write, layout, cleaner, shared, uploads), WRITTEN)
        written = run_jobs(session.sparkContext, writing.collect)
    facts = SplitFacts.total(pickle.loads(row["facts"]) for row in written)
    if facts.counts.sum() != (places[1] >= 0).sum():
        raise UserError(f"{file.name}: changed while it was read; run the command again")
    filled = (facts.counts.sum(axis=1) > 0).tolist()
    uploads.check({f"splits/{name}.parquet": int(some) for name, some in zip(SPLITS, filled, strict=True)})
    return PreparedFiles(first.table.schema, checked, facts)


def _inspect(layout: Layout, cleaner: Cleaner, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Clean and inspect a partition's rows in an executor."""
    part = pa.array([partition_number()], pa.int32())
    for table in map(to_table, batches):
        reviews = to_reviews(table, layout)
        cleaned = cleaner.clean(join_title(reviews))
        read = pickle.dumps(inspect(reviews, cleaned, rejected_of(table)))
        yield pa.RecordBatch.from_pydict({"part": part, "read": [read]})


def _in_order(told: "list[Row]") -> tuple[list[ReadRows], dict[int, int]]:
    """Return what is known of the rows in file order, and the number of each partition's first row."""
    read: list[ReadRows] = []
    begins: dict[int, int] = {}
    before = 0
    for row in sorted(told, key=lambda row: row["part"]):  # within a partition they are in order
        each: ReadRows = pickle.loads(row["read"])
        begins.setdefault(row["part"], before)
        read.append(each)
        before += len(each.codes)
    return read, begins


def _write(
    layout: Layout,
    cleaner: Cleaner,
    shared: "Broadcast[tuple[Places, int, dict[int, int]]]",
    uploads: Uploads,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Clean a partition's rows in an executor and upload its part of each split to the run."""
    places, labels, begins = shared.value
    part, found = partition_number(), []
    begin = begins.get(part, 0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in SPLITS]
        with ExitStack() as stack:
            writers = [stack.enter_context(RowGroups.to(file)) for file in files]
            for table in map(to_table, batches):
                reviews = to_reviews(table, layout, begin).drop("rating")
                cleaned = cleaner.clean(join_title(reviews)).alias("cleaned")
                splits, facts = split_batch(reviews.with_columns(cleaned), places, labels)
                for writer, split in zip(writers, splits, strict=True):
                    writer.write(split)
                found.append(facts)
                begin += table.height
        for file in files:
            if file.stat().st_size:
                named = file.rename(file.with_name(part_name(part, ".parquet")))
                uploads.upload(named, f"splits/{file.name}.parquet")
                named.unlink()
    if found:
        yield pa.RecordBatch.from_pydict({"facts": [pickle.dumps(SplitFacts.total(found))]})
