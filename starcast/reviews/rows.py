"""Cut a stream of text into blocks of whole rows, so that a file of any size is read in little memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from starcast.cli.errors import UserError

BLOCK = 4 * 2**20  # bytes read at once
LONGEST_ROW = (
    16 * 2**20
)  # bytes without the end of a row: such a file is no table, or a quote in it is never closed
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Source(Protocol):
    """Something that gives bytes."""

    def read(self, size: int) -> bytes:
        """At most so many bytes more; none at the end."""


@dataclass(frozen=True)
class TextBlock:
    """Whole rows, and the number of the line they begin in, from 1."""

    data: bytes
    line: int


def read_blocks(source: Source, name: str, quoted: bool) -> Iterator[TextBlock]:
    """Blocks of whole rows; a byte order mark and blank lines at the beginning are left out.

    Args:
        source: bytes of a text file.
        name: of the file, for messages.
        quoted: line ends between double quotes do not end a row.

    Raises:
        UserError: a row is longer than any table's.
    """
    rest, line, begun = b"", 1, False
    while data := source.read(BLOCK):
        rest = rest + data if begun else (rest + data).removeprefix(BYTE_ORDER_MARK)
        if not begun:
            first = rest.lstrip(b"\r\n")
            line += rest.count(b"\n", 0, len(rest) - len(first))
            rest, begun = first, bool(first)
        end = end_of_rows(rest, quoted)
        if end:
            yield TextBlock(rest[:end], line)
            line += rest.count(b"\n", 0, end)
            rest = rest[end:]
        elif len(rest) > LONGEST_ROW:
            raise UserError(_too_long(rest, name, line, quoted))
    if rest:
        yield TextBlock(rest, line)


def end_of_rows(data: bytes, quoted: bool) -> int:
    """Where the last whole row of `data`, which begins with one, ends: behind its line end; 0 if none does."""
    end = data.rfind(b"\n") + 1
    if not quoted or data.count(b'"', 0, end) % 2 == 0:
        return end
    ends = _ends(data)  # the last line end stands between two quotes
    return int(ends[-1]) if len(ends) else 0


def end_of_first_row(data: bytes, quoted: bool) -> int:
    """Where the first row of `data` ends: behind its line end, or with `data`."""
    end = data.find(b"\n") + 1
    if quoted and data.count(b'"', 0, end) % 2:
        ends = _ends(data)
        end = int(ends[0]) if len(ends) else 0
    return end or len(data)


def _ends(data: bytes) -> np.ndarray:
    """The places behind line ends with an even number of quotes before them."""
    values = np.frombuffer(data, np.uint8)
    between_quotes = np.logical_xor.accumulate(values == ord('"'))
    return np.flatnonzero((values == ord("\n")) & ~between_quotes) + 1


def _too_long(data: bytes, name: str, line: int, quoted: bool) -> str:
    why = (
        "a quote that is opened there and never closed" if quoted and b"\n" in data else "no end of the line"
    )
    return (
        f"{name}: more than {LONGEST_ROW // 2**20} MiB in one row, from line {line} on ({why}); mend the file"
    )
