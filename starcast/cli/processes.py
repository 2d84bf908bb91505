"""Temporary folders of processes. A killed process leaves its folder; the next process removes it."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PREFIX, OWNER = "starcast-", "process"
PROCESS = "process"  # the tag


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make an empty folder named after its process; it is removed when the block ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's folder, a new one, or one that its owner is removing
            owner = (folder / OWNER).read_text(encoding="utf-8")
            if is_here(owner) and not is_alive(owner):
                shutil.rmtree(folder)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        (Path(made) / OWNER).write_text(this_process(), encoding="utf-8")
        yield Path(made)


def this_process() -> str:
    """Return machine, process id and start time, which tell whether a RUNNING run's process still exists."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def is_here(process: str) -> bool:
    """Return whether `this_process` named a process of this machine."""
    return process.count(":") >= 2 and process.rsplit(":", 2)[0] == socket.gethostname()


def is_alive(process: str) -> bool:
    """Return whether a process that `this_process` named still runs on this machine."""
    if not is_here(process):
        return False
    *_, number, began = process.rsplit(":", 2)
    try:
        return f"{psutil.Process(int(number)).create_time():.0f}" == began
    except psutil.NoSuchProcess:
        return False
