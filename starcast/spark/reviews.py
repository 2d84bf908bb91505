"""Read a file of reviews as a Spark DataFrame, with the same rows in the same order as without Spark.

Executors parse text with the same code as without Spark: Spark's own CSV reader knows fewer dialects, and
drops long rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import TextBlock
from starcast.reviews.delimited import lines_are_rows
from starcast.reviews.encodings import Text
from starcast.reviews.json_lines import WRITTEN, parse_json_lines
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import AS_RECOGNISED, Chunk, Rejected
from starcast.reviews.row_parser import RowParser
from starcast.reviews.stream import in_parts, read_chunks
from starcast.reviews.unpack import kind_of, open_unpacked, split_address, table_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

PART = 8 * 2**20  # bytes of text per task
PACKED_TIMES = 3  # text unpacks to at least this many times its size
# So that tasks get the same rows with any number of executors.
SETTINGS = {"spark.sql.files.maxPartitionBytes": str(PART), "spark.sql.files.minPartitionNum": "1"}
PATTERN = frozenset("*?[]{}\\")  # Spark reads these as patterns, and skips names that begin with _ or .
REJECTED = "__rejected__"  # column of the reasons and beginnings of rows that cannot be read
REJECTED_TYPE = pl.Struct({"reason": pl.String, "beginning": pl.String})


def read_reviews(
    session: "SparkSession", file: Path, columns: list[str], reading: Reading = AS_RECOGNISED
) -> "DataFrame":
    """Return a file's rows in order over the partitions, with columns `c0`, `c1`, ... since Spark refuses
    some names; if rows may be rejected, also the column `REJECTED`.

    Raises:
        UserError: Arrow, compressed Parquet, or Parquet with a name that Spark refuses.
    """
    kind, compression, _ = kind_of(file)
    file = file.absolute()  # executors have their own working folders
    odd = file.name.startswith(("_", ".")) or not PATTERN.isdisjoint(str(file))
    names = dict.fromkeys(_numbered(columns), "string")
    if reading.reject:
        names[REJECTED] = "struct<reason: string, beginning: string>"
    if kind == "parquet":
        if compression or odd:
            how = "uncompressed" if compression else "under a name without *?[]{}\\ that begins with a letter"
            raise UserError(f"{table_name(file)}: executor=spark reads Parquet only {how}")
        table = session.read.parquet(str(file)).toDF(*_numbered(columns))
        return (
            table.selectExpr("*", f"cast(null as {names[REJECTED]}) {REJECTED}") if reading.reject else table
        )
    if kind == "arrow":
        raise UserError(
            f"{table_name(file)}: executor=spark does not read Arrow or Feather; write it as Parquet"
        )
    schema = ", ".join(f"{name} {kind}" for name, kind in names.items())
    parser = None if compression or odd else _parser_of_lines(file, kind, reading)
    if parser is not None:
        parse, before = parser
        lines = session.read.text(str(file), lineSep="\n")
        if before:
            from pyspark.sql.functions import monotonically_increasing_id

            # These are in the first partition, whose ids begin with 0.
            lines = lines.filter(monotonically_increasing_id() >= before)
        return lines.mapInArrow(partial(_parse_lines, table_name(file), parse, columns, reading), schema)
    # One task reads what cannot be split, and passes the rows on to more tasks the larger the file is.
    parts = max(1, split_address(file)[0].stat().st_size * (PACKED_TIMES if compression else 1) // PART)
    whole = partial(_read_whole_file, file, parts, reading)
    rows = session.range(1, numPartitions=1).mapInArrow(whole, f"{schema}, part int, row long")
    return rows.repartitionById(parts, "part").sortWithinPartitions("row").drop("part", "row")


def _numbered(columns: list[str]) -> list[str]:
    return [f"c{number}" for number, _ in enumerate(columns)]


def _parser_of_lines(file: Path, kind: str, reading: Reading) -> tuple[RowParser | None, int] | None:
    """Return how to parse the lines of a file (None: as JSON) and the number of lines before the first row.

    None if a line may be less than a row, or not text that Spark reads: a task cannot begin anywhere then.
    """
    if kind in ("csv", "tsv"):
        return lines_are_rows(file, kind, reading)
    if kind != "jsonl":
        return None
    with open_unpacked(file) as source:
        text = Text(source, table_name(file), reading.encoding)
        marked = text.encoding != "utf-8" or text.marked
    return None if marked else (None, 0)


def partition_number() -> int:
    """Return the number of the partition that this executor works on."""
    from pyspark import TaskContext

    task = TaskContext.get()
    assert task is not None, "called by an executor"
    return task.partitionId()


def _parse_lines(
    name: str,
    parser: RowParser | None,
    columns: list[str],
    reading: Reading,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Parse lines into rows in an executor."""
    name, blocks = f"{name}, part {partition_number() + 1} of it", _blocks(batches)
    if parser is None:
        keys = [column for column in columns if column != WRITTEN]
        chunks = parse_json_lines(blocks, name, keys, reading)
    else:
        chunks = map_ahead(replace(parser, name=name).parse, blocks)
    for chunk in in_parts(chunks, name, reading):
        yield from _as_batches(chunk, reading)


def _blocks(batches: Iterable[pa.RecordBatch]) -> Iterator[TextBlock]:
    line = 1
    for batch in batches:
        lines = batch.column(0).cast(pa.binary()).to_pylist()
        yield TextBlock(b"\n".join([*lines, b""]), line)
        line += batch.num_rows


def _read_whole_file(
    file: Path, parts: int, reading: Reading, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Read a file in an executor: rows with their number and the part of the file (from 0) they are in."""
    list(batches)
    row = 0
    for chunk in read_chunks(file, reading):
        part = pl.lit(min(int(chunk.share * parts), parts - 1), pl.Int32).alias("part")
        numbers = pl.Series("row", np.arange(row, row + chunk.table.height))
        yield from _as_batches(chunk, reading, part, numbers)
        row += chunk.table.height


def _as_batches(chunk: Chunk, reading: Reading, *more: pl.Expr | pl.Series) -> Iterator[pa.RecordBatch]:
    names = dict(zip(chunk.table.columns, _numbered(chunk.table.columns), strict=True))
    if reading.reject:
        why = [chunk.rejected.get(row) for row in range(chunk.table.height)]
        given = [None if each is None else each._asdict() for each in why]
        more = pl.Series(REJECTED, given, REJECTED_TYPE), *more
    table = chunk.table.rename(names).with_columns(*more)
    arrow = table.to_arrow(compat_level=pl.CompatLevel.oldest())
    schema = pa.schema([field.with_type(_normal(field.type)) for field in arrow.schema])
    yield from arrow.cast(schema).to_batches()


def _normal(kind: pa.DataType) -> pa.DataType:
    """Return a type that Spark expects: Polars writes large strings."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_normal(field.type)) for field in kind])
    return pa.string() if pa.types.is_large_string(kind) else kind


def rejected_of(table: pl.DataFrame) -> dict[int, Rejected]:
    """Return the rows that could not be read, by their position in a table of `read_reviews`."""
    if REJECTED not in table.columns:
        return {}
    numbered = table.select(REJECTED).with_row_index().filter(pl.col(REJECTED).is_not_null())
    return {row: Rejected(**why) for row, why in numbered.iter_rows()}
