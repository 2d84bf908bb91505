"""A program on a terminal of its own, as a person would see it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def shown_on_terminal(
    arguments: list[str], folder: Path, more: Mapping[str, str] | None = None, columns: int = 80
) -> str:
    """Run Python in a folder and return all that it writes to a terminal of so many columns.

    Args:
        more: environment variables, beside those here, `PYTHONPATH` of the project and a terminal's `TERM`.
    """
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    ours = {**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm-256color", **(more or {})}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), end)
    command = [sys.executable, *arguments]
    with subprocess.Popen(command, cwd=folder, env=ours, start_new_session=True, **streams) as process:
        os.close(end)
        written = b""
        with suppress(OSError):  # the end, on Linux
            while part := os.read(terminal, 65_536):
                written += part
        process.wait(60)
    os.close(terminal)
    return written.decode()
