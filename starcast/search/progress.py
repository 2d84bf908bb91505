"""Print the progress of a search as plain lines."""

import time
from types import TracebackType
from typing import Protocol, Self

from starcast.cli.progress import EVERY, clock
from starcast.cli.terminal import can_repaint
from starcast.models.family import settings_text
from starcast.search.loop import Done, Failed, Reported, Watcher
from starcast.search.standing import SearchStanding, UnderWay
from starcast.search.trials import Proposal, Trial


def say(text: str) -> None:
    """Print a line of a search."""
    print(f"tune: {text}", flush=True)


class Display(Watcher, Protocol):
    """A watcher, and a context, that shows a search to whoever waits for it.

    `output`: file descriptor for what the workers print; None: they print where this process does.
    """

    @property
    def output(self) -> int | None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display_of(standing: SearchStanding, log: Watcher) -> Display:
    """Return what shows a search, and passes all on to `log`: a table on a terminal, lines elsewhere."""
    if not can_repaint():
        return TrialLines(standing, log)
    from starcast.search.live_table import LiveTable  # imports Rich

    return LiveTable(standing, log)


class TrialLines:
    """Prints a line for each trial that ends, and now and then those under way; passes all on to `log`."""

    output = None

    def __init__(self, standing: SearchStanding, log: Watcher) -> None:
        self._standing, self._log = standing, log
        self._printed = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def begin(self, proposal: Proposal) -> None:
        """Count a trial that begins."""
        self._standing.begin(proposal)
        self._log.begin(proposal)

    def report(self, event: Reported) -> None:
        """Count a report of a trial."""
        self._standing.report(event)
        self._log.report(event)

    def end(self, trial: Trial, event: Done | Failed) -> None:
        """Print a finished trial."""
        self._log.end(trial, event)
        self.show(trial)

    def show(self, trial: Trial) -> None:
        """Count and print a finished trial."""
        standing = self._standing
        standing.end(trial)
        told = [standing.counts(), f"best {standing.value(best)}" if (best := standing.best()) else ""]
        head = ", ".join(filter(None, (*told, standing.left())))
        self._print(f"[{len(standing.ended)}/{standing.max_trials}: {head}]  {trial_text(standing, trial)}")

    def check(self) -> None:
        """Print the trials under way if nothing has been printed for a while."""
        self._log.check()
        standing = self._standing
        if standing.under_way and time.monotonic() - self._printed >= EVERY:
            shown = [_under_way(standing, trial) for trial in standing.under_way.values()]
            self._print("; ".join(filter(None, (*shown, standing.left()))))

    def _print(self, text: str) -> None:
        self._printed = time.monotonic()
        print(f"  {text}", flush=True)


def trial_text(standing: SearchStanding, trial: Trial) -> str:
    """Return how a trial ended, with its settings."""
    result, proposal = f"{standing.objective.name} {standing.value(trial)}", trial.proposal
    if trial.outcome == "failed":
        result = f"failed ({trial.reason})"
    elif trial.outcome == "pruned":
        result = f"pruned after epoch {standing.epochs(trial)} at {result}"
    settings = settings_text(proposal.settings)
    return f"trial {proposal.number} {proposal.family} {result} in {clock(trial.seconds)} ({settings})"


def _under_way(standing: SearchStanding, trial: UnderWay) -> str:
    epoch = f" epoch {trial.epoch()}" if trial.length.epochs else ""
    value = "" if trial.value is None else f" {standing.objective.name} {trial.value:.4f}"
    return f"trial {trial.proposal.number} {trial.proposal.family}{epoch}{value}, {clock(trial.seconds())}"
