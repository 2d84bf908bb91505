"""Read delimited text, block by block."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from starcast.cli.errors import UserError
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import LONGEST_ROW, cut_blocks
from starcast.reviews.dialects import Dialect
from starcast.reviews.encodings import Text, is_utf8, spelling, undecodable
from starcast.reviews.parameters import Reading
from starcast.reviews.parsing import EMPTY, PACKED, Chunk, check_width
from starcast.reviews.recognition import (
    SAMPLE,
    Beginning,
    opens_field,
    recognise_beginning,
    recognise_quoting,
)
from starcast.reviews.row_parser import RowParser
from starcast.reviews.unpack import open_unpacked, table_name

SEPARATORS = {"csv": ",", "tsv": "\t"}


def read_delimited(path: Path, kind: str, reading: Reading) -> Iterator[Chunk]:
    """Yield a table per block of a file whose ending promises a `kind`: `csv` or `tsv`.

    Raises:
        UserError: empty, or not in the encoding told or recognised, or a row is broken or of another width
            than the header and is not to be rejected.
    """
    with open_unpacked(path) as source:
        text = Text(source, table_name(path), reading.encoding)
        beginning = begin(text, table_name(path), kind, reading)
        rows = RowEnds(beginning, reading.reject)
        parser = RowParser.of(beginning, table_name(path), text.encoding, reading)
        blocks = cut_blocks(text, table_name(path), rows, beginning.line, beginning.dialect.line_end)
        sound = ((block, *rows.of(block.data)) for block in blocks)
        yield from map_ahead(lambda each: replace(parser, dialect=each[1]).parse(each[0], each[2]), sound)


def lines_are_rows(path: Path, kind: str, reading: Reading) -> tuple[RowParser, int] | None:
    """Return a parser of a file's rows, and how many lines are before its rows, if every line is a row.

    That is so where no field is quoted. Where it cannot be told, or the text is not UTF-8 whose lines end in
    LF, None is returned.
    """
    with open_unpacked(path) as source:
        text = Text(source, table_name(path), reading.encoding)
        beginning = begin(text, table_name(path), kind, reading)
        plain = text.encoding == "utf-8" and beginning.dialect.line_end == b"\n" and beginning.line > 1
        dialect = beginning.dialect
        if not plain or dialect.quoted:
            return None
        blocks = cut_blocks(text, table_name(path), lambda data: data.rfind(b"\n") + 1)
        if not dialect.quoting and any(opens_field(block.data, dialect.separator) for block in blocks):
            return None
    parser = RowParser.of(beginning, table_name(path), text.encoding, reading)
    return replace(parser, dialect=replace(dialect, quoting="none")), beginning.line - 1


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
        raise UserError(f"{name}: {undecodable(sample, header, 1 + blank, text.encoding)}")
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
            self._end, self._sound = self.dialect.end_of_rows(data, len(self._columns))
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
