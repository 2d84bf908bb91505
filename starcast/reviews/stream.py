"""Read a file of reviews in chunks, a few of them in memory at once: CSV, TSV, JSON lines or Parquet, also packed.

Text formats keep every value as text, so that checks see what was written; Parquet keeps its types.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews import parquet, text_formats
from starcast.reviews.rows import TextBlock, read_blocks
from starcast.reviews.unpack import Unpacked, kind_of, open_unpacked

ROWS = 10_000  # of a chunk, at most
LONGEST_VALUE = 1_000_000  # characters: no review, but a novel


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file; `share` is how much of it has been read so far, 0 to 1."""

    table: pl.DataFrame
    share: float


def read_chunks(path: Path) -> Iterator[Chunk]:
    """All rows in order, in chunks of one schema, none of them empty.

    Raises:
        UserError: unknown ending, empty, not UTF-8, broken, without rows, or with a value longer than any review.
    """
    kind, compression = kind_of(path)
    tables = (
        parquet.read_tables(path, compression) if kind == "parquet" else _text_tables(path, kind, compression)
    )
    rows = 0
    for table, share in tables:
        for part in table.iter_slices(ROWS):
            _check_lengths(part, rows, path.name)
            rows += part.height
            yield Chunk(part, share)
    if not rows:
        raise UserError(f"{path.name}: a header and no rows; give one with reviews")


def _text_tables(path: Path, kind: str, compression: str) -> Iterator[tuple[pl.DataFrame, float]]:
    columns: list[str] = []
    if kind == "jsonl":  # any line may bring a new one: the file is read twice
        with open_unpacked(path, compression) as unpacked:
            columns = text_formats.columns_of_json_lines(
                read_blocks(unpacked, path.name, quoted=False), path.name
            )
    with open_unpacked(path, compression) as unpacked:
        shares: deque[float] = deque()  # blocks are read ahead of the tables that come of them, one of each
        blocks = _noting(read_blocks(unpacked, path.name, quoted=kind == "csv"), unpacked, shares)
        if kind == "jsonl":
            tables = text_formats.parse_json_lines(blocks, path.name, columns)
        else:
            tables = text_formats.parse_delimited(blocks, path.name, kind)
        for table in tables:
            yield table, shares.popleft()


def _noting(blocks: Iterator[TextBlock], unpacked: Unpacked, shares: deque[float]) -> Iterator[TextBlock]:
    for block in blocks:
        shares.append(unpacked.share)
        yield block


def _check_lengths(table: pl.DataFrame, before: int, name: str) -> None:
    longest = table.select(pl.selectors.string().str.len_bytes().max()).row(
        0
    )  # never fewer than the characters
    if max((size or 0 for size in longest), default=0) <= LONGEST_VALUE:
        return
    for column in table.select(pl.selectors.string()):
        too_long = column.str.len_chars().gt(LONGEST_VALUE).arg_true()
        if len(too_long):
            row = int(too_long[0])
            raise UserError(
                f"{name}: column {column.name!r} holds {len(column[row]):,} characters in data row {before + row + 1:,}, and at "
                f"most {LONGEST_VALUE:,} are read; shorten it, or take the row out"
            )
