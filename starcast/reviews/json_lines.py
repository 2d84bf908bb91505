"""Read JSON lines, block by block."""

import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import polars as pl

from starcast.cli.errors import UserError, first_line
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import TextBlock
from starcast.reviews.encodings import is_utf8, undecodable
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import AS_RECOGNISED, EMPTY, PACKED, SHOWN, ZLIB, Chunk, Rejected, check_width

UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError)
MANY_BRACKETS = 100  # in a line
WRITTEN = "\0written"  # the column of the objects as they were written
# Halves of surrogate pairs: what comes from a text cut in the middle of an emoji.
LOW, HIGH = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}", rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
HALF = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (HIGH, LOW, HIGH, LOW))
ESCAPE = re.compile(rb"%b%b|(%b|%b)|\\." % (HIGH, LOW, HIGH, LOW), re.DOTALL)


def columns_of_json_lines(blocks: Iterator[TextBlock], name: str, reject: bool = False) -> list[str]:
    """Return the keys of all objects, in the order in which they come; `reject`: skip lines without one."""
    columns: dict[str, None] = {}
    for block in blocks:
        with _explained(name, block):
            data = _mended(block.data)
            lines = _lines(data)
            keys: list[str] = []
            # Polars finds them four times as fast, but objects nested in hundreds end the process.
            if max((line.count(b"{") + line.count(b"[") for line in lines), default=0) < MANY_BRACKETS:
                with suppress(*UNREADABLE):  # a line is invalid, or no type fits all values of a key
                    keys = pl.read_ndjson(_not_unpacked(data), infer_schema_length=None).columns
            columns.update(dict.fromkeys(keys or (key for line in lines for key in _keys(line, reject))))
        check_width(name, len(columns))
    if not columns:
        raise UserError(f"{name}: {EMPTY}")
    return list(columns)


def parse_json_lines(
    blocks: Iterator[TextBlock],
    name: str,
    columns: list[str],
    reading: Reading = AS_RECOGNISED,
    seen: str = "",
) -> Iterator[Chunk]:
    """Yield a table per block with these columns; values other than text become their JSON.

    If `reading` asks for it, the last column, `WRITTEN`, has the objects as they were written.

    Raises:
        UserError: not UTF-8, or a line that is not a JSON object, unless such rows are to be rejected.
    """
    schema = dict.fromkeys(columns, pl.String)

    def parse(block: TextBlock) -> Chunk:
        """Return a row per line of a block."""
        data, rejected = _mended(block.data), dict[int, Rejected]()
        with _explained(name, block):
            lines = _lines(data) if reading.written else []
            try:
                table = pl.read_ndjson(_not_unpacked(data), schema=schema)
            except UNREADABLE:  # a line is invalid, or has an integer of more than 128 bits, as JSON may
                lines = _lines(data)
                table, rejected = _parse_each(lines, schema, reading.reject)
            if reading.written:
                written = [b"{}" if row in rejected else line for row, line in enumerate(lines)]
                table = table.with_columns(pl.Series(WRITTEN, written, pl.Binary).cast(pl.String))
        return Chunk(table, block.share, seen, rejected)

    return map_ahead(parse, blocks)


def _lines(data: bytes) -> list[bytes]:
    return [line for each in data.split(b"\n") if (line := each.strip())]


def _mended(data: bytes) -> bytes:
    """Return JSON with U+FFFD in place of halves of surrogate pairs, of which Polars makes NUL."""
    if (b"\\ud" not in data and b"\\uD" not in data) or not HALF.search(data):  # a pattern takes longer
        return data
    return ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], data)


def _parse_each(
    lines: list[bytes], schema: dict[str, type[pl.String]], reject: bool
) -> tuple[pl.DataFrame, dict[int, Rejected]]:
    """Return a row per line, parsed one by one, and the rows that are to be rejected."""
    objects, rejected = list[dict[str, str | None]](), dict[int, Rejected]()
    for row, line in enumerate(lines):
        values = dict[str, Any]()
        try:
            values = _object(line.decode())
        except (ValueError, RecursionError):
            if not reject:
                raise
            rejected[row] = Rejected("not a JSON object", line[:SHOWN].decode("utf-8", "replace"))
        objects.append({key: _as_text(value) for key, value in values.items()})
    return pl.DataFrame(objects, schema=schema), rejected


def _as_text(value: object) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value)


def _object(line: str) -> dict[str, Any]:
    value = json.loads(line, parse_constant=_constant)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _constant(name: str) -> str | None:
    """Return what stands for a number that JSON does not know; Python and pandas write NaN for none."""
    return None if name == "NaN" else name


def _keys(line: bytes, reject: bool) -> list[str]:
    try:
        return list(_object(line.decode()))
    except (ValueError, RecursionError):
        if not reject:
            raise
        return []


def _not_unpacked(data: bytes) -> io.BytesIO:
    """Return the bytes after a blank line if Polars would take them for compressed data."""
    return io.BytesIO(b"\n" + data if data.startswith((*PACKED, *ZLIB)) else data)


@contextmanager
def _explained(name: str, block: TextBlock) -> Iterator[None]:
    """Raise a UserError that says in which line the mistake is, if a block cannot be parsed."""
    try:
        yield
    except (*UNREADABLE, ValueError, RecursionError) as error:
        if not is_utf8(block.data):
            what = undecodable(block.data, block.data, block.line, block.encoding)
            raise UserError(f"{name}: {what}") from None
        why = _broken_object(block.line, block.data.decode()) or first_line(error)
        what = f"not readable as JSON ({why}); fix the file, or rename it if it is of another format"
        raise UserError(f"{name}: {what}") from None


def _broken_object(line: int, text: str) -> str:
    """Return which line is the first without a JSON object; empty if there is none."""
    for number, each in enumerate(text.split("\n"), start=line):
        try:
            if each.strip():
                _object(each)
        except (ValueError, RecursionError) as error:
            return f"line {number}: {error}"
    return ""
