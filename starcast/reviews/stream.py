"""Read a file of reviews in chunks, a few in memory at once: CSV, TSV, JSON lines or Parquet, also packed.

Text formats keep every value as text, so that checks see what was written; Parquet keeps its types.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews import parquet
from starcast.reviews.blocks import kind_of, open_unpacked, read_blocks
from starcast.reviews.text_formats import columns_of_json_lines, parse_delimited, parse_json_lines

ROWS = 10_000  # in a chunk, at most
LONGEST_VALUE = 1_000_000  # characters: longer than any review, as long as a novel


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file; `share` is how much of the file has been read so far, 0 to 1."""

    table: pl.DataFrame
    share: float


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Yield all rows in order, in chunks of one schema, none of them empty.

    Raises:
        UserError: unknown ending, empty, not UTF-8, broken, without rows, or with too long a value.
    """
    kind, compression = kind_of(path)
    read = parquet.read_tables(path, compression) if kind == "parquet" else _text(path, kind, compression)
    rows = 0
    for table, share in read:
        for part in table.iter_slices(ROWS):
            _check_lengths(part, rows, path.name)
            rows += part.height
            yield Chunk(part, share)
    if not rows:
        raise UserError(f"{path.name}: a header and no rows; give one with reviews")


def _text(path: Path, kind: str, compression: str) -> Iterator[tuple[pl.DataFrame, float]]:
    columns: list[str] = []
    if kind == "jsonl":  # any line may bring a new key: the file is read twice
        with open_unpacked(path, compression) as unpacked:
            blocks = read_blocks(unpacked, path.name, quoted=False)
            columns = columns_of_json_lines(blocks, path.name)
    with open_unpacked(path, compression) as unpacked:
        blocks = read_blocks(unpacked, path.name, quoted=kind == "csv")
        if kind == "jsonl":
            yield from parse_json_lines(blocks, path.name, columns)
        else:
            yield from parse_delimited(blocks, path.name, kind)


def _check_lengths(table: pl.DataFrame, before: int, name: str) -> None:
    texts = table.select(pl.selectors.string())
    longest = texts.select(pl.all().str.len_bytes().max()).row(0)  # bytes: at least as many as characters
    if max((size or 0 for size in longest), default=0) <= LONGEST_VALUE:
        return
    for column in texts:
        too_long = column.str.len_chars().gt(LONGEST_VALUE).arg_true()
        if len(too_long):
            row, most = int(too_long[0]), f"at most {LONGEST_VALUE:,} are read"
            where = f"{len(column[row]):,} characters in data row {before + row + 1:,}"
            what = f"{name}: column {column.name!r} holds {where}, and {most}"
            raise UserError(f"{what}; shorten it, or remove the row")
