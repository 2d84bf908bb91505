"""Open a file as a stream of bytes, unpacked on the way, and refuse one that unpacks to far too much."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import pyarrow as pa

from starcast.cli.errors import UserError

FORMATS = {
    **{".csv": "csv", ".tsv": "tsv"},
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    ".parquet": "parquet",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
# Text packs to a tenth or a twentieth. A file beyond this is made to fill a disk or a memory.
MOST_TIMES, ALWAYS_ALLOWED = 200, 100 * 2**20  # times the packed bytes; bytes


def kind_of(path: Path) -> tuple[str, str]:
    """Return format and compression (empty: none) of a file, known by the end of its name.

    Raises:
        UserError: the ending is not known.
    """
    suffixes = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    compression = COMPRESSIONS.get(suffixes[-1], "")
    kind = FORMATS.get(suffixes[-2] if compression else suffixes[-1])
    if kind is None:
        known = f"{', '.join(FORMATS)}, also with .gz, .zip or .zst"
        raise UserError(f"{path.name}: format not known by its name; use {known}")
    return kind, compression


class Unpacked:
    """The bytes of a file, unpacked as they are read."""

    def __init__(
        self, name: str, compression: str, raw: BinaryIO, unpacking: "IO[bytes] | pa.NativeFile"
    ) -> None:
        self.raw, self._name, self._compression, self._unpacking = raw, name, compression, unpacking
        self._size = os.fstat(raw.fileno()).st_size
        self._given = 0

    def read(self, size: int) -> bytes:
        """Return at most so many bytes more; none at the end.

        Raises:
            UserError: the file is damaged, or unpacks to far more than it should.
        """
        with _explained(self._name, self._compression):
            data = bytes(self._unpacking.read(size))
        self._given += len(data)
        if self._compression:
            check_growth(self._name, self.raw.tell(), self._given)
        return data

    @property
    def share(self) -> float:
        """Return how much of the file has been read, 0 to 1."""
        return min(1.0, self.raw.tell() / max(1, self._size))


def check_growth(name: str, packed: int, unpacked: int) -> None:
    """Check whether so many packed bytes may become so many.

    Raises:
        UserError: far too many.
    """
    if unpacked > max(ALWAYS_ALLOWED, MOST_TIMES * packed):
        raise UserError(
            f"{name}: unpacks to more than {MOST_TIMES} times its size, which reviews do not; "
            "fetch it again, or unpack it yourself if you know what it is"
        )


@contextmanager
def open_unpacked(path: Path, compression: str) -> Iterator[Unpacked]:
    """Open the stream of a file; of a zip, that of its only member, whose name is not used.

    Raises:
        UserError: it is not there, not of this compression, or a zip of none or several files.
    """
    with ExitStack() as stack:
        with _explained(path.name, compression):
            raw = stack.enter_context(path.open("rb"))
            unpacking: IO[bytes] | pa.NativeFile = raw
            if compression == "zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                unpacking = stack.enter_context(_open_only_member(archive, path.name))
            elif compression:
                packed = pa.PythonFile(raw, mode="r")
                unpacking = stack.enter_context(pa.CompressedInputStream(packed, compression))
        yield Unpacked(path.name, compression, raw, unpacking)


def _open_only_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise UserError(f"{name}: holds {len(members)} files; one file of reviews is expected")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks the others in steps of any size: a bomb would be in memory before it is noticed.
        raise UserError(f"{name}: not packed with deflate; pack it with `zip`, or unpack it yourself")
    return archive.open(members[0])


@contextmanager
def _explained(name: str, compression: str) -> Iterator[None]:
    try:
        yield
    except (
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
    ) as error:  # RuntimeError: encrypted
        what = compression or "a file"
        remedy = "unpack it yourself, or fetch it again"
        raise UserError(f"{name}: cannot be read as {what} ({error}); {remedy}") from None
