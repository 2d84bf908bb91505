"""Parse blocks of delimited rows: all at once, or row by row where anything is amiss."""

from codecs import BOM_UTF8
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import polars as pl
import pyarrow as pa
from pyarrow import csv

from starcast.cli.errors import UserError, first_line
from starcast.reviews.blocks import TextBlock, count
from starcast.reviews.dialects import Dialect, Row, lines_of
from starcast.reviews.encodings import is_utf8, likely_encoding, spelling, undecodable
from starcast.reviews.layouts import unique_names
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import PACKED, SHOWN, ZLIB, Chunk, Rejected
from starcast.reviews.recognition import (
    Beginning,
    cut_to,
)

MORE, FEWER = "more fields than the header", "fewer fields than the header"
BROKEN_QUOTES = "broken quotes"
ANOTHER_ENCODING = 0.05  # of the rows: with more that cannot be decoded, the file is in another encoding


@dataclass(frozen=True)
class RowParser:
    """Parses the blocks of a file whose dialect and columns are known.

    Attributes:
        columns: names of the columns, all different.
        seen: what was recognised, in words.
    """

    name: str
    dialect: Dialect
    columns: list[str]
    reading: Reading
    encoding: str = "utf-8"
    seen: str = ""

    @classmethod
    def of(cls, beginning: Beginning, name: str, encoding: str, reading: Reading) -> "RowParser":
        """Return the parser of a file."""
        names = unique_names(beginning.columns)
        return cls(name, beginning.dialect, names, reading, encoding, beginning.seen)

    def parse(self, block: TextBlock, sound: bool = True) -> Chunk:
        """Return the rows of a block; row by row where quotes are not sound or anything else is amiss.

        Raises:
            UserError: a row cannot be read, and is not to be rejected.
        """
        if sound:
            with suppress(pa.ArrowInvalid):
                return Chunk(self._table(block.data), block.share, self.seen)
        lines, kept, rejected = lines_of(block.data.decode("latin-1")), list[bytes](), dict[int, Rejected]()
        all_utf8 = is_utf8(block.data)
        for number, row in enumerate(self.dialect.rows(lines, len(self.columns))):
            raw = "".join(lines[row.begin : row.end]).encode("latin-1")
            reason = "" if all_utf8 or is_utf8(raw) else f"not {spelling(self.encoding)}"
            reason = reason or self._misfit(row)
            if not reason:
                kept.append(self._cut(raw, row))
                continue
            if not self.reading.reject:
                raise UserError(f"{self.name}: {self._refusal(block, lines, row, raw, reason)}")
            rejected[number] = Rejected(reason, " ".join(raw.decode("utf-8", "replace")[:SHOWN].split()))
        broken = sum(why.reason.startswith("not ") for why in rejected.values())
        if broken > max(2, ANOTHER_ENCODING * (len(kept) + len(rejected))):
            raise UserError(f"{self.name}: {undecodable(block.data, block.data, block.line, self.encoding)}")
        try:
            table = self._table(b"".join(kept), plain=False)
        except pa.ArrowInvalid as error:
            what = f"{self.dialect.describe()}, but not readable ({first_line(error)})"
            raise UserError(f"{self.name}: {what}; fix the file") from None
        return Chunk(_with_nulls(table, rejected), block.share, self.seen, rejected)

    def _table(self, data: bytes, plain: bool = True) -> pl.DataFrame:
        """Parse rows of the right width; a field that is empty and not quoted becomes null.

        Without `plain`, fields may have quotes that do not enclose them: Polars would end texts there.
        """
        if not data:
            return pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String))
        if self.dialect.quoting == "escaped" and b"\\" in data:
            data = self.dialect.unescaped(data.decode("latin-1"), r"\\").encode("latin-1")
        if plain and (read := self._plain_table(data)) is not None:
            return read
        # Arrow skips what looks like a byte order mark.
        source = pa.py_buffer(b"\n" + data if data.startswith(b"\xef") else data)
        reading = csv.ReadOptions(use_threads=False, block_size=len(source) + 1, column_names=self._places)
        rows = csv.read_csv(pa.BufferReader(source), reading, self._parsing, self._conversion)
        table = pl.from_arrow(rows, rechunk=False)
        assert isinstance(table, pl.DataFrame), "a table has columns"
        table.columns = self.columns
        return table

    def _plain_table(self, data: bytes) -> pl.DataFrame | None:
        """Parse rows with Polars, which takes less time; None if it may read them in another sense.

        It takes CR for a part of a text, and fills blank lines and rows that lack fields with nulls: the last
        column has one then.
        """
        if self.dialect.quoting == "escaped" or b"\r" in data or data.startswith((*PACKED, *ZLIB, BOM_UTF8)):
            return None
        schema, quote = dict.fromkeys(self.columns, pl.String), '"' if self.dialect.quoted else None
        with suppress(pl.exceptions.PolarsError):
            table = pl.read_csv(
                data, has_header=False, schema=schema, separator=self.dialect.separator, quote_char=quote
            )
            if not table.to_series(-1).null_count():
                return table
            # Rows with more fields are refused, so the separators outside texts tell whether one has fewer.
            within = pl.all().str.count_matches(self.dialect.separator, literal=True).sum()
            separators = count(data, self.dialect.separator.encode())
            if b'"' in data:
                separators -= sum(each or 0 for each in table.select(within).row(0))
            if separators == table.height * (len(self.columns) - 1) > 0:
                return table
        return None

    @cached_property
    def _places(self) -> list[str]:
        return [str(place) for place, _ in enumerate(self.columns)]

    @cached_property
    def _parsing(self) -> csv.ParseOptions:
        return csv.ParseOptions(
            delimiter=self.dialect.separator,
            quote_char='"' if self.dialect.quoted else False,
            escape_char="\\" if self.dialect.quoting == "escaped" else False,
            newlines_in_values=self.dialect.quoted,
        )

    @cached_property
    def _conversion(self) -> csv.ConvertOptions:
        return csv.ConvertOptions(
            column_types=dict.fromkeys(self._places, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def _misfit(self, row: Row) -> str:
        """Return why the fields of a row cannot be read; empty if they can."""
        if row.fields is None:
            return BROKEN_QUOTES
        fields = len(cut_to(len(self.columns), row.fields))
        return MORE if fields > len(self.columns) else FEWER if fields < len(self.columns) else ""

    def _cut(self, raw: bytes, row: Row) -> bytes:
        """Return a row without empty fields beyond the columns."""
        more = len(row.fields or ()) - len(self.columns)
        if more <= 0:
            return raw
        raw = raw.rstrip(b"\r\n")
        for _ in range(more):
            raw = raw.removesuffix(b'""').removesuffix(self.dialect.separator.encode())
        return raw + self.dialect.line_end

    def _refusal(self, block: TextBlock, lines: list[str], row: Row, raw: bytes, reason: str) -> str:
        """Return what is wrong with a row, in which line, and what to do."""
        end = self.dialect.line_end
        line = block.line + "".join(lines[: row.begin]).encode("latin-1").count(end)
        drop = ", or leave such rows out with on_bad_rows=drop" if self.reading.may_reject else ""
        if reason.startswith("not "):
            damaged = self.encoding != "utf-8" or not likely_encoding(block.data)
            return undecodable(block.data, raw, line, self.encoding) + (drop if damaged else "")
        where = f"the row that ends in line {line + raw.removesuffix(end).count(end)}"
        if row.fields is None:
            what, fix = f"broken quotes in the row that begins in line {line}", "fix it"
            if b'\\"' in raw:
                fix = "pass quoting=escaped if backslashes escape quotes"
            elif self.dialect.quoting == "doubled":
                fix = "double the quotes within, or pass quoting=none if all quotes are part of the texts"
        else:
            fields = len(cut_to(len(self.columns), row.fields))
            more = reason.split()[0]
            what = f"{more} fields, {fields}, in {where} than in the header, {len(self.columns)}"
            fix = "fix it"
            if self.dialect.quoting == "none" and any(field.startswith('"') for field in row.fields):
                fix = "pass quoting=doubled if fields stand in quotes, else fix it"
        return f"{self.dialect.describe()}, but {what}; {fix}{drop}"


def _with_nulls(table: pl.DataFrame, places: dict[int, Rejected]) -> pl.DataFrame:
    """Put rows of nulls at some places of the table that results."""
    if not places:
        return table
    rows, kept = table.height + len(places), iter(range(table.height))
    order = [table.height if place in places else next(kept) for place in range(rows)]
    return pl.concat([table, table.clear(1)])[order]
