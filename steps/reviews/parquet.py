"""Parquet, a few rows at a time; its types are kept."""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from steps.errors import UserError
from steps.reviews.unpack import check_growth, open_unpacked

ROWS = 1_000  # decoded at once: a row may be of any length
LARGE = 4 * 2**20  # bytes of rows that are handed on together
MANY = 10_000  # rows


def read_tables(path: Path, compression: str) -> Iterator[tuple[pl.DataFrame, float]]:
    """Tables of all rows in order, each with the share of the rows that has been read with it, 0 to 1.

    Raises:
        UserError: not Parquet, damaged, or it unpacks to far more than it should.
    """
    with _opened(path, compression) as source, _damage_told(path.name):
        if not source.seek(0, io.SEEK_END):
            raise UserError(f"{path.name}: the file is empty; give one with reviews")
        file = pq.ParquetFile(source, pre_buffer=False, buffer_size=2**20)
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        check_growth(path.name, source.tell(), sum(group.total_byte_size for group in groups))
        total, rows = file.metadata.num_rows, 0
        for table in _gathered(file):
            rows += table.height
            yield table, rows / total


def _gathered(file: pq.ParquetFile) -> Iterator[pl.DataFrame]:
    held: list[pa.RecordBatch] = []
    for batch in file.iter_batches(ROWS):
        held.append(batch)
        if sum(each.nbytes for each in held) > LARGE or len(held) * ROWS >= MANY:
            yield _table(held)
            held = []
    if held:
        yield _table(held)


def _table(batches: list[pa.RecordBatch]) -> pl.DataFrame:
    table = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(table, pl.DataFrame), "a table has columns"
    return table


@contextmanager
def _opened(path: Path, compression: str) -> Iterator[BinaryIO]:
    # Parquet is read from its end: a packed file is unpacked onto the disk.
    with open_unpacked(path, compression) as unpacked, tempfile.TemporaryFile() as plain:
        if not compression:
            yield unpacked.raw
            return
        while data := unpacked.read(LARGE):
            plain.write(data)
        yield plain


@contextmanager
def _damage_told(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        why = f"not readable as parquet ({first})"
        raise UserError(f"{name}: {why}; mend the file, or rename it if it is of another format") from None
