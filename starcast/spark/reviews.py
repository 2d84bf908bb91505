"""Read a file of reviews as a Spark DataFrame, with the same rows in the same order as without Spark.

Executors parse text with the same code as without Spark: Spark's own CSV reader drops empty lines and long
rows.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews.blocks import BYTE_ORDER_MARK, TextBlock
from starcast.reviews.delimited import parse_delimited
from starcast.reviews.json_lines import parse_json_lines
from starcast.reviews.stream import read_chunks
from starcast.reviews.unpack import kind_of, split_address

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PART = 8 * 2**20  # bytes of text per task
PACKED_TIMES = 3  # text unpacks to at least this many times its size
# So that tasks get the same rows with any number of executors.
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
    file = file.absolute()  # executors have their own working folders
    odd = file.name.startswith(("_", ".")) or not PATTERN.isdisjoint(str(file))
    if kind == "parquet":
        if compression or odd:
            how = "uncompressed" if compression else "under a name without *?[]{}\\ that begins with a letter"
            raise UserError(f"{file.name}: executor=spark reads Parquet only {how}")
        return session.read.parquet(str(file)).toDF(*_numbered(columns))
    schema = ", ".join(f"{name} string" for name in _numbered(columns))
    if kind in SPLITTABLE and not compression and not odd:
        lines = _lines_of_rows(session, file, kind)
        return lines.mapInArrow(partial(_parse_lines, file.name, kind, columns), schema)
    # One task reads what cannot be split, and passes the rows on to more tasks the larger the file is.
    parts = max(1, split_address(file)[0].stat().st_size * (PACKED_TIMES if compression else 1) // PART)
    reading = partial(_read_whole_file, file, parts)
    rows = session.range(1, numPartitions=1).mapInArrow(reading, f"{schema}, part int, row long")
    return rows.repartitionById(parts, "part").sortWithinPartitions("row").drop("part", "row")


def _numbered(columns: list[str]) -> list[str]:
    return [f"c{number}" for number, _ in enumerate(columns)]


def _lines_of_rows(session: "SparkSession", file: Path, kind: str) -> "DataFrame":
    """Return the lines of a file without the header, if there is one, and empty lines before it."""
    from pyspark.sql.functions import monotonically_increasing_id

    with file.open("rb") as opened:
        empty = next(n for n, line in enumerate(opened) if line.removeprefix(BYTE_ORDER_MARK).strip(b"\r\n"))
    before, lines = empty + (kind == "tsv"), session.read.text(str(file), lineSep="\n")
    # These are in the first partition, whose ids begin with 0.
    return lines.filter(monotonically_increasing_id() >= before) if before else lines


def partition_number() -> int:
    """Return the number of the partition that this executor works on."""
    from pyspark import TaskContext

    task = TaskContext.get()
    assert task is not None, "called by an executor"
    return task.partitionId()


def _parse_lines(
    name: str, kind: str, columns: list[str], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Parse lines into rows in an executor."""
    name, blocks = f"{name}, part {partition_number() + 1} of it", _blocks(batches)
    if kind == "jsonl":
        tables = parse_json_lines(blocks, name, columns)
    else:
        header = TextBlock("\t".join(columns).encode() + b"\n", 1)
        tables = parse_delimited(chain([header], blocks), name, kind)
    for chunk in tables:
        yield from _as_batches(chunk.table)


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[TextBlock]:
    line = 1
    for batch in batches:
        lines = batch.column(0).cast(pa.binary()).to_pylist()
        yield TextBlock(b"\n".join([*lines, b""]), line)
        line += batch.num_rows


def _read_whole_file(file: Path, parts: int, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Read a file in an executor: rows with their number and the part of the file (from 0) they are in."""
    list(batches)
    row = 0
    for chunk in read_chunks(file):
        part = pl.lit(min(int(chunk.share * parts), parts - 1), pl.Int32).alias("part")
        yield from _as_batches(chunk.table, part, pl.Series("row", np.arange(row, row + chunk.table.height)))
        row += chunk.table.height


def _as_batches(table: pl.DataFrame, *more: pl.Expr | pl.Series) -> Iterator[pa.RecordBatch]:
    names = dict(zip(table.columns, _numbered(table.columns), strict=True))
    arrow = table.rename(names).with_columns(*more).to_arrow(compat_level=pl.CompatLevel.oldest())
    # Polars writes large strings, Spark expects normal ones.
    types = [pa.string() if pa.types.is_large_string(field.type) else field.type for field in arrow.schema]
    yield from arrow.cast(pa.schema(list(zip(arrow.column_names, types, strict=True)))).to_batches()
