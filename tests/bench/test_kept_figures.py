"""Tables that benchmarks printed are kept, and the pages show the newest of each and no others."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import __main__ as figures

KEPT = figures.Kept(
    "python -m bench speed",
    "2026-11-27T04:00:00+00:00",
    90,
    "abc1234",
    "3.11.7",
    "a processor",
    2,
    90.4,
    {},
    ["| a |\n|---|\n| 1 |"],
)
PAGE = "Before.\n\n<!-- figures: speed -->\nold\n<!-- end -->\n\nAfter.\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place of what is kept."""
    monkeypatch.setattr(figures, "FIGURES", tmp_path)
    return tmp_path


def keep(folder: Path, name: str, **changed: object) -> None:
    (folder / "speed").mkdir(exist_ok=True)
    (folder / "speed" / f"{name}.json").write_text(json.dumps({**asdict(KEPT), **changed}))


@pytest.mark.parametrize("page", figures.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_that_were_kept_last(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert figures.made(text) == text, "python -m bench --pages"


def test_what_is_kept_is_of_code_that_was_committed() -> None:
    for file in figures.FIGURES.glob("*/*.json"):
        assert re.fullmatch("[0-9a-f]{7,}", json.loads(file.read_text())["commit"]), file


def test_a_page_gets_the_newest_tables_and_where_they_come_from(folder: Path) -> None:
    keep(folder, "2026-11-26", tables=["| old |"])
    keep(folder, "2026-11-27")
    text = figures.made(PAGE)
    assert (
        "| a |\n|---|\n| 1 |\n\n`python -m bench speed`: 2026-11-27, commit abc1234, a processor, 2 cores"
        in text
    )
    assert "old" not in text
    assert text.startswith("Before.\n")
    assert text.endswith("<!-- end -->\n\nAfter.\n")
    assert figures.made(text) == text


def test_a_page_with_figures_of_which_nothing_is_kept_is_refused(folder: Path) -> None:
    with pytest.raises(LookupError, match="python -m bench --as=speed NAME"):
        figures.made(PAGE)


def test_tables_are_told_from_what_else_is_printed() -> None:
    printed = ["begins", "| a | b |", "|---|---|", "| 1 | 2 |", "", "| c |", "|---|", "ends"]
    assert figures.tables_in(printed) == ["| a | b |\n|---|---|\n| 1 | 2 |", "| c |\n|---|"]


def test_steps_that_were_there_count_with_the_time_they_took() -> None:
    assert figures.seconds_in(["| a |", "steps took 2.5 minutes"]) == 150
    assert figures.seconds_in(["| a |"]) == 0


def test_every_benchmark_is_listed_with_what_it_asks(folder: Path) -> None:
    keep(folder, "2026-11-27", command="python -m bench ceiling --seeds=1")
    lines = dict(line.split(maxsplit=1) for line in figures.listed())
    assert lines["ceiling"].startswith("2 min  How far can one get?")
    assert lines["monitor"].startswith("not kept  Does `monitor` find")
    assert "speed" not in lines
