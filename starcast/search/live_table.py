"""Show a search on a terminal as a table that is repainted while it runs."""

import os
import sys
import threading
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from starcast.cli.progress import clock
from starcast.cli.terminal import can_repaint
from starcast.search.loop import Done, Failed, Reported, Watcher
from starcast.search.progress import trial_text
from starcast.search.standing import SearchStanding, UnderWay
from starcast.search.trials import Proposal, Trial

BAR, FAMILY = 20, 19  # characters, of the bar and of the column


class LiveTable:
    """A context that shows how a search stands: a row for each trial under way; passes all on to `log`.

    The search repaints it at every event and once a second: no thread does, so that an interrupt finds the
    terminal in order. What others print meanwhile, workers of this machine included, appears above it.
    """

    def __init__(self, standing: SearchStanding, log: Watcher) -> None:
        self._standing, self._log, self._over = standing, log, False
        self._console = Console(highlight=False)
        # What is written to a file instead of the terminal (`2> errors.txt`) still goes there.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            get_renderable=self._painted,
            redirect_stderr=can_repaint(sys.stderr),
        )
        self._read, self.output = os.pipe()
        self._relay = threading.Thread(target=self._print_relayed, name="output of workers", daemon=True)

    def __enter__(self) -> Self:
        self._live.start()
        self._console.show_cursor(True)  # a second Ctrl-C, or a kill, would leave the terminal without it
        self._relay.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = kind is None
        try:
            os.close(self.output)  # the workers, which had it too, have ended
            self._relay.join(1)
        finally:
            self._live.stop()

    def begin(self, proposal: Proposal) -> None:
        """Show a trial that begins."""
        self._standing.begin(proposal)
        self._log.begin(proposal)
        self._live.refresh()

    def report(self, event: Reported) -> None:
        """Show a report of a trial."""
        self._standing.report(event)
        self._log.report(event)
        self._live.refresh()

    def end(self, trial: Trial, event: Done | Failed) -> None:
        """Count a finished trial; one that failed is also printed above the table, where it stays."""
        self._standing.end(trial)
        self._log.end(trial, event)
        if trial.outcome == "failed":
            self._console.print(Text(trial_text(self._standing, trial), "red"))
        self._live.refresh()

    def check(self) -> None:
        """Show the time that has passed."""
        self._log.check()
        self._live.refresh()

    def _print_relayed(self) -> None:
        with open(self._read, encoding="utf-8", errors="backslashreplace") as lines:
            for line in lines:
                self._console.print(Text.from_ansi(line.rstrip("\n")))

    def _painted(self) -> RenderableType:
        standing = self._standing
        ended, wanted = len(standing.ended), standing.max_trials
        spent = standing.seconds()
        head = Table.grid(padding=(0, 1))
        counted = Text.assemble((f"{ended} of {wanted} trials", "bold"), f": {standing.counts()}")
        head.add_row(ProgressBar(wanted, ended, BAR), counted)
        if self._over:
            return Group(head, Text(f"in {clock(spent)}", "dim"))
        lines: list[RenderableType] = [
            head,
            Text(", ".join(filter(None, (f"{clock(spent)} so far", standing.left())))),
        ]
        if best := standing.best():
            where = f"trial {best.proposal.number} {best.proposal.family}"
            lines.append(
                Text.assemble(
                    "best ", (f"{standing.objective.name} {standing.value(best)}", "green"), f", {where}"
                )
            )
        return Group(*lines, self._rows(list(standing.under_way.values())))

    def _rows(self, trials: list[UnderWay]) -> Table:
        table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("trial", justify="right")
        table.add_column("family", no_wrap=True, min_width=FAMILY)
        table.add_column("epoch", justify="right")
        table.add_column(self._standing.objective.name, justify="right", no_wrap=True)
        table.add_column("time", justify="right", no_wrap=True)
        for trial in trials:
            value = "" if trial.value is None else f"{trial.value:.4f}"
            given = trial.proposal.family, trial.epoch(), value, clock(trial.seconds())
            table.add_row(str(trial.proposal.number), *given)
        return table
