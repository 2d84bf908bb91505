"""Ends that come from outside: Ctrl-C, a request to end, a lost terminal, a reader that went away."""

import atexit
import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import main_thread
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

INTERRUPTED, UNHEARD = 130, 141  # exit codes, as in shells
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class OutputClosedError(KeyboardInterrupt):
    """Nobody reads the output any more, as after `| head -n 1`."""


class _Standard(io.FileIO):
    """Standard output or error; what nobody can read any more goes nowhere, without further errors."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write, or interrupt the step if the reader of its output is gone.

        Raises:
            OSError: standard output cannot take more, for instance a file on a full disk.
        """
        for prepare in _preparations:
            prepare()
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self.fileno() == 1 and error.errno in (errno.EPIPE, errno.EIO):
                _interrupts.unheard = True
                # Whichever thread writes, the main one is interrupted, also where it waits.
                signal.pthread_kill(main_thread().ident or 0, signal.SIGTERM)
            elif self.fileno() == 1:
                raise OSError(error.errno, error.strerror, "standard output") from None
            return len(memoryview(data))


_preparations: list[Callable[[], None]] = []


def before_writing(prepare: Callable[[], None]) -> None:
    """Have a function called before each write to standard output and error."""
    _preparations.append(prepare)


class _Interrupts:
    """What has come so far."""

    unheard = False

    def first(self, number: int, frame: FrameType | None) -> NoReturn:
        """Interrupt the step; of further signals only Ctrl-C counts, which then ends it at once."""
        # A terminal that is lost, and `mlflow run`, which passes Ctrl-C on as SIGTERM, send two.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, _end_at_once)
        raise OutputClosedError if self.unheard else KeyboardInterrupt


_interrupts = _Interrupts()


def _end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    import psutil  # imported here so that a mistyped parameter is reported without waiting for it

    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(INTERRUPTED)


def catch_interrupts() -> None:
    """Let the first signal that asks for an end, and the loss of the output's reader, interrupt this process.

    A hangup that the caller has this process ignore, by `nohup`, stays ignored.
    """
    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupts.first)
    atexit.register(_ignore_interrupts)
    _open_standard_streams()


def _ignore_interrupts() -> None:
    # What comes once the step has ended would be met by the system's own handlers, and hide the exit code.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _open_standard_streams() -> None:
    # A closed one would become the first file that is opened: what libraries print would be written into it.
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):  # not one that a test or a notebook put there
            encoding = stream.encoding if stream else "utf-8"
            lines = number == 2 or bool(stream and stream.line_buffering)
            if stream:
                stream.flush()
            buffer = io.BufferedWriter(_Standard(number, "w", closefd=False))
            # Other languages' texts are printed as escapes rather than not at all.
            setattr(sys, name, io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=lines))


@contextmanager
def withheld_from_children() -> Iterator[None]:
    """Block `SIGNALS` in child processes that start in this context, from their first moment.

    A terminal sends them to every process; this one decides what becomes of its children.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
