"""Read a file of reviews in chunks, a few in memory at once: CSV, TSV, JSON lines or Parquet, or compressed.

Values of text formats stay text, so that the checks see what was written; Parquet keeps its types.
"""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from starcast.cli.errors import UserError, first_line
from starcast.reviews import parquet
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import BYTE_ORDER_MARK, TextBlock, end_of_first_row, kind_of, read_blocks

ROWS = 10_000  # in a chunk, at most
LONGEST_VALUE = 1_000_000  # characters: as long as a novel, longer than any review
UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError)
MANY_BRACKETS = 100  # in a line
MOST_COLUMNS = 10_000  # each takes memory in every chunk
EMPTY = "the file is empty; give one with a header and reviews"
SEPARATORS = {"csv": ",", "tsv": "\t"}
# Polars unpacks, without a limit, what begins like one of these; `x^` may also begin the name of a column.
PACKED = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
ZLIB = (b"x\x01", b"x^", b"x\x9c", b"x\xda")


class Chunk(NamedTuple):
    """Some rows of a file; `share` is how much of the file has been read so far, 0 to 1."""

    table: pl.DataFrame
    share: float


def read_chunks(path: Path) -> Iterator[Chunk]:
    """Yield all rows in order, in chunks of one schema, none of them empty.

    Raises:
        UserError: unknown extension, or the file is empty, damaged, not UTF-8, or has too long a value.
    """
    kind, compression = kind_of(path)
    read: Iterator[tuple[pl.DataFrame, float]]
    if kind == "parquet":
        read = parquet.read_tables(path, compression)
    elif kind == "jsonl":  # any line may have a new key, so the file is read twice
        columns = _columns_of_json_lines(read_blocks(path, compression), path.name)
        read = parse_json_lines(read_blocks(path, compression), path.name, columns)
    else:
        read = parse_delimited(read_blocks(path, compression, quoted=kind == "csv"), path.name, kind)
    rows = 0
    for table, share in read:
        for part in table.iter_slices(ROWS):
            _check_lengths(part, rows, path.name)
            rows += part.height
            yield Chunk(part, share)
    if not rows:
        raise UserError(f"{path.name}: a header and no rows; give one with reviews")


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


def parse_delimited(blocks: Iterator[TextBlock], name: str, kind: str) -> Iterator[Chunk]:
    """Yield a table per block; the first block begins with the header.

    Raises:
        UserError: no block, not UTF-8, or a row with more fields than the header.
    """
    first = next(blocks, None)
    if first is None:
        raise UserError(f"{name}: {EMPTY}")
    header = first.data[: end_of_first_row(first.data, quoted=kind == "csv")]
    _check_width(name, header.count(SEPARATORS[kind].encode()) + 1)

    def parse(block: TextBlock, header: bytes = header) -> Chunk:
        """Return the rows of a block that begins behind the header."""
        with _explained(name, kind, block, header):
            data = header + block.data
            data[: data.find(b"\n")].decode("utf-8")  # Polars checks the values, not the header
            # Amazon's TSV files hold bare quotes: they are written, and read, without quoting.
            quote = '"' if kind == "csv" else None
            source = _not_unpacked(data, BYTE_ORDER_MARK)
            table = pl.read_csv(source, separator=SEPARATORS[kind], quote_char=quote, infer_schema=False)
        return Chunk(table, block.share)

    yield parse(first, b"")
    yield from map_ahead(parse, blocks)


def _columns_of_json_lines(blocks: Iterator[TextBlock], name: str) -> list[str]:
    """Return the keys of all objects, in the order in which they come."""
    columns: dict[str, None] = {}
    for block in blocks:
        with _explained(name, "jsonl", block):
            lines = [line for line in block.data.splitlines() if line.strip()]
            keys: list[str] = []
            # Polars finds them four times as fast, but objects nested in hundreds end the process.
            if max((line.count(b"{") + line.count(b"[") for line in lines), default=0) < MANY_BRACKETS:
                with suppress(*UNREADABLE):  # a line is invalid, or no type fits all values of a key
                    keys = pl.read_ndjson(_not_unpacked(block.data, b"\n"), infer_schema_length=None).columns
            columns.update(dict.fromkeys(keys or (key for line in lines for key in _object(line))))
        _check_width(name, len(columns))
    if not columns:
        raise UserError(f"{name}: {EMPTY}")
    return list(columns)


def parse_json_lines(blocks: Iterator[TextBlock], name: str, columns: list[str]) -> Iterator[Chunk]:
    """Yield a table per block with these columns; values other than text become their JSON.

    Raises:
        UserError: not UTF-8, or a line that is not a JSON object.
    """
    schema = dict.fromkeys(columns, pl.String)

    def parse(block: TextBlock) -> Chunk:
        """Return a row per line of a block."""
        with _explained(name, "jsonl", block):
            try:
                table = pl.read_ndjson(_not_unpacked(block.data, b"\n"), schema=schema)
            except UNREADABLE:  # a line is invalid, or has an integer of more than 128 bits, as JSON may
                objects = [_object(line) for line in block.data.splitlines() if line.strip()]
                for each in objects:
                    others = {key: value for key, value in each.items() if not isinstance(value, str | None)}
                    each.update((key, json.dumps(value)) for key, value in others.items())
                table = pl.DataFrame(objects, schema=schema)
        return Chunk(table, block.share)

    return map_ahead(parse, blocks)


def _object(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _not_unpacked(data: bytes, before: bytes) -> io.BytesIO:
    """Return the bytes, after a prefix that Polars skips if it would take them for compressed data."""
    return io.BytesIO(before + data if data.startswith((*PACKED, *ZLIB)) else data)


def _check_width(name: str, columns: int) -> None:
    if columns > MOST_COLUMNS:
        what = f"more than {MOST_COLUMNS:,} columns, which is no table of reviews"
        raise UserError(f"{name}: {what}; remove some")


@contextmanager
def _explained(name: str, kind: str, block: TextBlock, header: bytes = b"") -> Iterator[None]:
    try:
        yield
    except (*UNREADABLE, ValueError, RecursionError) as error:
        raise UserError(f"{name}: {_mistake(kind, block, header, error)}") from None


def _mistake(kind: str, block: TextBlock, header: bytes, error: BaseException) -> str:
    """Read a block that could not be parsed again, and say in which line the mistake is."""
    ending = next((ending for magic, ending in PACKED.items() if block.data.startswith(magic)), "")
    if ending and block.line == 1:
        return f"it is packed; give it a name that ends in {ending}"
    try:
        text = (header + block.data).decode("utf-8")
    except UnicodeDecodeError as broken:
        line = block.line + (header + block.data).count(b"\n", 0, broken.start) - header.count(b"\n")
        what = f"not UTF-8: byte 0x{broken.object[broken.start]:02x} in line {line}"
        return f"{what}; convert it first, e.g. `iconv -f latin1 -t utf-8`"
    found = _broken_object(block) if kind == "jsonl" else _ragged_row(kind, block, header, text)
    why = found or first_line(error)
    return f"not readable as {kind} ({why}); mend the file, or rename it if it is of another format"


def _ragged_row(kind: str, block: TextBlock, header: bytes, text: str) -> str:
    """Return where the first row with more fields than the header ends; empty if there is none."""
    lines = io.StringIO(text, newline="")
    rows = csv.reader(lines) if kind == "csv" else csv.reader(lines, csv.excel_tab, quoting=csv.QUOTE_NONE)
    with suppress(csv.Error):
        wanted = len(next(rows))
        before = rows.line_num if header else 0
        for row in rows:
            if len(row) > wanted:
                end = block.line + rows.line_num - before - 1
                where = f"in the row that ends in line {end}"
                return f"more fields, {len(row)}, {where} than in the header, {wanted}"
    return ""


def _broken_object(block: TextBlock) -> str:
    """Return which line is the first without a JSON object; empty if there is none."""
    for number, line in enumerate(block.data.split(b"\n"), start=block.line):
        try:
            if line.strip():
                _object(line)
        except (ValueError, RecursionError) as error:
            return f"line {number}: {error}"
    return ""
