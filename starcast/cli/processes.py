"""A temporary folder for as long as a process works; what a killed process left is removed by the next."""

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
    """Make an empty folder that names its owner; it is removed when the block ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, one just made, or one that its owner is removing
            owner = (folder / OWNER).read_text(encoding="utf-8")
            if is_here(owner) and not is_alive(owner):
                shutil.rmtree(folder)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        (Path(made) / OWNER).write_text(this_process(), encoding="utf-8")
        yield Path(made)


def this_process() -> str:
    """Machine, process and when it began: tells whether a RUNNING run has somebody who runs it."""
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
