"""How much of the texts is in which script."""

from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.reviews.scripts import letters_by_script, script_line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so good 10 !", {"Latin": 6}),
        ("très bon", {"Latin": 7}),
        ("очень хорошо", {"Cyrillic": 11}),
        ("iphone 手 机", {"Latin": 6, "Han": 2}),
        ("サ イ ズ ー と", {"Kana": 5}),
        ("좋아요", {"Hangul": 3}),
        ("👍 !", {}),
    ],
)
def test_scripts_by_hand(text: str, expected: dict[str, int]) -> None:
    assert +letters_by_script(pl.Series([text])) == Counter(expected)


@given(first=st.lists(st.sampled_from(["good", "très", "手 机", ""])), second=st.lists(st.just("ไม่ ดี")))
def test_counts_of_parts_add_up(first: list[str], second: list[str]) -> None:
    parts = [letters_by_script(pl.Series(part, dtype=pl.String)) for part in (first, second)]
    assert +(parts[0] + parts[1]) == +letters_by_script(pl.Series(first + second, dtype=pl.String))


def test_the_line_names_shares_and_what_is_read_by_the_character() -> None:
    line = script_line(Counter({"Latin": 9_820, "Han": 180, "Greek": 1}))
    assert line == "scripts: Latin 98.2%, Han 1.8% (read by the character)"
    assert script_line(Counter()) == "scripts: no letters"
