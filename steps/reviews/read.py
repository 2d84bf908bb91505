"""Read a whole file of reviews into memory; tell two files apart."""

import hashlib
from functools import lru_cache
from pathlib import Path

import polars as pl

from steps.reviews.stream import read_chunks


def file_digest(path: Path) -> str:
    """The first 16 hexadecimal digits of the file's SHA-256; a file that has not changed is not read again."""
    known = path.stat()
    return _digest(path, known.st_size, known.st_mtime_ns)


@lru_cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_table(path: Path) -> pl.DataFrame:
    """Read all rows of a file, as `read_chunks` does.

    Raises:
        UserError: as `read_chunks`.
    """
    return pl.concat([chunk.table for chunk in read_chunks(path)])
