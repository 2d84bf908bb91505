"""Read a file in blocks of whole rows, so that any file needs little memory.

Polars' own streaming readers take a third less time, but an unclosed quote or an endless compressed row fills
the memory, and their errors name no line.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starcast.cli.errors import UserError
from starcast.reviews.unpack import open_unpacked

BLOCK = 4 * 2**20  # bytes read at once
LONGEST_ROW = 16 * 2**20  # bytes: a file with a longer row is not a table, or has an unclosed quote
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class TextBlock:
    """Whole rows, the number of the line they begin in (from 1), and the share of the file read with them."""

    data: bytes
    line: int
    share: float = 0.0


def read_blocks(path: Path, quoted: bool = False) -> Iterator[TextBlock]:
    """Yield blocks of whole rows; a byte order mark and blank lines at the beginning are left out.

    Args:
        quoted: line ends between double quotes do not end a row.

    Raises:
        UserError: as for `open_unpacked`, or a row is too long for a table.
    """
    rest, line, begun = b"", 1, False
    with open_unpacked(path) as source:
        while data := source.read(BLOCK):
            rest += data
            if not begun:
                first = rest.removeprefix(BYTE_ORDER_MARK).lstrip(b"\r\n")
                line += rest.count(b"\n", 0, len(rest) - len(first))
                rest, begun = first, bool(first)
            end = end_of_rows(rest, quoted)
            if end:
                yield TextBlock(rest[:end], line, source.share)
                line += rest.count(b"\n", 0, end)
                rest = rest[end:]
            elif len(rest) > LONGEST_ROW:
                open_quote = quoted and b"\n" in rest
                why = "a quote that is opened there and never closed" if open_quote else "no end of the line"
                size = f"more than {LONGEST_ROW // 2**20} MiB in one row, from line {line} on"
                raise UserError(f"{path.name}: {size} ({why}); mend the file")
        if rest:
            yield TextBlock(rest, line, source.share)


def end_of_rows(data: bytes, quoted: bool) -> int:
    """Return the position after the last whole row of `data`, which starts with a row; 0 if no row ends."""
    end = data.rfind(b"\n") + 1
    if not quoted or data.count(b'"', 0, end) % 2 == 0:
        return end
    ends = _ends_outside_quotes(data)
    return int(ends[-1]) if len(ends) else 0


def end_of_first_row(data: bytes, quoted: bool) -> int:
    """Return the position after the first row of `data`."""
    end = data.find(b"\n") + 1
    if quoted and data.count(b'"', 0, end) % 2:
        ends = _ends_outside_quotes(data)
        end = int(ends[0]) if len(ends) else 0
    return end or len(data)


def _ends_outside_quotes(data: bytes) -> np.ndarray:
    """Return the positions after those line ends that have an even number of quotes before them."""
    values = np.frombuffer(data, np.uint8)
    between_quotes = np.logical_xor.accumulate(values == ord('"'))
    return np.flatnonzero((values == ord("\n")) & ~between_quotes) + 1
