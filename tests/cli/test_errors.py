"""Errors as they may be shown: in one line, never with a password."""

import pytest

from starcast.cli.errors import first_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("\n  first\nsecond"), "first"),
        (KeyError(), "KeyError"),
        ("gone: http://ann:Secret99@db/x\n", "gone: http://db/x"),
        (ValueError("x" * 300), "x" * 200 + "..."),
    ],
)
def test_an_error_is_told_in_one_line(error: BaseException | str, line: str) -> None:
    assert first_line(error) == line
