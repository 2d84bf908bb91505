"""Read a file of reviews in chunks, a few in memory at once, whatever its format.

Values of text formats stay text, so that the checks see what was written; Parquet and Arrow keep their types.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl
from polars import selectors

from starcast.cli.errors import UserError
from starcast.reviews import delimited, json_lines
from starcast.reviews.blocks import read_blocks
from starcast.reviews.json_lines import WRITTEN
from starcast.reviews.json_objects import literals_as_lines, objects_as_lines
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import AS_RECOGNISED, SHOWN, Chunk, Rejected
from starcast.reviews.typed import OPEN, read_typed
from starcast.reviews.unpack import kind_of, table_name

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
    kind, compression, table = kind_of(path)
    read: Iterator[Chunk]
    if kind in OPEN:
        read = read_typed(path, kind, reading)
    elif kind in JSON:  # any object may have a new key, so the file is read twice
        lines, seen = JSON[kind]
        columns = json_lines.columns_of_json_lines(
            lines(path, reading.encoding), table_name(path), reading.reject
        )
        read = json_lines.parse_json_lines(
            lines(path, reading.encoding), table_name(path), columns, reading, seen
        )
    else:
        read = delimited.read_delimited(path, kind, reading)
    rows = 0
    for chunk in in_parts(read, table_name(path), reading):
        rows += chunk.table.height
        within = f"{table} of the zip" if compression == "zip" else ""
        yield chunk._replace(seen=", ".join(filter(None, (chunk.seen, within))))
    if not rows:
        raise UserError(f"{table_name(path)}: a header and no rows; give one with reviews")


def in_parts(chunks: Iterable[Chunk], name: str, reading: Reading) -> Iterator[Chunk]:
    """Yield the rows of all chunks in order, a few at once.

    Raises:
        UserError: a value is too long, and its row is not to be rejected.
    """
    before = 0
    for chunk in chunks:
        for begin in range(0, chunk.table.height, ROWS):
            rejected = {row - begin: why for row, why in chunk.rejected.items() if 0 <= row - begin < ROWS}
            part = chunk._replace(table=chunk.table.slice(begin, ROWS), rejected=rejected)
            yield _without_long_values(part, before, name, reading)
            before += part.table.height


def _without_long_values(chunk: Chunk, before: int, name: str, reading: Reading) -> Chunk:
    """Reject the rows with values that are too long, or refuse the file."""
    written = selectors.by_name(WRITTEN, require_all=False)
    texts = chunk.table.select(selectors.string() - written)  # by name, Polars reads `*` as all columns
    sizes = texts.select(pl.all().str.len_bytes().max())  # in bytes: at least as many as characters
    if max((size or 0 for row in sizes.rows() for size in row), default=0) <= LONGEST_VALUE:
        return chunk
    rejected = dict(chunk.rejected)
    for column in texts:
        for row in column.str.len_chars().gt(LONGEST_VALUE).arg_true().to_list():
            if not reading.reject:
                where = f"{len(column[row]):,} characters in data row {before + row + 1:,}"
                most = f"at most {LONGEST_VALUE:,} are read"
                drop = ", or leave such rows out with on_bad_rows=drop" if reading.may_reject else ""
                what = f"{name}: column {column.name!r} holds {where}, and {most}"
                raise UserError(f"{what}; shorten it, or remove the row{drop}")
            rejected[row] = Rejected(f"longer than {LONGEST_VALUE:,} characters", column[row][:SHOWN])
    fine = pl.Series([row not in rejected for row in range(chunk.table.height)])
    nothing = pl.lit(None)
    table = chunk.table.select(pl.when(fine).then(pl.all()).otherwise(nothing))
    return chunk._replace(table=table, rejected=rejected)
