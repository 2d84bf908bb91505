"""What a terminal shows while a step prints nothing."""

from tests.terminals import PROJECT, shown_on_terminal

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
    return shown_on_terminal(["-c", STEP], PROJECT, more)


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
