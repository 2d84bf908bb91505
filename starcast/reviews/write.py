"""Write a table chunk by chunk: CSV, JSON lines or Parquet; the file appears whole or not at all."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl
import pyarrow as pa

from starcast.cli.errors import UserError
from starcast.reviews.parquet import RowGroups


class Writer(Protocol):
    """Takes the chunks of one table in order."""

    def write(self, table: pl.DataFrame) -> None:
        """Append rows; columns and types are those of the first chunk."""

    def close(self) -> None:
        """Write what comes last."""


class _CsvWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file, self._header = file, True

    def write(self, table: pl.DataFrame) -> None:
        self._file.write(table.write_csv(include_header=self._header).encode())
        self._header = False

    def close(self) -> None:
        pass


class _JsonLinesWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, table: pl.DataFrame) -> None:
        self._file.write(table.write_ndjson().encode())

    def close(self) -> None:
        pass


WRITERS: dict[str, Callable[[BinaryIO], Writer]] = {
    ".csv": _CsvWriter,
    ".jsonl": _JsonLinesWriter,
    ".parquet": RowGroups,
}


def check_output(output: Path, source: Path, schema: pl.Schema) -> None:
    """See, before anything is worked out, that a table with these columns can be written there.

    Raises:
        UserError: `output` is a folder or the file that is read, or its format cannot hold a column.
    """
    if output.is_dir():
        raise UserError(f"output {output}: is a folder; name a file in it")
    if output.exists() and output.samefile(source):
        raise UserError(f"output {output}: is the file that is read; name another")
    nested = [name for name, kind in schema.items() if kind.is_nested()]
    if nested and output.suffix.lower() == ".csv":
        raise UserError(
            f"output {output}: CSV cannot hold column {nested[0]!r} ({schema[nested[0]]}); write .jsonl or .parquet"
        )


@contextmanager
def open_whole(output: Path) -> Iterator[Writer]:
    """A writer to a hidden part file beside `output`, which takes its place when the block ends well, else is removed.

    Of a killed process the part file is left: the next one writes over it.

    Raises:
        UserError: it cannot be written, or another process is writing it.
    """
    part = output.with_name(f".{output.name}.part")
    with _claimed(part, output) as file:
        writer = _Telling(WRITERS[output.suffix.lower()](file), output)
        try:
            yield writer
            writer.close()
            with _mistakes_told(output):
                file.flush()
                os.fsync(file.fileno())
                os.replace(part, output)
        except BaseException:
            part.unlink(missing_ok=True)
            with suppress(UserError):
                writer.close()
            raise


@dataclass(frozen=True)
class _Telling:
    writer: Writer
    output: Path

    def write(self, table: pl.DataFrame) -> None:
        with _mistakes_told(self.output):
            self.writer.write(table)

    def close(self) -> None:
        with _mistakes_told(self.output):
            self.writer.close()


@contextmanager
def _claimed(part: Path, output: Path) -> Iterator[BinaryIO]:
    """The part file, empty and this process's own; the system gives it free when the process ends, however it does."""
    with _mistakes_told(output):
        opened = os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(file.fileno()), part.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:  # it is being written, or was renamed just now
            raise UserError(
                f"output {output}: another process is writing it; wait for it, or name another file"
            )
        file.truncate()
        yield file


@contextmanager
def _mistakes_told(output: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise UserError(
            f"output {output}: cannot be written ({getattr(error, 'strerror', None) or error})"
        ) from None
