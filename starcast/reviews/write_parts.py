"""A folder of part files: it appears whole or not at all, and replaces none but an earlier one."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starcast.cli.errors import UserError

FINISHED = "_SUCCESS"  # an empty file, as Spark and its readers have it
PART = re.compile(r"part-\d{5,}\.\w+")


def part_name(number: int, suffix: str) -> str:
    """The name of a part, from 0: in the order of names, parts hold the rows in theirs."""
    return f"part-{number:05}{suffix}"


def check_replaceable(output: Path) -> None:
    """See that nothing is there but a finished folder of parts.

    Raises:
        UserError: something else is there.
    """
    names = [path.name for path in output.iterdir()] if output.is_dir() else []
    if output.exists() and not (
        FINISHED in names and all(name == FINISHED or PART.fullmatch(name) for name in names)
    ):
        what = "is a folder of other files" if output.is_dir() else "is a file"
        raise UserError(
            f"output {output}: {what}, and executor=spark writes a folder of parts; name another, or remove it"
        )


@contextmanager
def open_folder(output: Path) -> Iterator[Path]:
    """A hidden folder beside `output`, which takes its place when the block ends well, else is removed.

    Of a killed process the hidden folder is left: the next one empties it.

    Raises:
        UserError: it cannot be written, or another process is writing it.
    """
    parts = output.with_name(f".{output.name}.parts")
    with _claimed(parts, output):
        try:
            yield parts
            with _mistakes_told(output):
                (parts / FINISHED).touch()
                _replace(output, parts)
        except BaseException:
            shutil.rmtree(parts, ignore_errors=True)
            raise


@contextmanager
def _claimed(parts: Path, output: Path) -> Iterator[None]:
    """The hidden folder, empty and this process's own; the system gives it free when the process ends, however it does."""
    with _mistakes_told(output):
        parts.mkdir(exist_ok=True)
        claim = os.open(parts, os.O_RDONLY)
    try:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(claim), parts.stat())
        except (BlockingIOError, FileNotFoundError):
            ours = False
        if not ours:
            raise UserError(
                f"output {output}: another process is writing it; wait for it, or name another folder"
            )
        for left in parts.iterdir():
            left.unlink()
        yield
    finally:
        os.close(claim)


def _replace(output: Path, parts: Path) -> None:
    check_replaceable(output)
    earlier = output.with_name(f".{output.name}.earlier")
    shutil.rmtree(earlier, ignore_errors=True)
    if output.exists():
        output.rename(earlier)
    parts.rename(output)
    shutil.rmtree(earlier, ignore_errors=True)


@contextmanager
def _mistakes_told(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"output {output}: cannot be written ({error.strerror or error})") from None
