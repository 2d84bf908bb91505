"""Read a file in blocks of whole rows and decompress it on the way, so that any file needs little memory.

A file that unpacks to far too much is refused. Polars' own streaming readers take a third less time, but an
unclosed quote or an endless compressed row fills the memory, and their errors name no line.
"""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import pyarrow as pa

from starcast.cli.errors import UserError

BLOCK = 4 * 2**20  # bytes read at once
LONGEST_ROW = 16 * 2**20  # bytes: a file with a longer row is not a table, or has an unclosed quote
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
JSON_LINES = (".jsonl", ".ndjson", ".json")
FORMATS = {".csv": "csv", ".tsv": "tsv", **dict.fromkeys(JSON_LINES, "jsonl"), ".parquet": "parquet"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
# Text compresses to a tenth or a twentieth. A file beyond this was made to fill a disk or memory.
MOST_TIMES, ALWAYS_ALLOWED = 200, 100 * 2**20  # times the compressed size; bytes
# RuntimeError: an encrypted zip.
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)


def kind_of(path: Path) -> tuple[str, str]:
    """Return a file's format and compression (empty: none) by its extension; raise a UserError if unknown."""
    suffixes = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    compression = COMPRESSIONS.get(suffixes[-1], "")
    kind = FORMATS.get(suffixes[-2] if compression else suffixes[-1])
    if kind is None:
        what = f"format not known by its name; use {', '.join(FORMATS)}, also with .gz, .zip or .zst"
        raise UserError(f"{path.name}: {what}")
    return kind, compression


class Unpacked:
    """The bytes of a file, unpacked as they are read."""

    def __init__(self, name: str, compression: str, raw: BinaryIO, unpacking: IO[bytes]) -> None:
        self.raw, self._name, self._compression, self._unpacking = raw, name, compression, unpacking
        self._size, self._given = os.fstat(raw.fileno()).st_size, 0

    def read(self, size: int) -> bytes:
        """Return at most `size` more bytes, none at the end; raise a UserError if damaged or too large."""
        with _explained(self._name, self._compression):
            data = bytes(self._unpacking.read(size))
        self._given += len(data)
        if self._compression:
            check_growth(self._name, self.raw.tell(), self._given)
        return data

    @property
    def share(self) -> float:
        """Return how much of the file has been read, 0 to 1."""
        return min(1.0, self.raw.tell() / max(1, self._size))


def check_growth(name: str, packed: int, unpacked: int) -> None:
    """Raise a UserError if a file unpacks to far more bytes than text does."""
    if unpacked > max(ALWAYS_ALLOWED, MOST_TIMES * packed):
        what = f"unpacks to more than {MOST_TIMES} times its size, which reviews do not"
        raise UserError(f"{name}: {what}; fetch it again, or unpack it yourself if you know what it is")


@contextmanager
def open_unpacked(path: Path, compression: str) -> Iterator[Unpacked]:
    """Open the stream of a file or, for a zip, of its only member, whose name is not used.

    Raises:
        UserError: the file is missing or not of this compression, or a zip has no or several members.
    """
    with ExitStack() as stack:
        with _explained(path.name, compression):
            raw = stack.enter_context(path.open("rb"))
            unpacking: IO[bytes] = raw
            if compression == "zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                members = [member for member in archive.infolist() if not member.is_dir()]
                if len(members) != 1:
                    what = f"holds {len(members)} files; one file of reviews is expected"
                    raise UserError(f"{path.name}: {what}")
                # Python unpacks other methods in steps of any size: a bomb would fill the memory unnoticed.
                if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    what = "not packed with deflate; pack it with `zip`, or unpack it yourself"
                    raise UserError(f"{path.name}: {what}")
                unpacking = stack.enter_context(archive.open(members[0]))
            elif compression:
                packed = pa.PythonFile(raw, mode="r")
                unpacking = stack.enter_context(pa.CompressedInputStream(packed, compression))
        yield Unpacked(path.name, compression, raw, unpacking)


@contextmanager
def _explained(name: str, compression: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        what, remedy = compression or "a file", "unpack it yourself, or fetch it again"
        raise UserError(f"{name}: cannot be read as {what} ({error}); {remedy}") from None


@dataclass(frozen=True)
class TextBlock:
    """Whole rows, the number of the line they begin in (from 1), and the share of the file read with them."""

    data: bytes
    line: int
    share: float = 0.0


def read_blocks(path: Path, compression: str, quoted: bool = False) -> Iterator[TextBlock]:
    """Yield blocks of whole rows; a byte order mark and blank lines at the beginning are left out.

    Args:
        quoted: line ends between double quotes do not end a row.

    Raises:
        UserError: as for `open_unpacked`, or a row is too long for a table.
    """
    rest, line, begun = b"", 1, False
    with open_unpacked(path, compression) as source:
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
