"""Estimate the time that a search still needs, from trials that have ended and those that are under way."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, geometric_mean, median

from starcast.search.trials import Proposal, Trial

WEIGHT = 8  # trials that the mean of the families counts for, beside those that have ended
LEAST = 0.1  # seconds that a trial takes at least


@dataclass
class _UnderWay:
    """A trial: how many reports it may make and has made, when it began and made the last one."""

    family: str
    reports: int
    is_first: bool
    began: float
    seen: float
    made: int = 0


class TimeLeft:
    """Learns what trials of each family take, and adds up what is left.

    The first trial of a family also starts its worker and compiles its network: how long it takes says little
    about later ones, unlike the times between its reports. Nobody knows the families of trials to come. A
    search favours quick ones, so that their geometric mean is expected, until enough trials have ended.
    """

    def __init__(self, finished: Iterable[Trial] = ()) -> None:
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
        self._at_once = max(self._at_once, len(self._under_way))

    def report(self, number: int) -> None:
        """Learn that a trial makes a report."""
        trial, now = self._under_way[number], time.monotonic()
        if trial.made or not trial.is_first:
            self._laps[trial.family].append(now - trial.seen)
        trial.made, trial.seen = trial.made + 1, now

    def end(self, trial: Trial) -> None:
        """Learn what a trial took, whether it began here or in an earlier process."""
        family = trial.proposal.family
        begun = self._under_way.pop(trial.proposal.number, None)
        is_first = begun.is_first if begun else self._is_first(family)
        (self._first if is_first else self._later)[family].append(trial.seconds)

    def seconds(self, waiting: int) -> float | None:
        """Return the seconds until the last of `waiting` trials, none of which has begun, will have ended.

        None: nothing is known of any family yet.
        """
        families = {*self._first, *self._later, *(trial.family for trial in self._under_way.values())}
        costs = {family: cost for family in families if (cost := self._cost(family)) is not None}
        if not costs:
            return None
        usual, later = fmean(costs.values()), [each for seconds in self._later.values() for each in seconds]
        expected = geometric_mean(max(cost, LEAST) for cost in costs.values())
        each = (WEIGHT * expected + sum(later)) / (WEIGHT + len(later))
        rest = [self._rest(trial, costs.get(trial.family, usual)) for trial in self._under_way.values()]
        return max((sum(rest) + waiting * each) / self._at_once, max(rest, default=0.0))

    def _is_first(self, family: str) -> bool:
        return not self._first.get(family) and not self._later.get(family)

    def _cost(self, family: str) -> float | None:
        """Return what a later trial of a family takes, as far as it is known."""
        if later := self._later.get(family):
            return fmean(later)
        if laps := self._laps.get(family):
            return median(laps) * self._reports[family]
        return fmean(first) if (first := self._first.get(family)) else None

    def _rest(self, trial: _UnderWay, cost: float) -> float:
        now = time.monotonic()
        if 0 < trial.made < trial.reports:
            laps = self._laps.get(trial.family)
            lap = median(laps) if laps else cost / trial.reports
            return max(0.0, (trial.reports - trial.made) * lap - (now - trial.seen))
        return max(0.0, cost - (now - trial.began))
