"""Read a file of reviews in chunks, a few in memory at once, whatever its format.

Values of text formats stay text, so that the checks see what was written; Parquet and Arrow keep their types.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews import delimited, json_lines
from starcast.reviews.blocks import read_blocks
from starcast.reviews.json_lines import WRITTEN
from starcast.reviews.json_objects import literals_as_lines, objects_as_lines
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import AS_RECOGNISED, Chunk
from starcast.reviews.typed import OPEN, read_typed
from starcast.reviews.unpack import kind_of

ROWS = 10_000  # in a chunk, at most
JSON = {  # what gives an object per line, and what is said of the file
    "jsonl": (read_blocks, ""),
    "json": (objects_as_lines, "JSON objects"),
    "literals": (literals_as_lines, "literals of Python"),
}
LONGEST_VALUE = 1_000_000  # characters: as long as a novel, longer than any review


def read_chunks(path: Path, reading: Reading = AS_RECOGNISED) -> Iterator[Chunk]:
    """Yield all rows in order, in chunks of one schema, none of them empty.

    Raises:
        UserError: the file is no table, empty, damaged, not UTF-8, or has too long a value.
    """
    kind = kind_of(path).kind
    read: Iterator[Chunk]
    if kind in OPEN:
        read = read_typed(path, kind, reading)
    elif kind in JSON:  # any object may have a new key, so the file is read twice
        lines, seen = JSON[kind]
        columns = json_lines.columns_of_json_lines(lines(path), path.name, reading.reject)
        read = json_lines.parse_json_lines(lines(path), path.name, columns, reading, seen)
    else:
        read = delimited.parse_delimited(read_blocks(path, quoted=kind == "csv"), path.name, kind)
    rows = 0
    for chunk in read:
        for begin in range(0, chunk.table.height, ROWS):
            part = chunk.table.slice(begin, ROWS)
            _check_lengths(part, rows, path.name)
            rows += part.height
            rejected = {row - begin: why for row, why in chunk.rejected.items() if 0 <= row - begin < ROWS}
            yield chunk._replace(table=part, rejected=rejected)
    if not rows:
        raise UserError(f"{path.name}: a header and no rows; give one with reviews")


def _check_lengths(table: pl.DataFrame, before: int, name: str) -> None:
    texts = table.select(
        column for column, kind in table.schema.items() if kind == pl.String and column != WRITTEN
    )
    sizes = texts.select(pl.all().str.len_bytes().max())  # in bytes: at least as many as characters
    if max((size or 0 for row in sizes.rows() for size in row), default=0) <= LONGEST_VALUE:
        return
    for column in texts:
        too_long = column.str.len_chars().gt(LONGEST_VALUE).arg_true()
        if len(too_long):
            row, most = int(too_long[0]), f"at most {LONGEST_VALUE:,} are read"
            where = f"{len(column[row]):,} characters in data row {before + row + 1:,}"
            what = f"{name}: column {column.name!r} holds {where}, and {most}"
            raise UserError(f"{what}; shorten it, or remove the row")
