"""Read delimited text, block by block."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import BYTE_ORDER_MARK, TextBlock, end_of_first_row
from starcast.reviews.parsing import EMPTY, Chunk, check_width, explained, not_unpacked

SEPARATORS = {"csv": ",", "tsv": "\t"}


def parse_delimited(blocks: Iterator[TextBlock], name: str, kind: str) -> Iterator[Chunk]:
    """Yield a table per block; the first block begins with the header.

    Raises:
        UserError: no block, not UTF-8, or a row with more fields than the header.
    """
    first = next(blocks, None)
    if first is None:
        raise UserError(f"{name}: {EMPTY}")
    header = first.data[: end_of_first_row(first.data, quoted=kind == "csv")]
    check_width(name, header.count(SEPARATORS[kind].encode()) + 1)

    def parse(block: TextBlock, header: bytes = header) -> Chunk:
        """Return the rows of a block that begins behind the header."""
        look = partial(_ragged_row, kind, block, header)
        with explained(name, kind, block, look, header):
            data = header + block.data
            data[: data.find(b"\n")].decode("utf-8")  # Polars checks the values, not the header
            # Amazon's TSV files hold bare quotes: they are written, and read, without quoting.
            quote = '"' if kind == "csv" else None
            source = not_unpacked(data, BYTE_ORDER_MARK)
            table = pl.read_csv(source, separator=SEPARATORS[kind], quote_char=quote, infer_schema=False)
        return Chunk(table, block.share)

    yield parse(first, b"")
    yield from map_ahead(parse, blocks)


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
