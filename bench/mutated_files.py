"""Are damaged files read whole, or refused in one line? Files of every dialect are mutated at random, and
read and checked as `preprocess` does it.

    python -m bench.mutated_files [--files=2000] [--seed=0] [--show=3] [--keep=FOLDER]

What each mutation leaves unharmed is known: the rows that it does not touch. Prints how many files were read
whole (every unharmed row with its rating and text), refused in one line, or read without some unharmed rows,
and whether these were counted as bad ("dropped, said") or not ("HALF-READ"). "CRASHED" is any error that is
no refusal. `--keep` writes the files of the last two kinds, with the seed of each in its name.
"""

import argparse
import csv
import gzip
import io
import json
import random
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews import blocks
from starcast.reviews.check import conclude
from starcast.reviews.inspection import inspect, to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.parameters import DataParameters
from starcast.reviews.stream import read_chunks

ROWS = 120
SMALL_BLOCK = 4_096  # bytes: for half of the files, so that they are read in several blocks
SLOW = 10.0  # seconds
PRAISE = ("lovely", "perfect", "soft", "great", "fits", "wouldn\u2019t change it", "très bien", "size 9½")
BLAME = ("awful", "cheap", "torn", "itchy", "returned", "don\u2019t buy", "naïve of me", "£40 gone")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
LINE_ENDS = {"LF": "\n", "CRLF": "\r\n", "CR": "\r"}
ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252")
ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".parquet", ".gz", ".zip", ".csv.gz", "")
Row = tuple[str, str]  # rating and text


class Written(NamedTuple):
    """A file in parts: what stands before the rows, each row, what stands behind them; or all in one part."""

    dialect: str
    ending: str
    parts: list[bytes]
    encoding: str = "utf-8"


class Mutated(NamedTuple):
    """Content, the numbers of the rows that are unharmed in it (from 0), and how many rows it must have.

    Parquet and zstd have no checksums: of a bit flipped there only the number of rows is known.
    """

    what: str
    content: bytes
    unharmed: set[int]
    least: int = 0


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
        text = io.StringIO(newline="")
        csv.writer(text, **how).writerow(values)  # type: ignore[arg-type]
        return text.getvalue()

    lines = [line(("rating", "text")) if header else "", *map(line, rows), ""]
    codec = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    parts = [text.encode(codec) for text in lines]
    parts[0] = {"utf-16": b"\xff\xfe", "utf-8-sig": b"\xef\xbb\xbf"}.get(encoding, b"") + parts[0]
    ending = chance.choice([".csv", ".csv", ".tsv", ".txt"])
    name = f"{separator}, {quoting}, {line_end}, {encoding}{'' if header else ', no header'}"
    return Written(name, ending, parts, codec), rows


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
    parts, content = written.parts, b"".join(written.parts)
    everyone, size = set(range(ROWS)), len(content)
    at, span = chance.randrange(size), chance.randrange(1, 60)
    other = chance.randrange(size)
    if len(parts) == 1:
        flipped = bytearray(content)
        flipped[at] ^= 1 << chance.randrange(8)
        damages = {"nothing": content, "a bit flipped": bytes(flipped), "cut": content[:at]}
        what, checked = chance.choice([*damages]), written.dialect in (".gz", ".zip")
        known = checked or what != "a bit flipped"
        return Mutated(what, damages[what], everyone if known else set(), ROWS - 1)

    def spot(what: str, changed: bytes, *places: int) -> Mutated:
        return Mutated(what, changed, everyone - around(parts, *places))

    def bits() -> Mutated:
        flipped, places = bytearray(content), [chance.randrange(size) for _ in range(chance.randrange(1, 5))]
        for place in places:
            flipped[place] ^= 1 << chance.randrange(8)
        return spot("bits flipped", bytes(flipped), *places)

    def inserted() -> Mutated:
        what = chance.choice(['"', '""', "\0", ",", ";", "\t", "|", "\n", "\r\n", "\\", "{", "]", "é"])
        return spot(f"inserted {what!r}", content[:at] + what.encode(written.encoding) + content[at:], at)

    def swapped() -> Mutated:
        low, high = sorted((at, other))
        first, second = content[low : low + span], content[high : high + span]
        if low + span > high:
            return bits()
        changed = content[:low] + second + content[low + span : high] + first + content[high + span :]
        return spot("blocks swapped", changed, *range(low, low + span + 1), *range(high, high + span + 1))

    def at_rows(what: str, more: bytes) -> Mutated:
        place = chance.randrange(1, len(parts) - 1)
        return Mutated(what, b"".join([*parts[:place], more, *parts[place:]]), everyone)

    line_end = next(
        (end for end in ("\r\n", "\n", "\r") if parts[2].endswith(end.encode(written.encoding))), "\n"
    )
    changes: dict[str, Callable[[], Mutated]] = {
        "nothing": lambda: Mutated("nothing", content, everyone),
        "bits": bits,
        "inserted": inserted,
        "swapped": swapped,
        "cut": lambda: Mutated(
            "cut", content[:at], {row for row in everyone if sum(map(len, parts[: row + 2])) <= at}
        ),
        "removed": lambda: spot(
            "bytes removed", content[:at] + content[at + span :], *range(at, at + span + 1)
        ),
        "NULs": lambda: spot(
            "NULs written over", content[:at] + bytes(span) + content[at + span :], *range(at, at + span + 1)
        ),
        "NULs behind": lambda: Mutated("NULs behind", content + bytes(span), everyone - {ROWS - 1}),
        "no last line end": lambda: Mutated(
            "no last line end", content.removesuffix(line_end.encode(written.encoding)), everyone
        ),
        "header twice": lambda: at_rows("header twice", parts[0].lstrip(b"\xff\xfe\xef\xbb\xbf")),
        "row twice": lambda: at_rows("row twice", chance.choice(parts[1:-1])),
        "blank lines": lambda: at_rows(
            "blank lines", line_end.encode(written.encoding) * chance.randrange(1, 4)
        ),
    }
    if written.dialect.startswith("JSON") and "lines" not in written.dialect:
        for name in ("header twice", "no last line end"):
            del changes[name]
    return changes[chance.choice([*changes])]()


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
        ending, dialect = ending + how, f"{dialect}, {how}"
    if chance.random() < 0.1:
        ending = chance.choice(ENDINGS)
        mutated = mutated._replace(what=f"{mutated.what}, named {ending or 'without ending'}")
    return dialect, mutated, ending, rows


def outcome(path: Path, rows: list[Row], mutated: Mutated, on_bad_rows: str) -> tuple[str, str]:
    """Read and check a file as `preprocess` does; return what came of it and what was said."""
    parameters = DataParameters.model_validate({"on_bad_rows": on_bad_rows})
    found, read, before, layout = Counter[Row](), [], 0, None
    try:
        for chunk in read_chunks(path, parameters.reading()):
            layout = layout or recognise(chunk.table.columns)
            table = to_reviews(chunk.table, layout, before)
            read.append(inspect(table, table["text"].fill_null(""), chunk.rejected))
            found.update(_pairs(table))
            before += table.height
        assert layout is not None
        _, report = conclude(read, layout, parameters.on_bad_rows)
    except UserError as error:
        return "refused in one line" if "\n" not in str(error) else "refused in LINES", str(error)
    except (Exception, pl.exceptions.PanicException) as error:
        return "CRASHED", f"{type(error).__name__}: {str(error)[:200]}"
    unharmed = [(rows[number][0], _plain(rows[number][1])) for number in sorted(mutated.unharmed)]
    lost = [row for row in unharmed if not found[row]]
    if not lost and before >= mutated.least:
        return "read whole", ""
    kind = "dropped, said" if 0 < len(lost) <= report.rejected.height else "HALF-READ"
    return kind, f"{len(lost)} of {len(unharmed)} unharmed rows lost, {before} read: {lost[:1]}"


def _pairs(table: pl.DataFrame) -> Iterator[Row]:
    for stars, text in table.select("rating", "text").iter_rows():
        yield str(stars), _plain(text or "")


def _plain(text: str) -> str:
    """Return a text in which line ends and what stands around it count for nothing."""
    return " ".join(text.split())


def main() -> None:
    """Try them, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=3, help="files shown per outcome and dialect")
    parser.add_argument("--keep", type=Path, help="folder for the files that were half read or crashed it")
    asked = parser.parse_args()
    counts, said, block = Counter[tuple[str, str]](), defaultdict[str, list[str]](list), blocks.BLOCK
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.files):
            seed = f"{asked.seed}.{number}"
            dialect, mutated, ending, rows = made(seed)
            path = Path(folder) / f"{seed}{ending}"
            path.write_bytes(mutated.content)
            blocks.BLOCK = SMALL_BLOCK if number % 2 else block
            begun, how = time.monotonic(), "drop" if number % 3 == 2 else "refuse"
            what, why = outcome(path, rows, mutated, how)
            if time.monotonic() - begun > SLOW:
                said["SLOW"].append(f"{path.name}: {time.monotonic() - begun:.0f} s")
            counts[what, dialect.split(",")[0]] += 1
            said[what].append(f"{path.name} ({dialect}; {mutated.what}; {how}): {why}")
            if asked.keep and what in ("HALF-READ", "CRASHED"):
                asked.keep.mkdir(exist_ok=True)
                path.rename(asked.keep / path.name)
            else:
                path.unlink()
    kinds = sorted({kind for _, kind in counts})
    print(f"{'':22}{'all':>8}" + "".join(f"{kind:>13}" for kind in kinds))
    for what in sorted({what for what, _ in counts}, key=str.lower):
        each = [counts[what, kind] for kind in kinds]
        print(f"{what:22}{sum(each):8}" + "".join(f"{count:13}" for count in each))
    for what, lines in sorted(said.items()):
        for line in lines[: asked.show] if what != "read whole" else ():
            print(f"{what}: {line}")


if __name__ == "__main__":
    main()
