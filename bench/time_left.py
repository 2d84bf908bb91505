"""How right is the time that a search says is left? Replays the finished searches of a tracking store.

    MLFLOW_TRACKING_URI=sqlite:///mlflow.db python -m bench.time_left

From the third trial on, each end of a trial gives one estimate, made from what was known by then, as long as
the trials still took 5 seconds or more. Prints a row per search: how many estimates were within a factor of
1.5, and of 2, of what the trials took, and the median of the factors. A time limit (`minutes`), which is told
instead where it comes earlier, is left out.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from unittest.mock import patch

import mlflow
from mlflow.entities import Run

from starcast.cli.parameters import parse_logged
from starcast.models.catalogue import family_named
from starcast.search.time_left import TimeLeft
from starcast.search.trials import Proposal, Trial
from starcast.tracking.store import children_of
from starcast.workflow.search import expected_seconds
from starcast.workflow.search_parameters import TuneParameters

FROM = 3  # trials that have ended
LEAST = 5.0  # seconds that are left: less nobody plans by


@dataclass
class Replayed:
    """A trial as it went, in seconds of `time.time`."""

    proposal: Proposal
    reports: int
    began: float
    ended: float
    reported: list[float] = field(default_factory=list)

    def events(self) -> Iterator[tuple[float, int, "Replayed"]]:
        """Yield begin (0), reports (1) and end (2), each with its time."""
        yield self.began, 0, self
        yield from ((when, 1, self) for when in self.reported[: self.reports])
        yield self.ended, 2, self


def replayed(run: Run, objective: str) -> Replayed:
    """Return a trial from its run."""
    family = family_named(run.data.params["family"])
    epochs = int(run.data.params.get("epochs", 0)) if family.iterative else 0
    reports = max(1, epochs) * family.reports
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, objective)
    proposal = Proposal(int(run.data.tags["trial_number"]), run.data.params["family"], {})
    reported = sorted(metric.timestamp / 1000 for metric in history) if epochs else []
    return Replayed(proposal, reports, run.info.start_time / 1000, run.info.end_time / 1000, reported)


def factors(parent: Run) -> list[float]:
    """Return, per end of a trial, by which factor the estimate was off."""
    parameters = parse_logged(TuneParameters, parent.data.params)
    runs = [run for run in children_of(parent) if "trial_number" in run.data.tags]
    trials = [replayed(run, parameters.objective) for run in runs]
    reviews = next(int(run.data.metrics["rows_used"]) for run in runs if "rows_used" in run.data.metrics)
    points = parameters.first_points() if parameters.families_together else []
    first = [family for family, _ in points]
    left = TimeLeft(first=first, expected=expected_seconds(parameters, reviews))
    end, ended, off = max(trial.ended for trial in trials), 0, list[float]()
    begun = 0
    for when, kind, trial in sorted(
        (event for each in trials for event in each.events()), key=lambda e: e[:2]
    ):
        with patch.object(time, "monotonic", lambda when=when: when):
            if kind == 0:
                begun += 1
                left.begin(trial.proposal, trial.reports)
            elif kind == 1:
                left.report(trial.proposal.number)
            else:
                ended += 1
                left.end(Trial(trial.proposal, "complete", 0.0, seconds=trial.ended - trial.began))
            if kind == 2 and ended >= FROM and end - when >= LEAST:
                told = left.seconds(len(trials) - begun)
                assert told is not None, "a trial has ended"
                off.append(max(told, 0.1) / (end - when))
    return off


def main() -> None:
    """Replay and print."""
    print("| search | estimates | within 1.5 | within 2 | median told / taken |")
    print("|---|---|---|---|---|")
    found = mlflow.search_runs(
        search_all_experiments=True,
        filter_string="tags.step = 'tune' and attributes.status = 'FINISHED'",
        output_format="list",
    )
    every = list[float]()
    for parent in found:
        off = factors(parent)
        every += off
        _row(parent.info.run_name, off)
    _row("all", every)


def _row(name: str, off: list[float]) -> None:
    within = [sum(1 / most <= factor <= most for factor in off) for most in (1.5, 2)]
    print(
        f"| {name} | {len(off)} | {within[0]} | {within[1]} | {median(off):.2f} |"
        if off
        else f"| {name} | 0 |"
    )


if __name__ == "__main__":
    main()
