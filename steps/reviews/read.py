"""Read a file of reviews: CSV, TSV, JSON lines or Parquet, plain, gzip, zip or zstd; every column as text."""

import hashlib
import io
import zipfile
import zlib
from pathlib import Path

import polars as pl
import pyarrow as pa

from steps.errors import UserError

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".parquet": "parquet"}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}


def file_digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_table(path: Path) -> pl.DataFrame:
    """Read all rows of a file; text formats keep every value as text, so that checks see what was written.

    Raises:
        UserError: unknown ending, empty, not UTF-8, broken, or without rows.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = COMPRESSIONS.get(suffixes[-1]) if suffixes else None
    ending = (suffixes[-2] if compression and len(suffixes) > 1 else suffixes[-1]) if suffixes else ""
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise UserError(f"{path.name}: format not known by its name; use {known}, also with .gz, .zip or .zst")
    content = _content(path, compression)
    if not content:
        raise UserError(f"{path.name}: the file is empty; give one with a header and reviews")
    table = _parse(content, FORMATS[ending], path.name)
    if table.is_empty():
        raise UserError(f"{path.name}: a header and no rows; give one with reviews")
    return table


def _content(path: Path, compression: str | None) -> bytes:
    try:
        if compression == "zip":
            return _only_member(path)
        if compression:
            with pa.input_stream(str(path), compression=compression) as stream:
                return bytes(stream.read())
        return path.read_bytes()
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted, or a method unknown
        what = compression or "a file"
        raise UserError(f"{path.name}: cannot be read as {what} ({error}); unpack it yourself, or fetch it again") from None


def _only_member(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.namelist() if not member.endswith("/")]
        if len(members) != 1:
            raise UserError(f"{path.name}: holds {len(members)} files; one file of reviews is expected")
        return archive.read(members[0])


def _parse(content: bytes, kind: str, name: str) -> pl.DataFrame:
    try:
        if kind == "parquet":
            return pl.read_parquet(io.BytesIO(content))
        content[: content.find(b"\n")].decode("utf-8")  # Polars checks the values, not the header
        if kind == "jsonl":
            table = pl.read_ndjson(io.BytesIO(content), infer_schema_length=None)
            return table.select(pl.all().cast(pl.String, strict=False))
        # Amazon's TSV files hold bare quotes: they are written, and read, without quoting.
        separator, quote = ("\t", None) if kind == "tsv" else (",", '"')
        return pl.read_csv(io.BytesIO(content), separator=separator, quote_char=quote, infer_schema=False)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, UnicodeDecodeError) as error:
        raise UserError(f"{name}: {_why(content, kind, error)}") from None


def _why(content: bytes, kind: str, error: BaseException) -> str:
    if kind != "parquet":
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as broken:
            line = content.count(b"\n", 0, broken.start) + 1
            byte = content[broken.start]
            return f"not UTF-8: byte 0x{byte:02x} in line {line}; convert it first, e.g. `iconv -f latin1 -t utf-8`"
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"not readable as {kind} ({first}); mend the file, or rename it if it is of another format"
