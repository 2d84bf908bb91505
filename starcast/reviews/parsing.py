"""What the readers of all formats share: rows in chunks, and rows that cannot be read."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.parameters import Reading

MOST_COLUMNS = 10_000  # each takes memory in every chunk
SHOWN = 80  # characters of a rejected row
EMPTY = "the file is empty; give one with a header and reviews"
# Polars unpacks, without a limit, what begins like one of these; `x^` may also begin the name of a column.
PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
ZLIB = (b"x\x01", b"x^", b"x\x9c", b"x\xda")


NOTHING_REJECTED: Mapping[int, "Rejected"] = {}


class Rejected(NamedTuple):
    """Why a row cannot be read, and the beginning of it."""

    reason: str
    beginning: str


class Chunk(NamedTuple):
    """Some rows of a file.

    Attributes:
        share: how much of the file has been read so far, 0 to 1.
        seen: what was recognised about the file, in words; the same in every chunk.
        rejected: rows that cannot be read, by their position in the table, where nulls stand for them.
    """

    table: pl.DataFrame
    share: float
    seen: str = ""
    rejected: Mapping[int, Rejected] = NOTHING_REJECTED


AS_RECOGNISED = Reading()


def check_width(name: str, columns: int) -> None:
    """Raise a UserError if a file has more columns than a table of reviews."""
    if columns > MOST_COLUMNS:
        what = f"more than {MOST_COLUMNS:,} columns, which is no table of reviews"
        raise UserError(f"{name}: {what}; remove some")
