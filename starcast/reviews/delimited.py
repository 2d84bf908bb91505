"""Read delimited text, block by block."""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import csv

from starcast.cli.errors import UserError, first_line
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import LONGEST_ROW, TextBlock, count, cut_blocks
from starcast.reviews.dialects import Dialect, Row, lines_of
from starcast.reviews.encodings import Text, encoding_advice, is_utf8, likely_encoding, spelling
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import EMPTY, PACKED, SHOWN, ZLIB, Chunk, Rejected, check_width
from starcast.reviews.recognition import (
    SAMPLE,
    Beginning,
    cut_to,
    opens_field,
    recognise_beginning,
    recognise_quoting,
)
from starcast.reviews.unpack import open_unpacked

SEPARATORS = {"csv": ",", "tsv": "\t"}
MORE, FEWER = "more fields than the header", "fewer fields than the header"
BROKEN_QUOTES = "broken quotes"
ANOTHER_ENCODING = 0.05  # of the rows: with more that cannot be decoded, the file is in another encoding


def read_delimited(path: Path, kind: str, reading: Reading) -> Iterator[Chunk]:
    """Yield a table per block of a file whose ending promises a `kind`: `csv` or `tsv`.

    Raises:
        UserError: empty, or not in the encoding told or recognised, or a row is broken or of another width
            than the header and is not to be rejected.
    """
    with open_unpacked(path) as source:
        text = Text(source, path.name, reading.encoding)
        beginning = begin(text, path.name, kind, reading)
        rows = RowEnds(beginning, reading.reject)
        form = Form.of(beginning, path.name, text.encoding, reading)
        blocks = cut_blocks(text, path.name, rows, beginning.line, beginning.dialect.line_end)
        sound = ((block, *rows.of(block.data)) for block in blocks)
        yield from map_ahead(lambda each: replace(form, dialect=each[1]).parse(each[0], each[2]), sound)


def lines_are_rows(path: Path, kind: str, reading: Reading) -> tuple["Form", int] | None:
    """Return the form of a file and how many lines are before its rows, if every line is a row.

    That is so where no field is quoted. Where it cannot be told, or the text is not UTF-8 whose lines end in
    LF, None is returned.
    """
    with open_unpacked(path) as source:
        text = Text(source, path.name, reading.encoding)
        beginning = begin(text, path.name, kind, reading)
        plain = text.encoding == "utf-8" and beginning.dialect.line_end == b"\n" and beginning.line > 1
        dialect = beginning.dialect
        if not plain or dialect.quoted:
            return None
        blocks = cut_blocks(text, path.name, lambda data: data.rfind(b"\n") + 1)
        if not dialect.quoting and any(opens_field(block.data, dialect.separator) for block in blocks):
            return None
    form = Form.of(beginning, path.name, text.encoding, reading)
    return replace(form, dialect=replace(dialect, quoting="none")), beginning.line - 1


def begin(text: Text, name: str, kind: str, reading: Reading) -> Beginning:
    """Recognise the beginning of a text, and skip what comes before the first row of data."""
    blank = 0
    while (sample := text.peek(SAMPLE)) and not sample.strip(b"\r\n"):
        blank += sample.count(b"\n")
        text.skip(len(sample))
    if not sample:
        raise UserError(f"{name}: {EMPTY}")
    if ending := next((ending for magic, ending in PACKED.items() if sample.startswith(magic)), ""):
        raise UserError(f"{name}: it is packed; give it a name that ends in {ending}")
    header = sample.lstrip(b"\r\n").splitlines()[0]
    if not is_utf8(header):
        raise UserError(f"{name}: {_undecodable(sample, header, 1 + blank, text.encoding)}")
    found = recognise_beginning(sample, len(sample) < SAMPLE, SEPARATORS[kind], reading, name)
    check_width(name, len(found.columns))
    text.skip(found.skipped)
    encoding = "" if text.encoding == "utf-8" else f", {spelling(text.encoding)}"
    return replace(found, line=found.line + blank, seen=found.seen + encoding)


class RowEnds:
    """Tells where rows end; recognises the quoting at the first field that begins with a quote."""

    def __init__(self, beginning: Beginning, reject: bool) -> None:
        self.dialect, self._columns, self._reject = beginning.dialect, beginning.columns, reject
        self._sound, self._end = True, 0

    def __call__(self, data: bytes) -> int:
        """Return where the last whole row of data that begins with a row ends; 0 if none does."""
        if not self.dialect.quoting and opens_field(data, self.dialect.separator):
            if before := self._before_quotes(data):
                return before
            if len(data) < SAMPLE:
                return 0
            self._recognise(data[:SAMPLE], whole=False)
        self._end, self._sound = self.dialect.end_of_rows(data, len(self._columns))
        if not self._end and self._reject and len(data) > LONGEST_ROW:
            self._end, self._sound = self.dialect.end_of_rows(data, len(self._columns), whole=True)
        return self._end

    def of(self, data: bytes) -> tuple[Dialect, bool]:
        """Return the dialect of rows just found, and whether their quotes are sound."""
        if not self.dialect.quoting and opens_field(data, self.dialect.separator):
            self._recognise(data, whole=True)
        # What no end was found in is the rest of the file: its last quote may be open.
        closed = len(data) == self._end or not self.dialect.quoted or data.count(b'"') % 2 == 0
        return self.dialect, self._sound and closed

    def _before_quotes(self, data: bytes) -> int:
        opened = re.search(rf'(?<![^{re.escape(self.dialect.separator)}\r\n])"'.encode(), data)
        return data.rfind(self.dialect.line_end, 0, opened.start()) + 1 if opened else 0

    def _recognise(self, data: bytes, whole: bool) -> None:
        header = self.dialect.separator.join(self._columns) + "\n"
        text = header + data.decode("utf-8", "surrogateescape")
        quoting = recognise_quoting(text, self.dialect, len(self._columns), whole)
        self.dialect = replace(self.dialect, quoting=quoting)


@dataclass(frozen=True)
class Form:
    """What is needed to parse a block of rows of a file.

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
    def of(cls, beginning: Beginning, name: str, encoding: str, reading: Reading) -> "Form":
        """Return the form of a file; a name that comes again is numbered, as Polars does."""
        names: dict[str, None] = {}
        for column in beginning.columns:
            repeated, number = column, 0
            while repeated in names:
                repeated, number = f"{column}_duplicated_{number}", number + 1
            names[repeated] = None
        return cls(name, beginning.dialect, list(names), reading, encoding, beginning.seen)

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
        undecodable = sum(why.reason.startswith("not ") for why in rejected.values())
        if undecodable > max(2, ANOTHER_ENCODING * (len(kept) + len(rejected))):
            raise UserError(f"{self.name}: {_undecodable(block.data, block.data, block.line, self.encoding)}")
        try:
            table = self._table(b"".join(kept))
        except pa.ArrowInvalid as error:
            what = f"{self.dialect.describe()}, but not readable ({first_line(error)})"
            raise UserError(f"{self.name}: {what}; mend the file") from None
        return Chunk(_with_nulls(table, rejected), block.share, self.seen, rejected)

    def _table(self, data: bytes) -> pl.DataFrame:
        """Parse rows of the right width; a field that is empty and not quoted becomes null."""
        if not data:
            return pl.DataFrame(schema=dict.fromkeys(self.columns, pl.String))
        if self.dialect.quoting == "escaped" and b"\\" in data:
            data = self.dialect.unescaped(data.decode("latin-1"), r"\\").encode("latin-1")
        # Arrow skips what looks like a byte order mark.
        if (plain := self._plain_table(data)) is not None:
            return plain
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
            damaged = self.encoding == "utf-8" and not likely_encoding(block.data)
            return _undecodable(block.data, raw, line, self.encoding) + (drop if damaged else "")
        where = f"the row that ends in line {line + raw.removesuffix(end).count(end)}"
        if row.fields is None:
            what, mend = f"broken quotes in the row that begins in line {line}", "mend it"
            if b'\\"' in raw:
                mend = "pass quoting=escaped if backslashes escape quotes"
            elif self.dialect.quoting == "doubled":
                mend = "double the quotes within, or pass quoting=none if all quotes are part of the texts"
        else:
            fields = len(cut_to(len(self.columns), row.fields))
            more = reason.split()[0]
            what = f"{more} fields, {fields}, in {where} than in the header, {len(self.columns)}"
            mend = "mend it"
            if self.dialect.quoting == "none" and any(field.startswith('"') for field in row.fields):
                mend = "pass quoting=doubled if fields stand in quotes, else mend it"
        return f"{self.dialect.describe()}, but {what}; {mend}{drop}"


def _undecodable(data: bytes, part: bytes, line: int, encoding: str) -> str:
    """Return which byte of a part, that begins in a line, is not in the encoding, and what to do."""
    try:
        part.decode("utf-8")
    except UnicodeDecodeError as broken:
        line += part.count(b"\n", 0, broken.start)
        byte = f": byte 0x{part[broken.start]:02x}" if encoding == "utf-8" else ""
        return f"not {spelling(encoding)}{byte} in line {line}; {encoding_advice(data, encoding)}"
    raise AssertionError("the part is not valid UTF-8")


def _with_nulls(table: pl.DataFrame, places: dict[int, Rejected]) -> pl.DataFrame:
    """Put rows of nulls at some places of the table that results."""
    if not places:
        return table
    rows, kept = table.height + len(places), iter(range(table.height))
    order = [table.height if place in places else next(kept) for place in range(rows)]
    return pl.concat([table, table.clear(1)])[order]
