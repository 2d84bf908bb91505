"""Progress lines of long work, as they are printed."""

from itertools import pairwise

import pytest

from starcast.cli.progress import Progress, clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (8.2, "8 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.7, "1 h 00 min"),
        (4_200, "1 h 10 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_clock_speaks_as_people_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_work_that_takes_long_is_shown_with_the_time_left(
    clock_at: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Progress()
    told = [
        ("numbering", 0.5, 1),
        ("numbering", 1.0, 2),
        ("counting", 0.0, 2),
        ("counting", 0.25, 10),
        ("counting", 0.3, 1),
    ]
    for what, share, passed in told:
        clock_at["seconds"] += passed
        lines.show(what, share)
    assert capsys.readouterr().out.splitlines() == ["  counting: 0%", "  counting: 25%, about 36 s left"]


def test_long_work_is_shown_every_five_seconds_to_its_end(
    clock_at: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    lines, shown = Progress(), [clock_at["seconds"]]
    for second in range(1, 601):
        clock_at["seconds"] += 1
        lines.show("fitting", second / 600)
        if capsys.readouterr().out:
            shown.append(clock_at["seconds"])
    assert {3 < later - earlier <= 5 for earlier, later in pairwise(shown)} == {True}
    assert clock_at["seconds"] - shown[-1] <= 5
