"""Whether a process lives, and temporary folders that are kept as long as theirs does.

A process is known by its machine's boot, its PID namespace, its number and its start in ticks since the boot:
containers may share a host name and numbers, and a start told in seconds follows the clock when that is set.
"""

import fcntl
import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PREFIX, LOCK = "starcast-", "held"  # of folders; the file in each that its process keeps locked
PROCESS = "process"  # the tag
NAMED = re.compile(r"(?P<host>.+):(?P<number>\d+):(?P<start>\d+)(?:@(?P<place>.+))?")


def this_process() -> str:
    """Return host name, process number and start, with boot and PID namespace where `/proc` tells them."""
    place, named = _place(), f"{socket.gethostname()}:{os.getpid()}"
    if place is None:
        return f"{named}:{psutil.Process().create_time():.0f}"
    return f"{named}:{_state_and_start('self')[1]}@{place}"


def shown(process: str) -> str:
    """Return how a process that `this_process` named is called in a message."""
    named = NAMED.fullmatch(process)
    return f"process {named['number']} on {named['host']}" if named else f"process {process or 'unknown'}"


def is_alive(process: str) -> bool | None:
    """Return whether a process that `this_process` named still runs; None if this process cannot tell.

    It cannot tell of another machine, and of another container or PID namespace.
    """
    named = NAMED.fullmatch(process)
    if named is None or named["host"] != socket.gethostname() or not _numbers_are_ours():
        return None
    if named["place"] is None:
        return _is_alive_by_clock(int(named["number"]), named["start"])
    if named["place"] != _place():
        return None
    try:
        state, start = _state_and_start(named["number"])
    except (FileNotFoundError, ProcessLookupError):
        return None if _is_hidden(int(named["number"])) else False
    return start == named["start"] and state not in "ZX"  # a zombie or dead one only waits for its parent


def _place() -> str | None:
    """Return boot and PID namespace; None where there is no `/proc`."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return None


def _numbers_are_ours() -> bool:
    """Return whether process numbers are looked up in this PID namespace: `/proc` may be that of another."""
    try:
        return os.readlink("/proc/self") == str(os.getpid())
    except OSError:
        return True  # the system has no /proc, and psutil asks it otherwise


def _state_and_start(number: str) -> tuple[str, str]:
    """Return the state of a process, and its start in clock ticks since the boot."""
    # The name of the program, in parentheses, may hold spaces and parentheses.
    after_name = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    state, *rest = after_name.split()
    return state, rest[18]


def _is_hidden(number: int) -> bool:
    """Return whether there is a process that `/proc` does not show, as with its option `hidepid`."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_alive_by_clock(number: int, start: str) -> bool | None:
    """Return what `is_alive` does of a process that says when it started in seconds, as earlier versions did.

    Nothing is known of one that started at another time: the clock may have been set.
    """
    try:
        began = psutil.Process(number).create_time()
    except psutil.NoSuchProcess:
        return False
    return True if f"{began:.0f}" == start else None


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder that is removed when the block ends; remove those that killed processes left.

    The kernel unlocks the file in it when its process ends, however that is, in any PID namespace.
    """
    remove_left_folders()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        begun = Path(made, f"{LOCK}-soon")
        with begun.open("x") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            begun.rename(Path(made, LOCK))  # which nobody ever sees unlocked while this process lives
            yield Path(made)


def remove_left_folders() -> None:
    """Remove folders of this user that no living process holds; pass over whatever else is there."""
    with suppress(OSError):  # the shared folder cannot be listed
        for entry in os.scandir(tempfile.gettempdir()):
            if entry.name.startswith(PREFIX):
                with suppress(OSError):  # no folder of ours, or one that its process holds or is removing
                    _remove_unless_held(Path(entry.path))


def _remove_unless_held(folder: Path) -> None:
    """Remove a folder.

    Raises:
        OSError: it is held, or it is not this user's folder with a lock in it.
    """
    _check_own(os.lstat(folder), stat.S_ISDIR)
    # A link is not followed, a pipe not waited for.
    lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        _check_own(os.fstat(lock), stat.S_ISREG)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)


def _check_own(found: os.stat_result, is_kind: Callable[[int], bool]) -> None:
    if found.st_uid != os.geteuid() or not is_kind(found.st_mode):
        raise PermissionError("it is not this user's, or of another kind")
