"""Files of every dialect, and something wrong in each: what is left unharmed is known."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import polars as pl
import pyarrow as pa

ROWS = 120
PRAISE = ("lovely", "perfect", "soft", "great", "fits", "wouldn\u2019t change it", "très bien", "size 9½")
BLAME = ("awful", "cheap", "torn", "itchy", "returned", "don\u2019t buy", "naïve of me", "£40 gone")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
LINE_ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")
ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".gz", ".zip", ".csv.gz", "")
Row = tuple[str, str]  # rating and text


class Written(NamedTuple):
    """A file in parts: what stands before the rows, each row, what stands behind them; or all in one part.

    `rows_of` counts the rows of delimited text with Python's own reader.
    """

    dialect: str
    ending: str
    parts: list[bytes]
    encoding: str = "utf-8"
    rows_of: Callable[[str], int] | None = None


class Mutated(NamedTuple):
    """Content, the numbers of the rows that are unharmed in it (from 0), and how many rows it must have.

    Parquet and zstd have no checksums: of a bit flipped there only the number of rows is known,
    in text within zstd as Python's own reader still finds them.
    """

    what: str
    content: bytes
    unharmed: set[int]
    least: int = 0


Change = Callable[[], Mutated]


def reviews(chance: random.Random, plain: bool) -> list[Row]:
    """Return reviews with what makes reading hard; `plain`: without separators, quotes and line ends."""
    found = []
    for number in range(ROWS):
        stars = number % 5 + 1
        words = [chance.choice(PRAISE if chance.random() < stars / 6 else BLAME) for _ in range(9)]
        text = " ".join(words)
        if not plain:
            hard = [", ", "; ", "\t", " | ", ' "quoted" ', "\nnext line: ", " back\\slash ", "'s ", ""]
            text = chance.choice(hard).join((text, f"number {number}"))
        found.append((str(stars), f"{text} number {number}" if plain else text))
    return found


def delimited(chance: random.Random) -> tuple[Written, list[Row]]:
    """Return a file of delimited text in one of its dialects."""
    separator, line_end = chance.choice([*SEPARATORS]), chance.choice([*LINE_ENDS])
    quoting, encoding = chance.choice(["quoted", "needed", "escaped", "bare"]), chance.choice(ENCODINGS)
    header = chance.random() < 0.85
    rows = reviews(chance, plain=quoting == "bare" or line_end == "CR")
    options: dict[str, dict[str, object]] = {
        "quoted": {"quoting": csv.QUOTE_ALL},
        "needed": {"quoting": csv.QUOTE_MINIMAL},
        "escaped": {"quoting": csv.QUOTE_ALL, "doublequote": False, "escapechar": "\\"},
        "bare": {"quoting": csv.QUOTE_NONE, "quotechar": None},
    }
    how = {**options[quoting], "delimiter": SEPARATORS[separator], "lineterminator": LINE_ENDS[line_end]}

    def line(values: tuple[str, ...]) -> str:
        """Return a row as it is written."""
        text = io.StringIO(newline="")
        csv.writer(text, **how).writerow(values)  # type: ignore[arg-type]
        return text.getvalue()

    lines = [line(("rating", "text")) if header else "", *map(line, rows), ""]
    codec = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    parts = [text.encode(codec) for text in lines]
    parts[0] = {"utf-16": b"\xff\xfe", "utf-8-sig": b"\xef\xbb\xbf"}.get(encoding, b"") + parts[0]
    ending = chance.choice([".csv", ".csv", ".tsv", ".txt"])
    name = f"{separator}, {quoting}, {line_end}, {encoding}{'' if header else ', no header'}"

    def rows_of(content: str) -> int:
        """Return the number of rows that Python's reader finds, or 0 if it finds a mistake."""
        form = {key: value for key, value in how.items() if key != "lineterminator"}
        try:
            read = csv.reader(io.StringIO(content, newline=""), **form)  # type: ignore[arg-type]
            return sum(bool(row) for row in read) - header
        except csv.Error:
            return 0

    return Written(name, ending, parts, codec, rows_of), rows


def json_text(chance: random.Random) -> tuple[Written, list[Row]]:
    """Return a file of JSON, as lines, an array or a pretty array."""
    rows, kind = reviews(chance, plain=False), chance.choice(["lines", "array", "pretty"])
    ascii_only = chance.random() < 0.5
    objects = [
        json.dumps(
            {"rating": int(stars), "text": text},
            ensure_ascii=ascii_only,
            indent=2 if kind == "pretty" else None,
        ).encode()
        for stars, text in rows
    ]
    if kind == "lines":
        parts = [b"", *(each + b"\n" for each in objects), b""]
    else:
        parts = [b"[\n", *(each + b",\n" for each in objects[:-1]), objects[-1] + b"\n", b"]\n"]
    return Written(f"JSON {kind}", chance.choice([".json", ".jsonl"]), parts), rows


def parquet(chance: random.Random) -> tuple[Written, list[Row]]:
    """Return a Parquet file, which is one part: any damage may be anywhere."""
    rows, content = reviews(chance, plain=False), io.BytesIO()
    table = pl.DataFrame({"rating": [int(stars) for stars, _ in rows], "text": [text for _, text in rows]})
    table.write_parquet(content, compression=chance.choice(["zstd", "snappy", "uncompressed"]))
    return Written("Parquet", ".parquet", [content.getvalue()]), rows


def around(parts: list[bytes], *places: int) -> set[int]:
    """Return the numbers of the rows that a change at these bytes may harm, neighbours included."""
    ends = list(accumulate(map(len, parts)))
    harmed = set()
    for place in places:
        part = next((number for number, end in enumerate(ends) if place < end), len(parts) - 1)
        harmed |= {part - 2, part - 1, part}  # row 0 is part 1
    return harmed


def mutate(written: Written, chance: random.Random) -> Mutated:
    """Return the file with something wrong in it, or nothing."""
    if len(written.parts) == 1:
        return mutate_whole(written, chance)
    changes = [*bytes_changed(written, chance), *rows_changed(written, chance)]
    return chance.choice(changes)()


def mutate_whole(written: Written, chance: random.Random) -> Mutated:
    """Return a file whose rows cannot be told apart with a bit flipped, or cut, or as it was."""
    [content] = written.parts
    at, flipped = chance.randrange(len(content)), bytearray(content)
    flipped[at] ^= 1 << chance.randrange(8)
    damages = {"nothing": content, "a bit flipped": bytes(flipped), "cut": content[:at]}
    what, checked = chance.choice([*damages]), written.dialect in (".gz", ".zip")
    known = checked or what != "a bit flipped"
    return Mutated(what, damages[what], set(range(ROWS)) if known else set(), ROWS - 1)


def bytes_changed(written: Written, chance: random.Random) -> list[Change]:
    """Return ways of changing bytes anywhere, which harm the rows around."""
    parts, content = written.parts, b"".join(written.parts)
    size, everyone, span = len(content), set(range(ROWS)), chance.randrange(1, 60)
    at, other = chance.randrange(size), chance.randrange(size)

    def spot(what: str, changed: bytes, *places: int) -> Mutated:
        """Return a change at some places."""
        return Mutated(what, changed, everyone - around(parts, *places))

    def bits() -> Mutated:
        """Return the file with up to four bits flipped."""
        flipped, places = bytearray(content), [chance.randrange(size) for _ in range(chance.randrange(1, 5))]
        for place in places:
            flipped[place] ^= 1 << chance.randrange(8)
        return spot("bits flipped", bytes(flipped), *places)

    def inserted() -> Mutated:
        """Return the file with a character too many."""
        what = chance.choice(['"', '""', "\0", ",", ";", "\t", "|", "\n", "\r\n", "\\", "{", "]", "é"])
        return spot(f"inserted {what!r}", content[:at] + what.encode(written.encoding) + content[at:], at)

    def swapped() -> Mutated:
        """Return the file with two blocks of bytes exchanged."""
        low, high = sorted((at, other))
        if low + span > high:
            return bits()
        first, second = content[low : low + span], content[high : high + span]
        changed = content[:low] + second + content[low + span : high] + first + content[high + span :]
        return spot("blocks swapped", changed, *range(low, low + span + 1), *range(high, high + span + 1))

    def replaced(what: str, by: bytes) -> Mutated:
        """Return the file with some bytes replaced."""
        return spot(what, content[:at] + by + content[at + span :], *range(at, at + span + 1))

    before_cut = {row for row in everyone if sum(map(len, parts[: row + 2])) <= at}
    return [
        lambda: Mutated("nothing", content, everyone),
        bits,
        inserted,
        swapped,
        lambda: Mutated("cut", content[:at], before_cut),
        lambda: replaced("bytes removed", b""),
        lambda: replaced("NULs written over", bytes(span)),
        lambda: Mutated("NULs behind", content + bytes(span), everyone - {ROWS - 1}),
    ]


def rows_changed(written: Written, chance: random.Random) -> list[Change]:
    """Return ways of changing whole rows, which harm no other."""
    parts, everyone = written.parts, set(range(ROWS))
    ends = (end.encode(written.encoding) for end in ("\r\n", "\n", "\r"))
    line_end = next((end for end in ends if parts[2].endswith(end)), "\n".encode(written.encoding))

    def between(what: str, more: bytes) -> Mutated:
        """Return the file with something between two rows."""
        place = chance.randrange(1, len(parts) - 1)
        return Mutated(what, b"".join([*parts[:place], more, *parts[place:]]), everyone)

    changes: list[Change] = [
        lambda: between("row twice", chance.choice(parts[1:-1])),
        lambda: between("blank lines", line_end * chance.randrange(1, 4)),
    ]
    if not written.dialect.startswith("JSON") or "lines" in written.dialect:
        last = b"".join(parts).removesuffix(line_end)
        changes += [
            lambda: Mutated("no last line end", last, everyone),
            lambda: between("header twice", parts[0].lstrip(b"\xff\xfe\xef\xbb\xbf")),
        ]
    return changes


def packed(content: bytes, how: str) -> bytes:
    """Return the content of a file, packed."""
    if how == ".gz":
        return gzip.compress(content, mtime=0)
    if how == ".zst":
        return bytes(pa.compress(content, codec="zstd", asbytes=True))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("reviews.csv", content)
    return archive.getvalue()


def rows_in_zstd(content: bytes, written: Written) -> int:
    """Return how many rows a damaged zstd file of delimited text still has; 0 if it cannot be unpacked."""
    try:
        unpacked = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    except OSError:
        return 0
    return written.rows_of(unpacked.decode(written.encoding, "replace")) if written.rows_of else 0


def made(seed: str) -> tuple[str, Mutated, str, list[Row]]:
    """Return the dialect, the mutated file, its name's ending, and the rows of one seed."""
    chance = random.Random(seed)
    make = chance.choice([delimited] * 6 + [json_text] * 2 + [parquet])
    written, rows = make(chance)
    mutated, ending, dialect = mutate(written, chance), written.ending, written.dialect
    if chance.random() < 0.25:
        how = chance.choice([".gz", ".zip", ".zst"])
        outside = chance.random() < 0.5
        inner = packed(b"".join(written.parts) if outside else mutated.content, how)
        mutated = mutated._replace(content=inner)
        if outside:  # whatever is read of it has to be right
            mutated = mutate(Written(how, how, [inner]), chance)
            if how == ".zst" and written.rows_of:  # without a checksum it may hold another text now
                mutated = mutated._replace(least=min(mutated.least, rows_in_zstd(mutated.content, written)))
        ending, dialect = ending + how, f"{dialect}, {how}"
    if chance.random() < 0.1:
        ending = chance.choice(ENDINGS)
        mutated = mutated._replace(what=f"{mutated.what}, named {ending or 'without ending'}")
    return dialect, mutated, ending, rows
