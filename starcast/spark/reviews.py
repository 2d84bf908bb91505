"""Read a file of reviews as a Spark DataFrame: the same rows in the same order as without Spark.

Executors parse text with the same code as without Spark: Spark's own CSV reader drops empty lines and long
rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews import text_formats
from starcast.reviews.blocks import BYTE_ORDER_MARK, TextBlock, kind_of
from starcast.reviews.stream import read_chunks

if TYPE_CHECKING:
    from pyspark import TaskContext
    from pyspark.sql import DataFrame, SparkSession

PART = 8 * 2**20  # bytes of text per task
PACKED_TIMES = 3  # text unpacks to at least this many times its size
# So that tasks get the same rows however many executors there are.
SETTINGS = {"spark.sql.files.maxPartitionBytes": str(PART), "spark.sql.files.minPartitionNum": "1"}
PATTERN = frozenset("*?[]{}\\")  # Spark reads these as patterns, and skips names that begin with _ or .
SPLITTABLE = ("tsv", "jsonl")  # every line is a row, so a task can begin anywhere


def read_reviews(session: "SparkSession", file: Path, columns: list[str]) -> "DataFrame":
    """Return a file's rows in order over the partitions, with columns `c0`, `c1`, ... since Spark refuses
    some names.

    Raises:
        UserError: compressed Parquet, or Parquet with a name that Spark refuses.
    """
    kind, compression = kind_of(file)
    file = file.absolute()  # executors work in folders of their own
    odd = file.name.startswith(("_", ".")) or not PATTERN.isdisjoint(str(file))
    if kind == "parquet":
        if compression or odd:
            raise UserError(
                f"{file.name}: executor=spark reads Parquet only "
                + (
                    "uncompressed"
                    if compression
                    else "under a name without *?[]{}\\ that begins with a letter"
                )
            )
        return session.read.parquet(str(file)).toDF(*_numbered(columns))
    if kind in SPLITTABLE and not compression and not odd:
        return _read_lines(session, file, kind, columns)
    return _read_in_one_task(session, file, columns)


def _numbered(columns: list[str]) -> list[str]:
    return [f"c{number}" for number, _ in enumerate(columns)]


def _schema(columns: list[str], more: str = "") -> str:
    return ", ".join(f"{name} string" for name in _numbered(columns)) + more


def _read_lines(session: "SparkSession", file: Path, kind: str, columns: list[str]) -> "DataFrame":
    from pyspark.sql.functions import monotonically_increasing_id

    lines = session.read.text(str(file), lineSep="\n")
    before = _lines_before_rows(file, kind)
    if before:  # they are in the first partition, whose ids begin with 0
        lines = lines.filter(monotonically_increasing_id() >= before)
    return lines.mapInArrow(_Lines(file.name, kind, tuple(columns)), _schema(columns))


def _lines_before_rows(file: Path, kind: str) -> int:
    """Count the lines before the first row: the header, if there is one, and empty lines before it."""
    with file.open("rb") as opened:
        empty = next(n for n, line in enumerate(opened) if line.removeprefix(BYTE_ORDER_MARK).strip(b"\r\n"))
    return empty + (kind == "tsv")


@dataclass(frozen=True)
class _Lines:
    """Parses lines into rows in an executor."""

    name: str
    kind: str
    columns: tuple[str, ...]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        name = f"{self.name}, part {_task(TaskContext).partitionId() + 1} of it"
        blocks = self._blocks(batches)
        if self.kind == "jsonl":
            tables = text_formats.parse_json_lines(blocks, name, list(self.columns))
        else:
            header = TextBlock("\t".join(self.columns).encode() + b"\n", 1)
            tables = text_formats.parse_delimited(chain([header], blocks), name, self.kind)
        for table, _ in tables:
            yield from _as_batches(table)

    @staticmethod
    def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[TextBlock]:
        line = 1
        for batch in batches:
            data = b"".join(
                chain.from_iterable((value, b"\n") for value in batch.column(0).cast(pa.binary()).to_pylist())
            )
            yield TextBlock(data, line)
            line += batch.num_rows


def _read_in_one_task(session: "SparkSession", file: Path, columns: list[str]) -> "DataFrame":
    """Read in one task what cannot be split, and hand the rows on to as many tasks as the file is large."""
    parts = max(1, file.stat().st_size * (PACKED_TIMES if kind_of(file)[1] else 1) // PART)
    reading = session.range(1, numPartitions=1).mapInArrow(
        _WholeFile(file, parts), _schema(columns, ", part int, row long")
    )
    return reading.repartitionById(parts, "part").sortWithinPartitions("row").drop("part", "row")


@dataclass(frozen=True)
class _WholeFile:
    """Reads a whole file in an executor.

    Rows with their number and the part of the file (from 0) they are in.
    """

    file: Path
    parts: int

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        list(batches)
        row = 0
        for chunk in read_chunks(self.file):
            part = min(int(chunk.share * self.parts), self.parts - 1)
            numbers = np.arange(row, row + chunk.table.height)
            yield from _as_batches(
                chunk.table, pl.lit(part, pl.Int32).alias("part"), pl.Series("row", numbers)
            )
            row += chunk.table.height


def _as_batches(table: pl.DataFrame, *more: "pl.Expr | pl.Series") -> Iterator[pa.RecordBatch]:
    numbered = table.rename(dict(zip(table.columns, _numbered(table.columns), strict=True))).with_columns(
        *more
    )
    arrow = numbered.to_arrow(compat_level=pl.CompatLevel.oldest())
    # Polars writes large strings, Spark expects normal ones.
    fields = [
        pa.field(f.name, pa.string() if pa.types.is_large_string(f.type) else f.type) for f in arrow.schema
    ]
    yield from arrow.cast(pa.schema(fields)).to_batches()


def _task(context: type["TaskContext"]) -> "TaskContext":
    found = context.get()
    assert found is not None, "called by an executor"
    return found
