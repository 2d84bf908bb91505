"""Recognise from the beginning of a delimited file how it is written, whatever its name ends in.

The separator under which most lines are in rows as wide as the first is taken; quoting is judged by whether
quotes stand around fields that need them. A file that fits nothing is refused where its first bad row is.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import get_args

from starcast.cli.errors import UserError
from starcast.reviews.dialects import NAMES, Dialect, Row, lines_of
from starcast.reviews.parameters import SEPARATORS, Quoting, Reading

SAMPLE = 2**18  # bytes of the beginning that are looked at
TRIED = 2**16  # characters of it for the separator, of which there are several
SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?(?:\r\n|\n|\r)')  # Excel reads, and hides, such a first line
BARE = ("\t", "|")  # separators between which quotes may be characters like any other
MOST_LABELS = 20  # different values in a column of ratings


@dataclass(frozen=True)
class Beginning:
    """What the beginning of a file tells.

    Attributes:
        columns: names of the columns.
        skipped: bytes before the first row of data.
        line: number of the line (from 1) in which that row begins.
        seen: what was recognised, in words.
    """

    dialect: Dialect
    columns: list[str]
    skipped: int
    line: int
    seen: str


def recognise_beginning(sample: bytes, whole: bool, likely: str, reading: Reading, name: str) -> Beginning:
    """Return the dialect, the columns and where the rows begin.

    Args:
        sample: the beginning of the file, and `whole` whether that is all of it; not blank.
        likely: the separator that the name's ending promises; taken where others fit no better.

    Raises:
        UserError: the first row has broken quotes, or there is no header and it is not clear what is what.
    """
    text = sample.decode("utf-8", "surrogateescape")
    body = text.lstrip("\r\n")
    if told := SEPARATOR_LINE.match(body):
        body = body[told.end() :].lstrip("\r\n")
    known = SEPARATORS.get(reading.separator, reading.separator) or (told[1] if told else "")
    separator, columns = _recognise_separator(body, whole, known, likely, reading.quoting)
    dialect, lines = Dialect(separator, reading.quoting), lines_of(body)
    if not reading.quoting and opens_field(body.encode("utf-8", "surrogateescape"), separator):
        dialect = replace(dialect, quoting=recognise_quoting(body, dialect, columns, whole))
    rows = _whole_rows(dialect, lines, columns, whole)
    if not rows or rows[0].fields is None:
        what = "the quotes of its first row are broken"
        raise UserError(f"{name}: {what}; fix it, or pass quoting=none if quotes are part of the texts")
    ends = Counter(lines[row.end - 1][-1:] for row in rows)
    dialect = replace(dialect, line_end=b"\r" if ends.most_common(1)[0][0] == "\r" else b"\n")
    columns = _width([row.fields or [] for row in rows])
    fields = [cut_to(columns, row.fields) for row in rows if row.fields]
    header, seen = fields[0], dialect.describe()
    before = text[: len(text) - len(body)]
    if len(header) < columns:
        header, seen = ["row", *header], f"{seen}, numbers of the rows in a column without a name"
    elif not has_header(fields):
        header, made = make_names([row for row in fields if len(row) == columns], name)
        return Beginning(
            dialect, header, len(before), 1 + before.count(dialect.line_end.decode()), f"{seen}, {made}"
        )
    before += "".join(lines[: rows[0].end])
    skipped = len(before.encode("utf-8", "surrogateescape"))
    return Beginning(dialect, header, skipped, 1 + before.count(dialect.line_end.decode()), seen)


def recognise_quoting(text: str, dialect: Dialect, columns: int, whole: bool) -> Quoting:
    """Return how quotes are written in rows some of whose fields begin with one.

    Evidence of quoting are quotes around fields that need them, as they hold a separator, a line end or
    doubled quotes; evidence of none are quotes that neither stand around a field nor are doubled. Where both
    readings fit, texts between tabs keep their quotes, as Amazon writes them, unless all names of columns
    have some.
    """
    lines = lines_of(text)

    def misfits(quoting: Quoting) -> tuple[int, int]:
        """Return how many lines are in rows that are broken or of another width; how many rows are broken."""
        rows = _whole_rows(replace(dialect, quoting=quoting), lines, columns, whole)
        bad = [row for row in rows[1:] if row.fields is None or len(cut_to(columns, row.fields)) != columns]
        return sum(row.end - row.begin for row in bad), sum(row.fields is None for row in bad)

    quoting: Quoting = "doubled"
    (bad, broken), (bad_unquoted, _) = misfits("doubled"), misfits("none")
    if '\\"' in text and (escaped := misfits("escaped"))[0] < bad:
        quoting, (bad, broken) = "escaped", escaped
    tabs = dialect.separator == "\t"
    if dialect.separator not in BARE or bad_unquoted > (bad if tabs else 0) or not (broken or tabs):
        return quoting
    quoted = replace(dialect, quoting=quoting).quoted_fields()
    inner = quoted.findall(text)
    if tabs and len(quoted.findall(lines[0])) < columns and not _all_quoted(quoted, lines[1:], columns):
        broken += quoted.sub("", text).count('"')
        inner = [each for each in inner if '""' in each or not {"\t", "\n", "\r"}.isdisjoint(each)]
    return quoting if len(inner) > broken else "none"


def _all_quoted(quoted: re.Pattern[str], rows: list[str], columns: int) -> bool:
    """Return whether every field of the rows is in quotes; the last row may be cut off."""
    whole = rows[:-1] or rows
    return bool(whole) and all(len(quoted.findall(row)) == columns for row in whole)


def opens_field(data: bytes, separator: str) -> bool:
    """Tell whether a field of some whole rows begins with a quote."""
    borders = (separator.encode(), b"\n", b"\r")
    return data.startswith(b'"') or any(border + b'"' in data for border in borders)


def _recognise_separator(body: str, whole: bool, known: str, likely: str, quoting: str) -> tuple[str, int]:
    """Return the separator that fits the first rows best, and their number of fields."""
    lines, whole = lines_of(body[:TRIED]), whole and len(body) <= TRIED
    quotings = [each for each in get_args(Quoting) if quoting in ("", each)]

    def fit(separator: str) -> tuple[float, bool, int]:
        """Return the share of the lines in rows as wide as the first, if it has several fields."""
        fits = (_fit(_whole_rows(Dialect(separator, each), lines, 0, whole)) for each in quotings)
        share, columns = max(fits)
        return round(share, 2), separator == likely, columns

    fits = {separator: fit(separator) for separator in ([known] if known else NAMES)}
    best = max(fits, key=fits.__getitem__)
    columns = fits[best][-1]
    return (best, columns) if columns > 1 else (known or likely, 1)


def _fit(rows: list[Row]) -> tuple[float, int]:
    """Return the share of the lines in rows as wide as the first, and that width; 0 of a single column."""
    columns = _width([row.fields or [] for row in rows])
    lines = Counter[bool]()
    for row in rows:
        lines[len(cut_to(columns, row.fields or [])) == columns] += row.end - row.begin
    named_rows = bool(rows) and len(rows[0].fields or ()) < columns
    fitting = lines[True] + named_rows * rows[0].end
    return (fitting / lines.total(), columns) if columns > 1 else (0.0, columns)


def _width(rows: list[list[str]]) -> int:
    """Return the number of fields of a header and its rows: R leaves out the name of the rows' numbers."""
    if not rows:
        return 0
    columns, others = len(rows[0]), rows[1:]
    numbers = {row[0] for row in others if row and row[0].isdecimal()}
    named = bool(rows[0]) and NUMBERED.fullmatch(rows[0][0].strip())
    if named and not all(row[1].isdecimal() for row in others if len(row) > 1):
        return columns  # the header names the numbers: another field is too many, as by a decimal comma
    wider = all(len(row) == columns + 1 for row in others) and any(row[-1] for row in others)
    return columns + (columns > 1 and len(others) > 1 and wider and len(numbers) == len(others))


NUMBERED = re.compile(r"(\w+[ ._-])?(id|nr|no|num|number|index|#)\.?", re.IGNORECASE)


def cut_to(columns: int, fields: list[str]) -> list[str]:
    """Return fields without empty ones at the end beyond the columns, as Excel writes them."""
    used = len(fields)
    while used > columns and not fields[used - 1]:
        used -= 1
    return fields[:used]


def _whole_rows(dialect: Dialect, lines: list[str], columns: int, whole: bool) -> list[Row]:
    """Return the rows of some lines, without a last one that may be cut."""
    rows = list(dialect.rows(lines, columns, whole))
    return rows if whole or len(rows) < 2 else rows[:-1]


NAME = re.compile(
    r"(\w+[ ._-])?(id|text|reviews?|body|comments?|content|title|summary|"
    r"rating|stars?|score|label|sentiment|date)",
    re.IGNORECASE,
)


def has_header(rows: list[list[str]]) -> bool:
    """Tell whether the first of some rows names the columns.

    It does not if one of its fields comes again as a label or rating in its own column, as no name does;
    unless another is a usual name, or the whole row comes again, as where files were put together.
    """
    first, others = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    numbered = first == [str(place) for place in range(len(first))]  # as pandas names columns without names
    if numbered or first in others or any(NAME.fullmatch(field.strip()) for field in first):
        return True
    return not any(
        field and field in below and len(below) <= min(MOST_LABELS, len(others) / 2)
        for field, below in zip(first, map(set, zip(*others, strict=True)), strict=False)
    )


def make_names(rows: list[list[str]], name: str) -> tuple[list[str], str]:
    """Return names for the columns of a file without a header, and what they were taken for, in words.

    Raises:
        UserError: no column, or several, may hold the rating or the text.
    """
    columns = [list(values) for values in zip(*rows, strict=True)]
    lengths = [sum(map(len, values)) / len(values) for values in columns]
    labels = [
        place
        for place, values in enumerate(columns)
        if 2 <= len(set(values)) <= min(MOST_LABELS, len(rows) / 2) and max(map(len, values)) <= MOST_LABELS
    ]
    numbers = [place for place in labels if all(map(_is_number, columns[place]))]
    ratings = numbers or labels
    texts = [
        place
        for place, values in enumerate(columns)
        if place not in labels and sum(" " in value.strip() for value in values) > len(values) / 2
    ]
    if len(ratings) != 1 or not texts:
        what = "it has no header, and which column is the text and which the rating is not clear"
        raise UserError(f"{name}: {what}; put a first line with the names of the columns before it")
    texts.sort(key=lengths.__getitem__, reverse=True)
    roles = {ratings[0]: "rating", texts[0]: "text"}
    if len(texts) == 2:
        roles[texts[1]] = "title"
    names = [roles.get(place, f"column_{place + 1}") for place in range(len(columns))]
    took = ", ".join(f"column {place + 1} for the {role}" for place, role in roles.items())
    return names, f"no header: took {took}"


def _is_number(field: str) -> bool:
    try:
        float(field.replace(",", "."))
    except ValueError:
        return False
    return True
