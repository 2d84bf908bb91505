"""Write a table chunk by chunk, into a file or a folder of parts that appears complete or not at all."""

import csv
import fcntl
import io
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.cli.refusals import CLOSED
from starcast.reviews.json_lines import WRITTEN
from starcast.reviews.parquet import RowGroups
from starcast.reviews.unpack import split_address

FINISHED = "_SUCCESS"  # an empty file in a finished folder, which Spark writes and its readers expect
REPEATED = re.compile(r"_duplicated_\d+$")  # Polars marks so the names of columns that come again
FORMAT_NAMES = {".csv": "CSV", ".jsonl": "JSON"}
PART = re.compile(r"part-\d{5,}\.\w+")


class TableWriter:
    """Writes the chunks of one table, in the format of the output's ending: CSV, JSON lines or Parquet."""

    def __init__(self, file: BinaryIO, output: Path) -> None:
        self._file, self._output, self._kind, self._header = file, output, output.suffix.lower(), True
        self._row_groups = RowGroups(file) if self._kind == ".parquet" else None

    def write(self, table: pl.DataFrame) -> None:
        """Append rows; columns and types are those of the first chunk."""
        with _explained(self._output):
            if self._row_groups:
                self._row_groups.write(table)
            elif self._kind == ".csv":
                self._file.write(_csv(table, self._header))
                self._header = False
            elif WRITTEN in table.columns:
                self._file.write(_spliced(table))
            else:
                self._file.write(table.write_ndjson().encode())

    def close(self) -> None:
        """Write what is left."""
        with _explained(self._output):
            if self._row_groups:
                self._row_groups.close()
            self._file.flush()


def _csv(table: pl.DataFrame, header: bool) -> bytes:
    """Return rows as CSV; of several columns with one name, all get it again."""
    rows = table.write_csv(include_header=False)
    if not header:
        return rows.encode()
    names = io.StringIO(newline="")
    csv.writer(names, lineterminator="\n").writerow(
        REPEATED.sub("", name) if REPEATED.sub("", name) in table.columns else name for name in table.columns
    )
    return (names.getvalue() + rows).encode()


def _spliced(table: pl.DataFrame) -> bytes:
    """Return JSON lines: the objects as they were written, with the columns that follow them added."""
    added = table.columns[table.columns.index(WRITTEN) + 1 :]
    begun = pl.col(WRITTEN).str.strip_chars().str.head(-1).str.strip_chars_end()  # without the last brace
    comma = pl.when(begun == "{").then(pl.lit("")).otherwise(pl.lit(","))
    line = pl.concat_str(begun, comma, pl.struct(added).struct.json_encode().str.slice(1))
    return (table.select(line.str.join("\n")).item() + "\n").encode()


@contextmanager
def open_file(output: Path) -> Iterator[TableWriter]:
    """Open a hidden file beside `output`, which replaces it when the block succeeds and is removed otherwise.

    A killed process leaves its hidden file; the next one overwrites it.

    Raises:
        UserError: the file cannot be written, or another process is writing it.
    """
    part = output.with_name(f".{output.name}.part")
    with os.fdopen(_claim(part, output, os.O_RDWR | os.O_CREAT), "r+b") as file:
        file.truncate()
        writer = TableWriter(file, output)
        try:
            yield writer
            writer.close()
            with _explained(output):
                os.fsync(file.fileno())
                part.replace(output)
        except BaseException:
            part.unlink(missing_ok=True)
            with suppress(UserError):
                writer.close()
            raise


@contextmanager
def open_folder(output: Path) -> Iterator[Path]:
    """Make a hidden folder beside `output`, which replaces it if the block succeeds and is removed otherwise.

    A killed process leaves its hidden folder; the next one clears it.

    Raises:
        UserError: the folder cannot be written, or another process is writing it.
    """
    parts, earlier = (output.with_name(f".{output.name}.{what}") for what in ("parts", "earlier"))
    with _explained(output):
        parts.mkdir(exist_ok=True)
    claim = _claim(parts, output, os.O_RDONLY)
    try:
        for left in parts.iterdir():
            left.unlink()
        yield parts
        with _explained(output):
            (parts / FINISHED).touch()
            check_replaceable(output)
            shutil.rmtree(earlier, ignore_errors=True)
            if output.exists():
                output.rename(earlier)
            parts.rename(output)
            shutil.rmtree(earlier, ignore_errors=True)
    except BaseException:
        shutil.rmtree(parts, ignore_errors=True)
        raise
    finally:
        os.close(claim)


def _claim(temporary: Path, output: Path, flags: int) -> int:
    """Open and lock a temporary file or folder; closing it, or the end of the process, releases it."""
    with _explained(output):  # a link in a shared folder is not followed
        claim = os.open(temporary, flags | os.O_NOFOLLOW, 0o666)
    ours = False
    try:
        with _explained(output), suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(claim), temporary.stat())
    finally:
        if not ours:
            os.close(claim)
    if not ours:  # another process is writing it, or has just renamed it
        remedy = "wait for it, or choose another name"
        raise UserError(f"output {output}: another process is writing it; {remedy}")
    return claim


def part_name(number: int, suffix: str) -> str:
    """Return the name of a part, counted from 0; sorted by name, parts are in the order of their rows."""
    return f"part-{number:05}{suffix}"


def check_folder(output: Path) -> None:
    """Raise a UserError if the folder in which a file or folder is to be written is not there."""
    if not output.parent.is_dir():
        raise UserError(f"output {output}: there is no folder {output.parent}; make it, or name another")


def check_output(output: Path, source: Path, schema: pl.Schema) -> None:
    """Check, before any work is done, that a table with these columns can be written there.

    Raises:
        UserError: `output` is a folder or the file that is read, or its format cannot hold a column.
    """
    if output.is_dir():
        raise UserError(f"output {output}: is a folder; name a file in it")
    if output.exists() and output.samefile(split_address(source)[0]):
        raise UserError(f"output {output}: is the file that is read; name another")
    suffix = output.suffix.lower()
    impossible = [name for name, kind in schema.items() if not _holds(suffix, kind)]
    if impossible:
        column = f"column {impossible[0]!r} ({schema[impossible[0]]})"
        others = "write .parquet" if suffix == ".jsonl" else "write .jsonl or .parquet"
        raise UserError(f"output {output}: {FORMAT_NAMES[suffix]} cannot hold {column}; {others}")


def _holds(suffix: str, kind: pl.DataType) -> bool:
    """Return whether a format can hold a type."""
    if suffix == ".parquet":
        return True
    plain = not kind.is_nested() and kind not in (pl.Binary, pl.Duration, pl.Object)
    return plain or (suffix == ".jsonl" and kind not in (pl.Binary, pl.Object))


def state_of(output: Path) -> tuple[int, int] | None:
    """Return what changes when a file or folder is written anew; None if there is nothing."""
    with suppress(OSError):
        found = output.stat()
        return found.st_ino, found.st_mtime_ns
    return None


def check_unwritten(output: Path, before: tuple[int, int] | None) -> None:
    """Raise a UserError if another process has written an output since its `state_of` was `before`."""
    if state_of(output) != before:
        remedy = "choose another name, or repeat the command to replace it"
        raise UserError(f"output {output}: another process has just written it; {remedy}")


def check_replaceable(output: Path) -> None:
    """Raise a UserError if there is anything at `output` other than a finished folder of parts."""
    names = [path.name for path in output.iterdir()] if output.is_dir() else []
    finished = FINISHED in names and all(name == FINISHED or PART.fullmatch(name) for name in names)
    if output.exists() and not finished:
        what = "is a folder of other files" if output.is_dir() else "is a file"
        remedy = "and executor=spark writes a folder of parts; name another, or remove it"
        raise UserError(f"output {output}: {what}, {remedy}")


@contextmanager
def _explained(output: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        why = getattr(error, "strerror", None) or error
        closed = getattr(error, "errno", None) in CLOSED
        remedy = "let this user write there" if closed else "make room there"
        raise UserError(f"output {output}: cannot be written ({why}); {remedy}, or name another") from None
