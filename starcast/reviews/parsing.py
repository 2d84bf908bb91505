"""What all readers of text formats share: a table per block, and where in a block the mistake is."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl

from starcast.cli.errors import UserError, first_line
from starcast.reviews.blocks import TextBlock
from starcast.reviews.encodings import encoding_advice
from starcast.reviews.parameters import Reading

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError)
MOST_COLUMNS = 10_000  # each takes memory in every chunk
SHOWN = 200  # characters of a rejected row
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


def not_unpacked(data: bytes, before: bytes) -> io.BytesIO:
    """Return the bytes, after a prefix that Polars skips if it would take them for compressed data."""
    return io.BytesIO(before + data if data.startswith((*PACKED, *ZLIB)) else data)


def check_width(name: str, columns: int) -> None:
    if columns > MOST_COLUMNS:
        what = f"more than {MOST_COLUMNS:,} columns, which is no table of reviews"
        raise UserError(f"{name}: {what}; remove some")


@contextmanager
def explained(
    name: str, kind: str, block: TextBlock, look: Callable[[str], str], header: bytes = b""
) -> Iterator[None]:
    """Raise a UserError that says where the mistake is in a block that could not be parsed.

    Args:
        look: reads header and block as text again, and returns where the mistake is; empty if it finds none.
    """
    try:
        yield
    except (*UNREADABLE, ValueError, RecursionError) as error:
        raise UserError(f"{name}: {_mistake(kind, block, header, look, error)}") from None


def _mistake(
    kind: str, block: TextBlock, header: bytes, look: Callable[[str], str], error: BaseException
) -> str:
    """Read a block that could not be parsed again, and say in which line the mistake is."""
    ending = next((ending for magic, ending in PACKED.items() if block.data.startswith(magic)), "")
    if ending and block.line == 1:
        return f"it is packed; give it a name that ends in {ending}"
    try:
        text = (header + block.data).decode("utf-8")
    except UnicodeDecodeError as broken:
        line = block.line + (header + block.data).count(b"\n", 0, broken.start) - header.count(b"\n")
        what = f"not UTF-8: byte 0x{broken.object[broken.start]:02x} in line {line}"
        return f"{what}; {encoding_advice(block.data, 'utf-8')}"
    why = look(text) or first_line(error)
    return f"not readable as {kind} ({why}); mend the file, or rename it if it is of another format"
