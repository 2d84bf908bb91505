"""What a terminal shows while a step prints nothing."""

import os
import pty
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
STEP = """
import sys, time
from starcast.cli import signs_of_life
from starcast.cli.interrupts import catch_interrupts

signs_of_life.IDLE = signs_of_life.LOOK_EVERY = 0.1
catch_interrupts()
with signs_of_life.SignsOfLife("tune"):
    print("before", flush=True)
    time.sleep(0.5)
    print("after", flush=True)
    time.sleep(0.5)
print("end", flush=True)
time.sleep(0.3)
"""


def on_a_terminal(**more: str) -> str:
    """What the step writes."""
    process, terminal = pty.fork()
    if not process:
        ours = {**os.environ, "PYTHONPATH": str(PROJECT), "TERM": "xterm", **more}
        os.execve(sys.executable, [sys.executable, "-c", STEP], ours)
    written = b""
    try:
        while part := os.read(terminal, 65_536):
            written += part
    except OSError:  # the end, on Linux
        pass
    os.waitpid(process, 0)
    os.close(terminal)
    return written.decode()


def test_a_line_tells_that_a_step_is_at_work_until_something_is_printed() -> None:
    before, _, rest = on_a_terminal().partition("before\r\n")
    assert before == ""
    silent, _, rest = rest.partition("after\r\n")
    again, _, rest = rest.partition("end\r\n")
    for shown in (silent, again):
        assert shown.count("tune: at work, ") >= 2
        assert shown.endswith("\r\r\x1b[K"), "gone before the next line"
    assert rest == "", "it ends with the step"


def test_a_terminal_that_is_of_no_known_kind_gets_none() -> None:
    assert on_a_terminal(TERM="") == "before\r\nafter\r\nend\r\n"
