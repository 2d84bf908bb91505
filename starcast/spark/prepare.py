"""Turn a file of reviews into three splits on Spark: executors check rows, the driver draws splits, executors
write.

The driver holds 10 bytes per row. Executors upload parts of the splits to the run's artifacts; a task that is
repeated after its executor died uploads the same parts again.
"""

import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews import layouts
from starcast.reviews.check import CheckedRows, judge, to_reviews
from starcast.reviews.clean import Cleaner
from starcast.reviews.layouts import Layout
from starcast.reviews.parquet import RowGroups
from starcast.reviews.prepare import Places, PreparedFiles, place
from starcast.reviews.split import SPLITS
from starcast.reviews.split_files import SplitFacts, clean_batch
from starcast.reviews.stream import read_chunks
from starcast.spark.jobs import run_jobs
from starcast.spark.parameters import PreprocessParameters
from starcast.spark.reviews import SETTINGS, read_reviews
from starcast.spark.session import spark_session
from starcast.tracking.artifacts import Uploads, uploads_of_run

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import DataFrame

JUDGED, WRITTEN = "part int, judged binary", "facts binary"


def prepare_on_spark(parameters: PreprocessParameters, file: Path, cleaner: Cleaner) -> PreparedFiles:
    """Do what `prepare_here` does, with the same rows in the same splits.

    Raises:
        UserError: as there; or Spark fails, or executors reach neither the file nor the run's artifacts.
    """
    first = next(read_chunks(file)).table
    layout = layouts.recognise(
        first.columns, parameters.text_column, parameters.rating_column, parameters.title_column
    )
    with spark_session(parameters.spark_master, f"starcast preprocess {file.name}", SETTINGS) as session:
        rows = _columns_of(read_reviews(session, file, first.columns), first.columns, layout)
        told = run_jobs(session.sparkContext, rows.mapInArrow(_Judging(layout), JUDGED).collect)
        judged, begins = _in_order([(row["part"], pickle.loads(row["judged"])) for row in told])
        places, checked = place(judged, layout, parameters)
        shared = session.sparkContext.broadcast((places, begins))
        uploads = uploads_of_run()
        writing = rows.mapInArrow(_Writing(layout, cleaner, shared, uploads), WRITTEN)
        written = run_jobs(session.sparkContext, writing.collect)
    facts = SplitFacts.total(pickle.loads(row["facts"]) for row in written)
    if facts.counts.sum() != (places.assigned >= 0).sum():
        raise UserError(f"{file.name}: changed while it was read; run the command again")
    uploads.check(
        {
            f"splits/{name}.parquet": int((counts > 0).any())
            for name, counts in zip(SPLITS, facts.counts, strict=True)
        }
    )
    return PreparedFiles(first.schema, checked, facts)


def _columns_of(table: "DataFrame", names: list[str], layout: Layout) -> "DataFrame":
    """Select the columns that are used, under their own names."""
    wanted = list(dict.fromkeys(filter(None, (layout.text, layout.rating, layout.title))))
    return table.select([table[table.columns[names.index(name)]].alias(name) for name in wanted])


def _in_order(told: list[tuple[int, CheckedRows]]) -> tuple[list[CheckedRows], dict[int, int]]:
    """Return the verdicts in file order, and the number of each partition's first row."""
    told.sort(key=lambda each: each[0])  # within a partition they came in order
    ends = list(accumulate((len(each.verdicts) for _, each in told), initial=0))
    begins: dict[int, int] = {}
    judged = []
    for (part, each), before in zip(told, ends, strict=False):
        begins.setdefault(part, before)
        bad = each.first_bad and (each.first_bad[0] + before, each.first_bad[1])
        judged.append(replace(each, first_bad=bad))
    return judged, begins


def _tables(batches: Iterable[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    for batch in batches:
        table = pl.from_arrow(batch)
        assert isinstance(table, pl.DataFrame), "a batch has columns"
        yield table


def _partition() -> int:
    from pyspark import TaskContext

    task = TaskContext.get()
    assert task is not None, "called by an executor"
    return task.partitionId()


@dataclass(frozen=True)
class _Judging:
    """Checks a partition's rows in an executor."""

    layout: Layout

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        part = _partition()
        for table in _tables(batches):
            judged = judge(to_reviews(table, self.layout))
            yield pa.RecordBatch.from_pydict(
                {"part": pa.array([part], pa.int32()), "judged": [pickle.dumps(judged)]}
            )


@dataclass(frozen=True)
class _Writing:
    """Cleans a partition's rows in an executor and uploads its part of each split to the run."""

    layout: Layout
    cleaner: Cleaner
    shared: "Broadcast[tuple[Places, dict[int, int]]]"
    uploads: Uploads

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        places, begins = self.shared.value
        part, found = _partition(), []
        with tempfile.TemporaryDirectory() as folder:
            with ExitStack() as stack:
                writers = {name: stack.enter_context(RowGroups.to(Path(folder) / name)) for name in SPLITS}
                begin = begins.get(part, 0)
                for table in _tables(batches):
                    rows = slice(begin, begin + table.height)
                    reviews = to_reviews(table, self.layout, begin).drop("rating")
                    verdicts, assigned = places.verdicts[rows], places.assigned[rows]
                    splits, facts = clean_batch(reviews, verdicts, assigned, self.cleaner)
                    for writer, split in zip(writers.values(), splits, strict=True):
                        writer.write(split)
                    found.append(facts)
                    begin += table.height
            for name in SPLITS:
                self._hand_over(Path(folder) / name, part)
        if found:
            yield pa.RecordBatch.from_pydict({"facts": [pickle.dumps(SplitFacts.total(found))]})

    def _hand_over(self, file: Path, part: int) -> None:
        if file.stat().st_size:
            named = file.rename(file.with_name(f"part-{part:05d}.parquet"))
            self.uploads.upload(named, f"splits/{file.name}.parquet")
            named.unlink()
