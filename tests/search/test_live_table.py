"""A search on a terminal: a table that is repainted, in a real pseudo-terminal."""

import io
import os
import re
from pathlib import Path

import pytest
from fakes import OBJECTIVE, Notes
from rich.console import Console

from starcast.search.live_table import LiveTable
from starcast.search.loop import Reported
from starcast.search.standing import Length, SearchStanding
from starcast.search.trials import Proposal
from tests.terminals import PROJECT, shown_on_terminal

SEARCH = """
import subprocess, sys
from fakes import OBJECTIVE, FakePool, Notes, Numbers, trained
from starcast.cli.interrupts import catch_interrupts
from starcast.search.loop import Search
from starcast.search.progress import display_of
from starcast.search.pruning import Pruner
from starcast.search.standing import Length, SearchStanding

catch_interrupts()
values = {1: [0.5, 0.8], 2: [0.6, 0.7], 3: [0.6]}
pool = FakePool(2, lambda proposal: trained(proposal, values[proposal.number], fails=proposal.number == 3))
display = display_of(SearchStanding(OBJECTIVE, 3, length=lambda _: Length(2)), Notes())
with display:
    for trial in Search(Numbers(), pool, Pruner(), display, OBJECTIVE).run(3):
        subprocess.run(["echo", f"worker says {trial.proposal.number}"], stdout=display.output)
        if trial.proposal.number == 2:
            print("tune: a note", flush=True)
            if "interrupted" in sys.argv:
                raise KeyboardInterrupt
print("after")
"""


def on_a_terminal(folder: Path, *arguments: str, **more: str) -> str:
    """What a search writes to a terminal."""
    (folder / "search.py").write_text(SEARCH, encoding="utf-8")
    paths = os.pathsep.join([str(PROJECT), str(PROJECT / "tests" / "search")])
    return shown_on_terminal(["search.py", *arguments], folder, {"PYTHONPATH": paths, **more})


def without_codes(written: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written)


def test_a_terminal_shows_a_table_and_what_others_print_above_it(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path)
    said = without_codes(written)
    for told in ("1 of 3 trials", "best val_auc 0.8000, trial 1 fake", "worker says 1", "tune: a note"):
        assert told in said
    assert re.search(r"2 +fake +1/2 +0\.6000 +\d s", said), "the trial under way"
    last = said[said.rindex("3 of 3 trials") :].split("\r\n")
    assert last[0] == "3 of 3 trials: 2 done, 0 pruned, 1 failed"
    assert re.fullmatch(r"in \d+ s", last[1].strip())
    assert last[2] == "after"
    assert said.count("trial 3 fake failed (ValueError: no words)") == 1
    assert written.rfind("\x1b[?25h") > written.rfind("\x1b[?25l"), "the cursor is there"


def test_an_interrupt_leaves_how_far_the_search_was(tmp_path: Path) -> None:
    said = without_codes(on_a_terminal(tmp_path, "interrupted"))
    assert "2 of 3 trials" in said[: said.index("Traceback")]
    assert "after" not in said


def test_a_terminal_that_cannot_repaint_gets_lines(tmp_path: Path) -> None:
    written = on_a_terminal(tmp_path, TERM="dumb")
    assert "\x1b" not in written
    assert "  [1/3: 1 done, 0 pruned, 0 failed, best 0.8000, about" in written


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits(columns: int, clock_at: dict[str, float]) -> None:
    standing = SearchStanding(OBJECTIVE, 12, length=lambda _: Length(3))
    table = LiveTable(standing, Notes())
    for number, family in enumerate(("logistic_regression", "transformer"), start=1):
        standing.begin(Proposal(number, family, {}))
    clock_at["seconds"] += 4_000
    standing.report(Reported(1, 2, {OBJECTIVE.name: 0.8821}, waits=False))
    console = Console(width=columns, record=True, file=io.StringIO())
    console.print(table._painted())
    lines = console.export_text().splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["trial", "1", "2"], "no row is broken"
    assert re.search(r"1 +logistic_regression +2/3 +0\.8821 +1 h 06 min", "\n".join(lines))
