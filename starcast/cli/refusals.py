"""Tell in a line what the machine refused: room, permission, memory, files or processes."""

import errno
import os
import re
import resource
import shutil
import tempfile
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from starcast.cli.errors import UserError, first_line
from starcast.cli.masking import without_secrets

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
LIMITED = {  # what is refused, and the limit that may be why
    errno.EMFILE: (resource.RLIMIT_NOFILE, "-n", 1),
    errno.ENOMEM: (resource.RLIMIT_AS, "-v", 1024),
    errno.EAGAIN: (resource.RLIMIT_NPROC, "-u", 1),
    errno.EFBIG: (resource.RLIMIT_FSIZE, "-f", 1024),
}
OTHERS = (errno.ENFILE, errno.ENOTDIR, errno.EIO, errno.ESTALE, errno.ENAMETOOLONG, errno.ELOOP)
KNOWN = (*NO_ROOM, *CLOSED, *LIMITED, *OTHERS)
# Libraries wrap the system's errors in their own, whose text then holds the system's, or say it otherwise.
TEXTS = {os.strerror(number): number for number in KNOWN} | {
    "can't start new thread": errno.EAGAIN,
    "pthread_create failed": errno.EAGAIN,
    "failed to map segment": errno.ENOMEM,
    "bad_alloc": errno.ENOMEM,
    "OOM when allocating": errno.ENOMEM,
}
NEARLY_FULL = 1_000_000  # bytes left


class RefusedError(UserError):
    """The machine refused what the step needs; the same command may go on once that is fixed."""


@contextmanager
def refusals_told() -> Iterator[None]:
    """Raise a RefusedError in place of any error by which the machine refused something to us or a library.

    Every other error passes.
    """
    try:
        yield
    except (UserError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # that of Polars when it panics is no Exception
        if said := refusal(error):
            raise RefusedError(said) from error
        raise


def refusal(error: BaseException, but: Container[int] = ()) -> str | None:
    """Return a line if an error, or one that caused it, says that the machine refused something.

    The line says what was refused, where, and what to do; None for every other error, and if what was refused
    is one of `but`, numbers of the system.
    """
    for cause in _causes(error):
        number = _number(cause)
        if number in but:
            return None
        if number:
            return f"{_place(cause, number)}{_said(number)}; {_advice(cause, number)}"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, then what it was raised from or while handling."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _number(error: BaseException) -> int | None:
    """Return the system's number of what was refused, if an error says so itself."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError) and error.errno in KNOWN:
        return error.errno
    return next((number for text, number in TEXTS.items() if text in str(error)), None)


def _place(error: BaseException, number: int) -> str:
    """Return the path that an error names, or where a full disk is mounted; empty if neither is known."""
    path = getattr(error, "filename2", None) or getattr(error, "filename", None)
    named = re.findall(r"'(/[^'\n]+)'", str(error))
    if path is None and named:
        path = named[-1]  # of a copy, the second
    if path is None and number in NO_ROOM:
        path = next(_full_disks(), None)
    return f"{without_secrets(os.fsdecode(path))}: " if isinstance(path, str | bytes | Path) else ""


def _full_disks() -> Iterator[str]:
    """Yield where file systems are mounted that have no room left for this user."""
    import psutil  # only here: most commands end well

    for disk in psutil.disk_partitions(all=True):
        with suppress(OSError):  # not ours to see
            size = shutil.disk_usage(disk.mountpoint)
            if size.total and size.free < NEARLY_FULL and os.access(disk.mountpoint, os.W_OK):
                yield disk.mountpoint


def _said(number: int) -> str:
    words = "memory ran out" if number == errno.ENOMEM else os.strerror(number).lower()
    if number == errno.EAGAIN:
        words = "no further process or thread may begin"
    limit, option, unit = LIMITED.get(number, (None, "", 1))
    most = resource.getrlimit(limit)[0] if limit is not None else resource.RLIM_INFINITY
    return words if most == resource.RLIM_INFINITY else f"{words} (ulimit {option} is {most // unit})"


def _advice(error: BaseException, number: int) -> str:
    place = _place(error, number)
    elsewhere = "set TMPDIR to another folder" if tempfile.gettempdir() in place else "name another"
    if number in LIMITED and "ulimit" in _said(number):
        return f"raise that limit (ulimit {LIMITED[number][1]})"
    if number in NO_ROOM:
        return f"make room there, or {elsewhere}" if place else "make room on the disks that are written to"
    if number in CLOSED:
        return f"let this user write there, or {elsewhere}"
    if number in (errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE):
        return "end other programs, use fewer workers or fewer reviews, or a larger machine"
    return f"see to that ({first_line(error)}), and give the command again"
