"""Which process runs a run: a run left RUNNING by one that is gone may be gone on with, another may not."""

import os
import socket

import psutil

PROCESS = "process"  # the tag


def this_process() -> str:
    """Machine, process and when it began: tells whether a RUNNING run has somebody who runs it."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.0f}"


def is_here(process: str) -> bool:
    """Whether `this_process` named a process of this machine."""
    return process.count(":") >= 2 and process.rsplit(":", 2)[0] == socket.gethostname()


def is_alive(process: str) -> bool:
    """Whether a process that `this_process` named still runs on this machine."""
    if not is_here(process):
        return False
    _, number, began = process.rsplit(":", 2)
    try:
        return f"{psutil.Process(int(number)).create_time():.0f}" == began
    except psutil.NoSuchProcess:
        return False
