"""Write Parquet, and read what was written, a few rows at a time."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

MANY = 10_000  # rows that are passed on together
ROW_GROUP = 16 * 2**20  # bytes that are written together
TEXTS = ("text", "title", "cleaned")


def to_table(*batches: pa.RecordBatch) -> pl.DataFrame:
    """Return the rows of record batches of one schema."""
    table = pl.from_arrow(pa.Table.from_batches(batches))
    assert isinstance(table, pl.DataFrame), "a table has columns"
    return table


def parquet_files(path: Path) -> list[Path]:
    """Return the file or, for a folder that Spark wrote, its parts in order."""
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def read_row_groups(path: Path, rows: int = MANY, columns: list[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield rows that a step wrote, in order, at most `rows` at once; only some columns, if given."""
    for file in parquet_files(path):
        with pq.ParquetFile(file) as opened:
            for batch in opened.iter_batches(rows, columns=columns):
                yield to_table(batch)


def schema_of(path: Path) -> pl.Schema:
    """Return columns and types of a file, or of a folder of parts."""
    return pl.Schema(pl.read_parquet_schema(parquet_files(path)[0]))


def rows_at(path: Path, places: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows at some places, in the order asked for; of the columns, those that there are."""
    there = schema_of(path)
    names = [name for name in columns if name in there]
    found, begin = [there.to_frame().select(names)], 0
    for table in read_row_groups(path, columns=names):
        inside = places[(places >= begin) & (places < begin + table.height)]
        found.append(table[np.sort(inside) - begin])
        begin += table.height
    return pl.concat(found)[np.argsort(np.argsort(places))]


class RowGroups:
    """Writes the chunks of one table as Parquet, gathered into row groups that are worth reading at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._held = file, list[pa.Table]()
        self._writer: pq.ParquetWriter | None = None
        self._packing: Future[None] | None = None
        self._pool = ThreadPoolExecutor(1, "row groups")  # compresses one group while the next is gathered

    @classmethod
    @contextmanager
    def to(cls, path: Path) -> Iterator["RowGroups"]:
        """Open a writer of a new file, which is complete when the block has succeeded."""
        with path.open("wb") as file:
            writer = cls(file)
            yield writer
            writer.close()

    def write(self, table: pl.DataFrame) -> None:
        """Append rows; columns and types are those of the first chunk."""
        self._held.append(table.to_arrow(compat_level=pl.CompatLevel.oldest()))
        if sum(each.nbytes for each in self._held) > ROW_GROUP:
            self._pack_held()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        with self._pool:
            if self._held:
                self._pack_held()
            if self._packing:
                self._packing.result()
        if self._writer is not None:
            self._writer.close()

    def _pack_held(self) -> None:
        rows, self._held = pa.concat_tables(self._held), []
        if self._packing:
            self._packing.result()
        if self._writer is None:
            # Texts hardly repeat: dictionary encoding would not help.
            few = [field.name for field in rows.schema if field.name not in TEXTS]
            self._writer = pq.ParquetWriter(self._file, rows.schema, compression="zstd", use_dictionary=few)
        self._packing = self._pool.submit(self._writer.write_table, rows, max(1, rows.num_rows))
