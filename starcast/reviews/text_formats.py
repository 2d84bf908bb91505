"""CSV, TSV and JSON lines: blocks of whole rows become tables in which every value is text."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import polars as pl

from starcast.cli.errors import UserError, first_line
from starcast.reviews.ahead import map_ahead
from starcast.reviews.rows import TextBlock, end_of_first_row

NOT_READ = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError)
MANY_BRACKETS = 100  # in a line
MOST_COLUMNS = 10_000  # each takes memory in every chunk
SEPARATORS = {"csv": ",", "tsv": "\t"}
# Polars unpacks, without a bound, what begins like one of these; `x^` may also begin the name of a column.
PACKED = {
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"x\x01": "",
    b"x^": "",
    b"x\x9c": "",
    b"x\xda": "",
}
UTF8_MARK = b"\xef\xbb\xbf"


def parse_delimited(blocks: Iterator[TextBlock], name: str, kind: str) -> Iterator[pl.DataFrame]:
    """A table per block; the first block begins with the header.

    Raises:
        UserError: no block, not UTF-8, or a row with more fields than the header.
    """
    first = next(blocks, None)
    if first is None:
        raise _empty(name)
    header = first.data[: end_of_first_row(first.data, quoted=kind == "csv")]
    _check_width(name, header.count(SEPARATORS[kind].encode()) + 1)
    yield _parse_rows(name, kind, b"", first)
    yield from map_ahead(partial(_parse_rows, name, kind, header), blocks)


def _parse_rows(name: str, kind: str, header: bytes, block: TextBlock) -> pl.DataFrame:
    with _mistakes_told(name, kind, block, header):
        return _read_csv(header + block.data, kind)


def _read_csv(data: bytes, kind: str) -> pl.DataFrame:
    data[: data.find(b"\n")].decode("utf-8")  # Polars checks the values, not the header
    # Amazon's TSV files hold bare quotes: they are written, and read, without quoting.
    quote = '"' if kind == "csv" else None
    return pl.read_csv(
        _not_unpacked(data, UTF8_MARK), separator=SEPARATORS[kind], quote_char=quote, infer_schema=False
    )


def _not_unpacked(data: bytes, before: bytes) -> io.BytesIO:
    """The bytes for Polars, with something in front that it passes over where it would take them for packed ones."""
    return io.BytesIO(before + data if data.startswith(tuple(PACKED)) else data)


def columns_of_json_lines(blocks: Iterator[TextBlock], name: str) -> list[str]:
    """The keys of all objects, in the order in which they come.

    Raises:
        UserError: no block, not UTF-8, or a line that is not a JSON object.
    """
    columns: dict[str, None] = {}
    for block in blocks:
        with _mistakes_told(name, "jsonl", block):
            columns.update(dict.fromkeys(_keys(block.data)))
        _check_width(name, len(columns))
    if not columns:
        raise _empty(name)
    return list(columns)


def _keys(data: bytes) -> list[str]:
    lines = [line for line in data.splitlines() if line.strip()]
    # Polars' way to find them is four times as fast, but objects nested in hundreds end the process.
    if max((line.count(b"{") + line.count(b"[") for line in lines), default=0) < MANY_BRACKETS:
        with suppress(*NOT_READ):  # a line is broken, or a key has values that no type holds together
            return list(pl.read_ndjson(_not_unpacked(data, b"\n"), infer_schema_length=None).columns)
    return list({key: None for line in lines for key in _object(line)})


def _object(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def parse_json_lines(blocks: Iterator[TextBlock], name: str, columns: list[str]) -> Iterator[pl.DataFrame]:
    """A table per block with these columns: what is not text becomes the text that JSON writes for it.

    Raises:
        UserError: not UTF-8, or a line that is not a JSON object.
    """
    return map_ahead(partial(_parse_objects, name, columns), blocks)


def _parse_objects(name: str, columns: list[str], block: TextBlock) -> pl.DataFrame:
    with _mistakes_told(name, "jsonl", block):
        return _read_objects(block.data, dict.fromkeys(columns, pl.String))


def _read_objects(data: bytes, schema: dict[str, type[pl.String]]) -> pl.DataFrame:
    try:
        return pl.read_ndjson(_not_unpacked(data, b"\n"), schema=schema)
    except NOT_READ:  # a line is broken, or holds a whole number of more than 128 bits, which JSON allows
        objects = [_object(line) for line in data.splitlines() if line.strip()]
        texts = [
            {k: v if v is None or isinstance(v, str) else json.dumps(v) for k, v in each.items()}
            for each in objects
        ]
        return pl.DataFrame(texts, schema=schema)


def _check_width(name: str, columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise UserError(
            f"{name}: more than {MOST_COLUMNS:,} columns, which is no table of reviews; take out those not needed"
        )


def _empty(name: str) -> UserError:
    return UserError(f"{name}: the file is empty; give one with a header and reviews")


@contextmanager
def _mistakes_told(name: str, kind: str, block: TextBlock, header: bytes = b"") -> Iterator[None]:
    try:
        yield
    except (*NOT_READ, ValueError, RecursionError) as error:
        raise UserError(f"{name}: {_why(block, kind, header, error)}") from None


def _why(block: TextBlock, kind: str, header: bytes, error: BaseException) -> str:
    ending = next((ending for magic, ending in PACKED.items() if ending and block.data.startswith(magic)), "")
    if ending and block.line == 1:
        return f"it is packed; give it a name that ends in {ending}"
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as broken:
        line, byte = block.line + block.data.count(b"\n", 0, broken.start), block.data[broken.start]
        return (
            f"not UTF-8: byte 0x{byte:02x} in line {line}; convert it first, e.g. `iconv -f latin1 -t utf-8`"
        )
    found = _broken_object(block) if kind == "jsonl" else _ragged_row(block, kind, header)
    return (
        f"not readable as {kind} ({found or first_line(error)}); mend the file, or rename it if it is of another format"
    )


def _ragged_row(block: TextBlock, kind: str, header: bytes) -> str:
    """Where the first row stands that has more fields than the header; empty if none has."""
    text = io.StringIO((header + block.data).decode("utf-8"), newline="")
    rows = csv.reader(text) if kind == "csv" else csv.reader(text, csv.excel_tab, quoting=csv.QUOTE_NONE)
    try:
        wanted = len(next(rows))
        before = rows.line_num if header else 0
        for row in rows:
            if len(row) > wanted:
                line = block.line + rows.line_num - before - 1
                return f"more fields, {len(row)}, in the row that ends in line {line} than in the header, {wanted}"
    except csv.Error:
        return ""
    return ""


def _broken_object(block: TextBlock) -> str:
    """Which line is the first that holds no JSON object; empty if none is."""
    for number, line in enumerate(block.data.split(b"\n"), start=block.line):
        try:
            if line.strip():
                _object(line)
        except (ValueError, RecursionError) as error:
            return f"line {number}: {error}"
    return ""
