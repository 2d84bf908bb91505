"""Choose the family of a search's next trial: where an improvement is expected to cost the least time."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starcast.cli.progress import clock
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import STOPPED_EARLY, Proposal, Proposals, Trial

GIVEN_UP_AFTER = 2  # trials of a family, if all failed


@dataclass
class FamilyRecord:
    """What the trials of a family have cost, in seconds, and what they have reached.

    `best` was reached after `at_best` seconds, the best before it, `former`, after `at_former`.
    """

    spent: float = 0.0
    trials: int = 0
    failed: int = 0
    best: float = -math.inf
    former: float = -math.inf
    at_best: float = 0.0
    at_former: float = 0.0

    def add(self, trial: Trial) -> None:
        """Count a finished trial."""
        self.spent += trial.seconds
        self.trials += 1
        self.failed += trial.outcome == "failed" and trial.reason != STOPPED_EARLY
        if trial.outcome == "complete" and trial.score is not None and trial.score > self.best:
            self.former, self.at_former = self.best, self.at_best
            self.best, self.at_best = trial.score, self.spent

    def cost_of_improvement(self, best_of_all: float, running: float = 0.0) -> float:
        """Return the seconds that an improvement of the best of all families is expected to cost here.

        To improve on itself, a family needs as long as it took for its last improvement, or has tried since.
        To catch up first, as long as it takes at the speed of its last improvement (the estimated cost for
        improvement of Wang et al., FLAML: a fast and lightweight AutoML library, MLSys 2021).

        Args:
            running: seconds that its running trials will cost.
        """
        spent = self.spent + running
        own = max(spent - self.at_best, self.at_best - self.at_former)
        behind, gained = best_of_all - self.best, self.best - self.former
        if not math.isfinite(behind):  # no complete trial of this family, or of any
            return spent
        catching_up = behind * (spent - self.at_former) / gained if math.isfinite(gained) else spent
        return max(own, catching_up) if behind > 0 else own


class FamilyChoice:
    """Settings of several families, each proposed by an engine of its own.

    Each family is tried once, the quickest first. Then the family of a trial is drawn: the less time an
    improvement is expected to cost, the likelier. A family for which the time does not suffice is left out.
    The last of `most` trials are kept for families of which that is not known yet.
    """

    def __init__(
        self,
        engines: Mapping[str, Proposals],
        budget: TimeBudget,
        seed: Sequence[int],
        say: Callable[[str], None],
        most: int,
    ) -> None:
        self._engines, self._budget, self._say, self._most = engines, budget, say, most
        self._random = random.Random(repr(tuple(seed)))
        self._records = {family: FamilyRecord() for family in engines}
        self._running: dict[int, str] = {}
        self._left_out: set[str] = set()

    def ask(self, number: int) -> Proposal | None:
        """Propose settings of the chosen family; None: no family has time or settings for a trial (yet)."""
        for family in self._order():
            if proposal := self._engines[family].ask(number):
                self._running[number] = family
                return proposal
        return None

    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial."""
        family = trial.proposal.family
        self._running.pop(trial.proposal.number, None)
        self._budget.tell(trial)
        self._records[family].add(trial)
        self._engines[family].tell(trial)
        if self._records[family].failed == self._records[family].trials == GIVEN_UP_AFTER:
            self._leave_out(family, f"its first {GIVEN_UP_AFTER} trials failed ({trial.reason})")

    def _order(self) -> list[str]:
        """Return the families in the order in which they are to be asked for a trial."""
        families = [family for family in self._engines if self._is_possible(family)]
        begun = {*self._running.values(), *(name for name in families if self._records[name].trials)}
        new = [family for family in families if family not in begun]
        if new:
            return sorted(new, key=self._budget.trial_seconds)
        undecided = {*self._engines} - begun - self._left_out
        ended = sum(record.trials for record in self._records.values())
        if undecided and self._most - ended - len(self._running) <= len(undecided):
            return []
        best = max(record.best for record in self._records.values())
        # Of exponential waiting times, each is the shortest in proportion to its rate: here 1 / cost.
        return sorted(families, key=lambda family: self._random.expovariate(1) * self._cost(family, best))

    def _cost(self, family: str, best: float) -> float:
        running = list(self._running.values()).count(family) * self._budget.trial_seconds(family)
        return self._records[family].cost_of_improvement(best, running)

    def _is_possible(self, family: str) -> bool:
        if family in self._left_out:
            return False
        if self._budget.has_time_for(family):
            return True
        takes = self._budget.trial_seconds(family)
        if self._records[family].trials:
            self._leave_out(family, f"a trial takes up to {clock(takes)}", "no more trials of")
        elif not self._learns_more():
            final = self._budget.final_fit_seconds(family, takes)
            why = f"a trial would take about {clock(takes)}, and its final fit {clock(final)}"
            self._leave_out(family, why)
        return False

    def _learns_more(self) -> bool:
        """Return whether the first trial of a family runs, or will: it tells how fast this machine is."""
        new = [family for family in self._engines if not self._records[family].trials]
        return any(family in self._running.values() or self._budget.has_time_for(family) for family in new)

    def _leave_out(self, family: str, why: str, what: str = "left out:") -> None:
        self._left_out.add(family)
        left = self._budget.left()
        of = f", {clock(max(0.0, left))} are left beside the final fits" if math.isfinite(left) else ""
        self._say(f"{what} {family}: {why}{of}")
