"""Open any file of reviews: unpacked on the way, the table of a zip found, the format told by the content."""

import json
import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, NamedTuple

import pyarrow as pa

from starcast.cli.errors import UserError

MEMBER = "::"  # stands between an archive and the name of a file in it, or a workbook and its sheet
HEAD = 64 * 2**10  # bytes by which a format is recognised
LEAST_NOISE, FLAT = 512, 0.02  # least bytes to judge; noise if the most frequent byte has a lower share
JSON = (".json", ".jsonl", ".ndjson")
FORMATS = {
    **{".csv": "csv", ".tsv": "tsv", ".tab": "tsv"},
    **dict.fromkeys(JSON, "jsonl"),
    ".parquet": "parquet",
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "arrow"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "excel"),
}
# A zip of no files and one in parts begin otherwise; `PK` alone begins a column of keys.
ZIPS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", **dict.fromkeys(ZIPS, "zip")}
PACKED_ENDINGS = (".gz", ".zst", ".zip")
# The last two are Arrow's streams, and Excel's files of before 2007.
BINARY = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff" * 4: "arrow", b"\xd0\xcf\x11\xe0": "excel"}
# The first file in the zip that a workbook is.
WORKBOOK = re.compile(
    rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|docProps/|_rels/\.rels|xl/|mimetypeapplication/vnd\.oasis)",
    re.DOTALL,
)
# How files begin that are no tables, what they are, and what to do.
NO_TABLES = {
    rb"\x1f\x8b|\x28\xb5\x2f\xfd|PK(\x03\x04|\x05\x06|\x07\x08)": "packed twice; unpack it once yourself",
    rb"BZh\d1AY&SY": "packed with bzip2; unpack it with `bunzip2`",
    rb"\xfd7zXZ": "packed with xz; unpack it with `unxz`",
    rb"7z\xbc\xaf|Rar!": "packed with 7-Zip or RAR; unpack it",
    rb".{257}ustar": "a tar archive; unpack it",
    rb"FEA1": "Feather of version 1; write it anew with version 2, or as Parquet",
    rb"SQLite format 3": "a SQLite database; export its table of reviews as CSV",
    rb"\x80[\x02-\x05]": "a Python pickle, which may run any code; write it as Parquet",
    rb"%PDF-": "a PDF document; give the table of reviews itself",
    rb"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with `git lfs pull`",
    rb"(\xef\xbb\xbf)?\s*<(?i:!doctype|html|\?xml)": "a web page or XML; download the table itself",
}
# Text compresses to a tenth or a twentieth. A file beyond this was made to fill a disk or memory.
MOST_TIMES, ALWAYS_ALLOWED = 200, 100 * 2**20  # times the compressed size; bytes
SHOWN = 5  # names of files in a message
# What systems add to a zip, and what people put beside a table.
ADDED = re.compile(r"__MACOSX/|(.*/)?(\.[^/]*|thumbs\.db|desktop\.ini)$", re.IGNORECASE)
BESIDE = re.compile(
    r"(read_?me|licen[cs]e|notice|citation)\b|.*\.(md|pdf|html?|docx?|png|jpe?g|py|ipynb)$", re.IGNORECASE
)
# RuntimeError: an encrypted zip.
UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError)


class Format(NamedTuple):
    """How a file is to be read, and how it is packed (empty: not at all).

    `kind` is csv, tsv, jsonl (an object per line), json (any other arrangement of objects), literals (of
    Python, one per line), parquet, arrow or excel. `table` is the file's name or, of a zip, that within.
    """

    kind: str
    compression: str
    table: str


def kind_of(path: Path) -> Format:
    """Recognise a file's format by its content and, for text that fits several, by the ending of its name.

    Raises:
        UserError: as for `open_unpacked`, or the file is no table.
    """
    with open_unpacked(path) as source:
        head = source.read(HEAD)
        kind = _kind_of_content(head, source.table, table_name(path))
        return Format(kind, source.compression, source.table)


def _kind_of_content(head: bytes, table: str, name: str) -> str:
    """Return the kind of a file that begins with `head`; `table` is the name (of a zip: inside)."""
    by_name = _kind_by_name(table) or _kind_by_name(name) or "csv"
    binary = next((kind for magic, kind in BINARY.items() if head.startswith(magic)), "")
    if binary or WORKBOOK.match(head):
        return binary or "excel"
    for beginning, what in NO_TABLES.items():
        if re.match(beginning, head, re.DOTALL):
            raise UserError(f"{name}: {what}")
    if _is_noise(head):
        raise UserError(f"{name}: neither text nor a table that is known; is it damaged, or encrypted?")
    if by_name in BINARY.values():
        is_text = head and (b"\0" not in head or head.startswith((b"\xff\xfe", b"\xfe\xff")))
        return _kind_of_text(head, "csv") if is_text else by_name
    return _kind_of_text(head, by_name)


def _is_noise(head: bytes) -> bool:
    """Return whether all bytes are about as frequent, as in random or encrypted data and in no text."""
    most = max(Counter(head).values(), default=0)
    return len(head) >= LEAST_NOISE and most < FLAT * len(head)


def _kind_by_name(name: str) -> str:
    """Return the format that a name's last or, if it is packed, last but one ending tells; empty if none."""
    *before, last = ["", *PurePosixPath(name.lower()).suffixes]
    return FORMATS.get(before[-1] if before and last in PACKED_ENDINGS else last, "")


def _kind_of_text(head: bytes, by_name: str) -> str:
    """Tell JSON, Python's literals and delimited text apart by the beginning of a file."""
    encoding = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = head.decode(encoding, "replace").lstrip()
    lines = [line for line in text.splitlines() if line.strip()][:20]
    if re.match(r"\{\s*u?'", text):
        return "literals"
    if re.match(r"[\[{]\s*[\[{\"\]}]", text) or (by_name == "jsonl" and text.startswith(("[", "{"))):
        # A first line that ends with a bracket opens a list, or an object, over several lines.
        opens = lines[0].rstrip().endswith(("[", "{"))
        per_line = len(lines) > 1 and text.startswith("{") and not opens and any(map(_is_object, lines))
        return "jsonl" if per_line else "json"
    # A first line that is broken leaves the others JSON; without any object, the name lies.
    objects = not lines or any(line.lstrip().startswith("{") for line in lines)
    return "csv" if by_name == "jsonl" and not objects else by_name


def _is_object(line: str) -> bool:
    try:
        return isinstance(value := json.loads(line), dict) and bool(value)
    except (ValueError, RecursionError):
        return False


class Unpacked:
    """The bytes of a file, unpacked as they are read.

    `table` is the file's name or, of a zip, that of the file which was found in it.
    """

    def __init__(self, name: str, table: str, compression: str, raw: BinaryIO, unpacking: IO[bytes]) -> None:
        self.raw, self.table, self.compression = raw, table, compression
        self._name, self._unpacking = name, unpacking
        self._size, self._given = os.fstat(raw.fileno()).st_size, 0

    def read(self, size: int) -> bytes:
        """Return at most `size` more bytes, none at the end; raise a UserError if damaged or too large."""
        with _explained(self._name, self.compression):
            data = bytes(self._unpacking.read(size))
        self._given += len(data)
        if self.compression:
            check_growth(self._name, self.raw.tell(), self._given)
        return data

    @property
    def share(self) -> float:
        """Return how much of the file has been read, 0 to 1."""
        return min(1.0, self.raw.tell() / max(1, self._size))


def check_growth(name: str, packed: int, unpacked: int) -> None:
    """Raise a UserError if a file unpacks to far more bytes than text does."""
    if unpacked > max(ALWAYS_ALLOWED, MOST_TIMES * packed):
        what = f"unpacks to more than {MOST_TIMES} times its size, which reviews do not"
        raise UserError(f"{name}: {what}; fetch it again, or unpack it yourself if you know what it is")


def split_address(path: Path) -> tuple[Path, str]:
    """Return a file, and the file in the zip or the sheet of the workbook that `archive.zip::name` names."""
    if path.exists() or MEMBER not in str(path):
        return path, ""
    file, _, inner = str(path).partition(MEMBER)
    return Path(file), inner


def table_name(path: Path) -> str:
    """Return how messages and runs name a file: `reviews.csv`, or `archive.zip::2024/reviews.csv`."""
    file, inner = split_address(path)
    return f"{file.name}{MEMBER}{inner}" if inner else file.name


@contextmanager
def open_unpacked(path: Path) -> Iterator[Unpacked]:
    """Open the stream of a file, unpacked as its content says; of a zip, that of the table in it.

    Raises:
        UserError: the file is missing or damaged, or a zip has no table, or several and none is named.
    """
    file, inner = split_address(path)
    with ExitStack() as stack:
        with _explained(table_name(path), "a file"):
            raw = stack.enter_context(file.open("rb"))
            compression, table = _compression(raw), file.name
            unpacking: IO[bytes] = raw
        with _explained(table_name(path), compression):
            if compression == "zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                member = _member(archive, inner, table_name(path))
                unpacking, table = stack.enter_context(archive.open(member)), member.filename
            inside = _compression(unpacking) if compression == "zip" else compression
            if inside in ("gzip", "zstd"):
                packed = pa.PythonFile(unpacking, mode="r")
                unpacking = stack.enter_context(pa.CompressedInputStream(packed, inside))
        yield Unpacked(table_name(path), table, compression, raw, unpacking)


def _compression(stream: BinaryIO | IO[bytes]) -> str:
    """Return how a stream that can be looked into is packed; a workbook is a zip, but read as it is."""
    head = stream.peek(HEAD)  # type: ignore[union-attr]
    compression = next((each for magic, each in PACKED.items() if head.startswith(magic)), "")
    return "" if compression == "zip" and WORKBOOK.match(head) else compression


def _member(archive: zipfile.ZipFile, named: str, name: str) -> zipfile.ZipInfo:
    """Return the one table of a zip, or the file that is named."""
    files = [each for each in archive.infolist() if not each.is_dir() and not ADDED.match(each.filename)]
    tables = [each for each in files if _kind_by_name(each.filename)]
    others = [each for each in files if not BESIDE.match(PurePosixPath(each.filename).name)]
    found = [each for each in files if each.filename == named] if named else tables or others
    if len(found) != 1:
        names = ", ".join(each.filename for each in (tables or files)[:SHOWN])
        more = f" and {len(tables or files) - SHOWN} more" if len(tables or files) > SHOWN else ""
        there = (
            f"the zip holds {len(tables or files)} files: {names}{more}" if files else "the zip holds no file"
        )
        what = f"no file {named!r}, {there}" if named else there
        which = (tables or files or archive.infolist())[:1]
        example = f"{name.partition(MEMBER)[0]}{MEMBER}{which[0].filename}" if which else ""
        remedy = f"name one, e.g. {example}" if example else "give one with a table of reviews"
        raise UserError(f"{name}: {what}; {remedy}")
    # Python unpacks other methods in steps of any size: a bomb would fill the memory unnoticed.
    if found[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{name}: not packed with deflate; pack it with `zip`, or unpack it yourself")
    return found[0]


@contextmanager
def _explained(name: str, compression: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        what, remedy = compression or "a file", "unpack it yourself, or fetch it again"
        raise UserError(f"{name}: cannot be read as {what} ({error}); {remedy}") from None
