"""Estimate the time that a search still needs, from trials that have ended and those that are under way."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, geometric_mean, median

from starcast.search.time_budget import slower_here
from starcast.search.trials import Proposal, Trial

WEIGHT = 8  # trials that the mean of the families counts for, beside those that have ended
LEAST = 0.1  # seconds that a trial takes at least
OVERDUE = 0.3  # of the time that a trial has taken: what it still takes at least


@dataclass
class _UnderWay:
    """A trial: how many reports it may make and has made, when it began and made the last one.

    `laps`: seconds between its reports.
    """

    family: str
    reports: int
    is_first: bool
    began: float
    seen: float
    made: int = 0
    laps: list[float] = field(default_factory=list)


class TimeLeft:
    """Learns what trials of each family take, and adds up what is left.

    The first trial of a family also starts its worker and compiles its network: how long it takes says little
    about later ones, unlike the times between its reports. After the first points, nobody knows the families
    of trials to come. A search favours quick ones, so that their geometric mean is expected, until enough
    trials have ended.

    Args:
        finished: trials of an earlier process.
        first: the families of the first points, in the order in which they are tried.
        expected: seconds that the first trial of a family took on another machine.
    """

    def __init__(
        self,
        finished: Iterable[Trial] = (),
        first: Sequence[str] = (),
        expected: Mapping[str, float] | None = None,
    ) -> None:
        self._coming, self._expected = list(first), expected or {}
        self._under_way: dict[int, _UnderWay] = {}
        self._reports: dict[str, int] = {}
        self._first, self._later, self._laps = (defaultdict[str, list[float]](list) for _ in range(3))
        self._at_once = 1
        for trial in finished:
            self.end(trial)

    def begin(self, proposal: Proposal, reports: int) -> None:
        """Learn that a trial begins, which makes so many reports unless it is pruned."""
        now, family = time.monotonic(), proposal.family
        self._under_way[proposal.number] = _UnderWay(family, reports, self._is_first(family), now, now)
        self._reports[family] = reports
        if family in self._coming:
            self._coming.remove(family)
        self._at_once = max(self._at_once, len(self._under_way))

    def report(self, number: int) -> None:
        """Learn that a trial makes a report."""
        trial, now = self._under_way[number], time.monotonic()
        if trial.made or not trial.is_first:
            trial.laps.append(now - trial.seen)
            self._laps[trial.family].append(now - trial.seen)
        trial.made, trial.seen = trial.made + 1, now

    def end(self, trial: Trial) -> None:
        """Learn what a trial took, whether it began here or in an earlier process."""
        family = trial.proposal.family
        begun = self._under_way.pop(trial.proposal.number, None)
        if trial.outcome == "failed":
            return  # how soon says nothing about others
        is_first = begun.is_first if begun else self._is_first(family)
        (self._first if is_first else self._later)[family].append(trial.seconds)

    def seconds(self, waiting: int) -> float | None:
        """Return the seconds until the last of `waiting` trials, none of which has begun, will have ended.

        None: nothing is known of any family yet.
        """
        costs = self._costs()
        if not costs:
            return None
        usual, later = fmean(costs.values()), [each for seconds in self._later.values() for each in seconds]
        expected = geometric_mean(max(cost, LEAST) for cost in costs.values())
        each = (WEIGHT * expected + sum(later)) / (WEIGHT + len(later))
        known = [costs.get(family, usual) for family in self._coming[:waiting]]
        rest = [self._rest(trial, costs.get(trial.family, usual)) for trial in self._under_way.values()]
        total = sum(rest) + sum(known) + (waiting - len(known)) * each
        return max(total / self._at_once, max(rest, default=0.0))

    def _is_first(self, family: str) -> bool:
        return not self._first.get(family) and not self._later.get(family)

    def _costs(self) -> dict[str, float]:
        """Return what a later trial of each family takes: as measured here, else elsewhere."""
        under_way = (trial.family for trial in self._under_way.values())
        families = {*self._first, *self._later, *under_way, *self._coming}
        costs = {family: cost for family in families if (cost := self._cost(family)) is not None}
        measured = {family: seconds[0] for family, seconds in self._first.items() if seconds}
        if slower := slower_here(measured, self._expected):
            unknown = [family for family in families if family not in costs and family in self._expected]
            costs |= {family: slower * self._expected[family] for family in unknown}
        return costs

    def _cost(self, family: str) -> float | None:
        """Return what a later trial of a family takes, as far as it is known."""
        if later := self._later.get(family):
            return fmean(later)
        if laps := self._laps.get(family):
            return median(laps) * self._reports[family]
        return fmean(first) if (first := self._first.get(family)) else None

    def _rest(self, trial: _UnderWay, cost: float) -> float:
        """Return what a trial still takes: by its own laps, else by those of its family, else by the cost."""
        now = time.monotonic()
        laps = trial.laps or self._laps.get(trial.family)  # its settings make it quicker or slower
        if laps and (trial.made or not trial.is_first):
            waited = now - trial.seen
            lap = max(median(laps), (1 + OVERDUE) * waited)
            return max((trial.reports - trial.made) * lap - waited, OVERDUE * waited)
        taken = now - trial.began
        return max(cost, (1 + OVERDUE) * taken) - taken
