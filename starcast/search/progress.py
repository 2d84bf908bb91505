"""Print the progress of a search as plain lines."""

import math
from collections import Counter
from collections.abc import Sequence

from starcast.cli.progress import Progress, clock
from starcast.models.family import settings_text
from starcast.search.time_budget import TimeBudget
from starcast.search.trials import Objective, Trial, best_of


def say(text: str) -> None:
    """Print a line of a search."""
    print(f"tune: {text}", flush=True)


class TrialLines:
    """Prints a line per trial with the counts by outcome, the best so far and the time left."""

    def __init__(
        self,
        objective: Objective,
        max_trials: int,
        finished: Sequence[Trial] = (),
        budget: TimeBudget | None = None,
    ) -> None:
        self._objective, self._max_trials, self._progress = objective, max_trials, Progress()
        self._budget = budget or TimeBudget()
        self._trials, self._earlier = list(finished), len(finished)

    def show(self, trial: Trial) -> None:
        """Print a finished trial."""
        self._trials.append(trial)
        counts = Counter(each.outcome for each in self._trials)
        done = f"{counts['complete']} done, {counts['pruned']} pruned, {counts['failed']} failed"
        best, ended = best_of(self._trials), len(self._trials)
        known = f", best {self._value(best)}" if best else ""
        left = self._progress.left((ended - self._earlier) / (self._max_trials - self._earlier))
        if math.isfinite(self._budget.ends):
            left = f", {clock(max(0.0, self._budget.left()))} left for trials"
        result = f"{self._objective.name} {self._value(trial)}"
        if trial.outcome != "complete":
            failed = trial.score is None
            epoch = len(trial.curve)
            result = f"failed ({trial.reason})" if failed else f"pruned after epoch {epoch} at {result}"
        proposal = trial.proposal
        print(
            f"  [{ended}/{self._max_trials}: {done}{known}{left}]  trial {proposal.number} {proposal.family} "
            f"{result} in {clock(trial.seconds)} ({settings_text(proposal.settings)})",
            flush=True,
        )

    def _value(self, trial: Trial) -> str:
        return "?" if trial.score is None else f"{self._objective.score(trial.score):.4f}"
