"""Show on a terminal that a step is at work while it prints nothing, as when it imports or packages."""

import os
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from starcast.cli import interrupts
from starcast.cli.progress import clock
from starcast.cli.terminal import can_repaint

IDLE, LOOK_EVERY = 2.0, 0.5  # seconds
CLEAR = b"\r\x1b[K"


class SignsOfLife:
    """A context with a last line on standard error, where that is a terminal; it goes when others print."""

    def __init__(self, step: str) -> None:
        self._step, self._lock, self._over = step, threading.Lock(), threading.Event()
        self._seen, self._is_shown = time.monotonic(), False

    def __enter__(self) -> Self:
        if can_repaint(sys.stderr):
            interrupts.before_writing(self._make_room)
            threading.Thread(target=self._watch, name="signs of life", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._make_room()

    def _make_room(self) -> None:
        with self._lock:
            if self._is_shown:
                _write(CLEAR)
            self._seen, self._is_shown = time.monotonic(), False

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            with self._lock:
                silent = time.monotonic() - self._seen
                if silent >= IDLE and not self._over.is_set():
                    # From the line's beginning, since a child process prints without making room.
                    _write(CLEAR + f"{self._step}: at work, {clock(silent)}\r".encode())
                    self._is_shown = True


def _write(text: bytes) -> None:
    with suppress(OSError):  # the terminal is lost, which the step itself finds out
        os.write(2, text)
