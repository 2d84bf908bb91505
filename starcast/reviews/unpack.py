"""Open a file as a stream of bytes, unpacked on the way; one that unpacks to far more than it should is refused."""

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
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zip": "zip"}
# Text packs to a tenth or a twentieth. What goes beyond this is made to fill a disk or a memory.
MOST_TIMES, ALWAYS_ALLOWED = 200, 100 * 2**20  # times the packed bytes; bytes


def kind_of(path: Path) -> tuple[str, str]:
    """Format and compression (empty: none) of a file, by the end of its name.

    Raises:
        UserError: the ending is not known.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    compression = COMPRESSIONS.get(suffixes[-1], "") if suffixes else ""
    ending = (suffixes[-2] if compression and len(suffixes) > 1 else suffixes[-1]) if suffixes else ""
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise UserError(
            f"{path.name}: format not known by its name; use {known}, also with .gz, .zip or .zst"
        )
    return FORMATS[ending], compression


class Unpacked:
    """The bytes of a file, unpacked as they are read."""

    def __init__(
        self, name: str, compression: str, raw: BinaryIO, unpacking: "IO[bytes] | pa.NativeFile"
    ) -> None:
        self.raw, self._name, self._compression, self._unpacking = raw, name, compression, unpacking
        self._size = os.fstat(raw.fileno()).st_size
        self._given = 0

    def read(self, size: int) -> bytes:
        """At most so many bytes more; none at the end.

        Raises:
            UserError: the file is damaged, or unpacks to far more than it should.
        """
        with _damage_told(self._name, self._compression):
            data = bytes(self._unpacking.read(size))
        self._given += len(data)
        if self._compression:
            check_growth(self._name, self.raw.tell(), self._given)
        return data

    @property
    def share(self) -> float:
        """How much of the file has been read, 0 to 1."""
        return min(1.0, self.raw.tell() / max(1, self._size))


def check_growth(name: str, packed: int, unpacked: int) -> None:
    """See whether so many packed bytes may have become so many.

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
    """The stream of a file; of a zip, that of its only member, whose name is not used.

    Raises:
        UserError: it is not there, not of this compression, or a zip of none or several files.
    """
    with ExitStack() as stack:
        with _damage_told(path.name, compression):
            raw = stack.enter_context(path.open("rb"))
            unpacking: IO[bytes] | pa.NativeFile = raw
            if compression == "zip":
                unpacking = stack.enter_context(
                    _only_member(stack.enter_context(zipfile.ZipFile(raw)), path.name)
                )
            elif compression:
                unpacking = stack.enter_context(
                    pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), compression)
                )
        yield Unpacked(path.name, compression, raw, unpacking)


def _only_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        raise UserError(f"{name}: holds {len(members)} files; one file of reviews is expected")
    if members[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks the others in steps of any size: a bomb would be in memory before it is seen.
        raise UserError(
            f"{name}: packed by a method other than deflate; pack it with `zip`, or unpack it yourself"
        )
    return archive.open(members[0])


@contextmanager
def _damage_told(name: str, compression: str) -> Iterator[None]:
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
        raise UserError(
            f"{name}: cannot be read as {what} ({error}); unpack it yourself, or fetch it again"
        ) from None
