"""Stand-ins for what a search needs.

Trials that cost nothing, a pool in this process, a watcher that remembers.
"""

from collections.abc import Callable, Iterator

from starcast.search.loop import Done, Event, Failed, Reported, Result
from starcast.search.trials import Objective, Proposal, Trial

OBJECTIVE = Objective("val_auc", lower_is_better=False)
Plan = Callable[[Proposal], Iterator[Event]]


def complete(proposal: Proposal, score: float, epochs: int = 1) -> Trial:
    return Trial(proposal, "complete", score, (score,) * epochs)


def pruned(proposal: Proposal, score: float, epochs: int = 1) -> Trial:
    return Trial(proposal, "pruned", score, (score,) * epochs)


def failed(proposal: Proposal) -> Trial:
    return Trial(proposal, "failed", None, reason="ValueError: no words")


def point(proposal: Proposal) -> tuple:
    """Family and settings, in a form that can be counted."""
    return proposal.family, *sorted(proposal.settings.items())


def trained(
    proposal: Proposal, values: list[float], fails: bool = False, waits: bool = True
) -> Iterator[Event]:
    """The events of a trial with this objective after each epoch.

    It raises after them, or keeps the last one's weights.
    """
    epochs = values[: proposal.epochs]
    for epoch, value in enumerate(epochs, start=1):
        last = epoch == len(epochs) and not fails
        yield Reported(proposal.number, epoch, {OBJECTIVE.name: value}, waits=waits and not last)
    if fails:
        yield Failed(proposal.number, "ValueError: no words", "Traceback ...")
    else:
        yield Done(proposal.number, {OBJECTIVE.name: epochs[-1]}, Result([], {}))


class FakePool:
    """Trains by making up events, of the running trials in the order that `pick` says.

    Checks that it is used as it may be.
    """

    def __init__(self, workers: int, plan: Plan, pick: Callable[[int], int] = lambda _: 0) -> None:
        self._workers, self._plan, self._pick = workers, plan, pick
        self._running: dict[int, Iterator[Event]] = {}
        self._waiting: dict[int, Reported] = {}
        self.most = 0
        self.begun: list[Proposal] = []
        self.answers: list[tuple[int, int, bool]] = []

    def idle(self) -> bool:
        return len(self._running) + len(self._waiting) < self._workers

    def begin(self, proposal: Proposal) -> None:
        assert self.idle(), "more trials at once than the pool carries"
        self._running[proposal.number] = self._plan(proposal)
        self.begun.append(proposal)
        self.most = max(self.most, len(self._running))

    def wait(self, seconds: float) -> Event | None:
        assert self._running or not self._waiting, "every running trial waits for an answer"
        assert self._running, "nothing runs: nothing will ever happen"
        picked = self._pick(len(self._running) + 1)
        if picked == len(self._running):
            return None  # nothing happened within this time
        number = list(self._running)[picked]
        event = next(self._running[number])
        if isinstance(event, Reported) and event.waits:
            self._waiting[number] = event
            self._paused = self._running.pop(number)
        elif not isinstance(event, Reported):
            del self._running[number]
        return event

    def answer(self, number: int, goes_on: bool) -> None:
        epoch = self._waiting.pop(number)
        self.answers.append((number, epoch.report, goes_on))
        stopped: Iterator[Event] = iter([Done(number, epoch.metrics, None)])
        self._running[number] = self._paused if goes_on else stopped


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.epochs: list[tuple[int, int]] = []
        self.ended: list[Trial] = []
        self.checks = 0

    def begin(self, proposal: Proposal) -> None:
        self.begun.append(proposal.number)

    def report(self, event: Reported) -> None:
        self.epochs.append((event.number, event.report))

    def end(self, trial: Trial, event: Done | Failed) -> None:
        assert trial.proposal.number == event.number
        self.ended.append(trial)

    def check(self) -> None:
        self.checks += 1


class Numbers:
    """Proposals that count, and remember what they are told; `ready` says whether there is one now."""

    def __init__(self, epochs: int | None = None, ready: Callable[[], bool] = lambda: True) -> None:
        self._epochs, self._ready = epochs, ready
        self.asked: list[int] = []
        self.told: list[Trial] = []

    def ask(self, number: int) -> Proposal | None:
        if not self._ready():
            return None
        self.asked.append(number)
        return Proposal(number, "fake", {"x": number}, self._epochs)

    def tell(self, trial: Trial) -> None:
        self.told.append(trial)
