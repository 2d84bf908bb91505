"""How the rows and fields of a delimited file are written, and where its rows end."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Literal, NamedTuple

import numpy as np

from starcast.reviews.parameters import SEPARATORS, Quoting

NAMES = {separator: name for name, separator in SEPARATORS.items()}
QUOTE, BACKSLASH = ord('"'), ord("\\")
csv.field_size_limit(2**31 - 1)  # a review may be longer than the module's own limit, 128 KiB


class Row(NamedTuple):
    """A row in lines `begin` to `end` (excluded) of a text; `fields` is None where its quotes are broken."""

    fields: list[str] | None
    begin: int
    end: int


@dataclass(frozen=True)
class Dialect:
    """How rows and fields are written.

    Attributes:
        quoting: quotes within quoted fields are `doubled`, or `escaped` by a backslash; `none`: a quote is a
            character like any other; empty: not known yet, since no field has begun with a quote so far.
        line_end: the last byte of every row.
    """

    separator: str = ","
    quoting: Quoting | Literal[""] = "doubled"
    line_end: bytes = b"\n"

    @property
    def quoted(self) -> bool:
        """Return whether fields in quotes may hold separators and line ends."""
        return self.quoting in ("doubled", "escaped")

    def describe(self) -> str:
        """Return the dialect in words."""
        separated = f"{NAMES.get(self.separator, repr(self.separator))}-separated"
        quotes = {"escaped": ", quotes escaped by backslashes", "none": ", without quoting"}
        ends = ", rows ending in CR" if self.line_end == b"\r" else ""
        return f"{separated}{quotes.get(self.quoting, '')}{ends}"

    def rows(self, lines: list[str], columns: int = 0, whole: bool = True) -> Iterator[Row]:
        """Yield every row but blank lines.

        A row with broken quotes ends before the next line that is a row by itself: with sound quotes, and as
        many fields as there are columns. Only a quote that is never closed is told from one closed later.

        Args:
            whole: whether the file ends with these lines; else a last row that is not finished is left out.
        """
        begin = 0
        while begin < len(lines):
            start, reader = begin, self._reader(islice(lines, begin, None))
            try:
                for fields in reader:
                    end = start + reader.line_num
                    if not is_blank(fields, columns):
                        yield Row(fields, begin, end)
                    begin = end
            except csv.Error:
                if not whole and start + reader.line_num == len(lines):
                    return
                end = begin + 1
                while end < len(lines) and not self._is_row(lines[end], columns):
                    end += 1
                yield Row(None, begin, end)
                begin = end

    def quoted_fields(self) -> re.Pattern[str]:
        """Return a pattern of fields in sound quotes, whose group is what stands between them."""
        border = rf"[^{re.escape(self.separator)}\r\n]"
        inner = r'[^"\\]*(?:(?:""|\\.)[^"\\]*)*' if self.quoting == "escaped" else r'[^"]*(?:""[^"]*)*'
        return re.compile(rf'(?<!{border})"({inner})"(?!{border})', re.DOTALL)

    def end_of_rows(self, data: bytes, columns: int, whole: bool = False) -> tuple[int, bool]:
        """Return where the last whole row of `data` ends (0: none does), and whether all quotes are sound.

        Sound quotes stand around whole fields, and are doubled or escaped within. Others take longer: they
        may be mistakes, or stand within fields that are not quoted.
        """
        end = data.rfind(self.line_end) + 1
        if not self.quoted or QUOTE not in data:
            return end, True
        values = np.frombuffer(data, np.uint8)
        quotes = self._quotes(values)
        if whole or not self._sound(values, quotes):
            return self._end_of_read_rows(data, columns, whole), False
        while end and (before := int(np.searchsorted(quotes, end))) % 2:
            end = data.rfind(self.line_end, 0, int(quotes[before - 1])) + 1
        return end, True

    def unescaped(self, text: str, lone: str) -> str:
        """Return a text where backslashes that escape no quote, separator or backslash are replaced."""
        kept = re.escape(f'"\\{self.separator}')
        return re.sub(rf"(\\[{kept}])|\\", lambda found: found[1] or lone, text)

    def _reader(self, lines: Iterable[str]) -> "csv._reader":  # type: ignore[name-defined]
        if self.quoting == "escaped":  # a backslash escapes no line end
            lines = (self.unescaped(line, " ") for line in lines)
            return csv.reader(lines, delimiter=self.separator, escapechar="\\", strict=True)
        if self.quoted:
            return csv.reader(lines, delimiter=self.separator, strict=True)
        return csv.reader(lines, delimiter=self.separator, quoting=csv.QUOTE_NONE)

    def _is_row(self, line: str, columns: int) -> bool:
        unquoted = self.quoted_fields().sub("", line)
        return '"' not in unquoted and unquoted.count(self.separator) == columns - 1

    def _quotes(self, values: np.ndarray) -> np.ndarray:
        """Return the places of all quotes that are not escaped by a backslash."""
        quotes = np.flatnonzero(values == QUOTE)
        if self.quoting != "escaped":
            return quotes
        escaped, place = np.zeros(len(quotes), bool), quotes - 1
        within = (place >= 0) & (values[place] == BACKSLASH)
        while within.any():  # of several backslashes, every other one is escaped itself
            escaped ^= within
            place -= 1
            within &= (place >= 0) & (values[place] == BACKSLASH)
        return quotes[~escaped]

    def _sound(self, values: np.ndarray, quotes: np.ndarray) -> bool:
        """Tell whether every other quote opens a field, and those between close one or are doubled."""
        border = np.zeros(256, bool)
        border[[ord(self.separator), ord("\r"), ord("\n"), QUOTE]] = True
        opening, closing = quotes[::2], quotes[1::2]
        before = border[values[opening - 1]] | (opening == 0)
        behind = border[values[np.minimum(closing + 1, len(values) - 1)]]
        return bool(before.all() and behind.all())

    def _end_of_read_rows(self, data: bytes, columns: int, whole: bool) -> int:
        lines = lines_of(data.decode("latin-1"))  # one character per byte; all that matters is ASCII
        ends = [0, *accumulate(map(len, lines))]
        last = 0
        for row in self.rows(lines, columns, whole):
            if lines[row.end - 1].endswith(("\n", "\r")):
                last = row.end
        return ends[last]


def lines_of(text: str) -> list[str]:
    """Return the lines of a text with their ends: LF, CRLF or CR."""
    return list(io.StringIO(text, newline=""))


def is_blank(fields: list[str], columns: int) -> bool:
    """Tell whether a line is no row: it is empty or, where rows have several fields, white space."""
    return not fields or (columns > 1 and len(fields) == 1 and not fields[0].strip())
