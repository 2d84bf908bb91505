"""Runs of an experiment -> a report: which is best, by how much, beyond chance or not.

mlflow run . -e compare
mlflow run . -e compare -P split=val -P by=family -P metric=f1_weighted
"""

import time
from collections.abc import Iterable

from starcast.cli.errors import UserError
from starcast.comparison import report, tables
from starcast.comparison.parameters import CompareParameters
from starcast.comparison.ranking import Comparison, rank
from starcast.comparison.systems import _systems
from starcast.reports.table import plain
from starcast.tracking import commands, runs
from starcast.tracking import scored_runs as stored
from starcast.tracking.scored_runs import ScoredRun

SHOWN = 10  # systems on the terminal
SAY_EVERY = 5.0  # seconds


def compare_runs(parameters: CompareParameters) -> Comparison:
    """Read the runs, compare them, log the report on this step's run."""
    with runs.step_run("compare", parameters.as_text(), _name(parameters)) as run_id:
        scored, left_out = _read(parameters)
        systems = _systems(scored, parameters.by)
        compared = rank(systems, parameters.metric, parameters.split, parameters.by)
        ungrouped = len(scored) - sum(len(system.runs) for system in systems)
        notes = _notes({**left_out, f"they have no {parameters.by}": ungrouped})
        with runs.artifacts_of_run() as folder:
            report.comparison_report(compared, notes).save(folder)
            tables.number_table(compared).write_csv(folder / "comparison.csv")
        runs.describe(report.description(compared, notes))
    _show(compared, notes, run_id)
    return compared


def _read(parameters: CompareParameters) -> tuple[list[ScoredRun], dict[str, int]]:
    """The runs to compare, and how many were left out for which reason."""
    split, metric = parameters.split, parameters.metric
    found = stored.find_runs(parameters.experiment, parameters.filter, split, metric, parameters.max_runs)
    read = list(_told(stored.read_runs(found.runs, split, metric), len(found.runs)))
    scored = [each for each in read if each]
    if not scored:
        raise UserError(
            f"of {len(read)} runs with scores none has predictions or a confusion matrix: nothing to compare"
        )
    left_out = {
        f"they are beyond the {parameters.max_runs} best (max_runs)": found.left_out,
        "neither predictions nor a confusion matrix are there any more": len(read) - len(scored),
    }
    return scored, left_out


def _name(parameters: CompareParameters) -> str:
    groups = f" by {parameters.by}" if parameters.by else ""
    return f"compare {', '.join(parameters.experiment) or 'runs'}{groups}, {parameters.split} {parameters.metric}"


def _told(read: Iterable[ScoredRun | None], total: int) -> Iterable[ScoredRun | None]:
    """Pass on what is read, and say every few seconds how far it is."""
    said = time.monotonic()
    for count, each in enumerate(read, start=1):
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            print(f"compare: read {count} of {total} runs", flush=True)
        yield each


def _notes(left_out: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"Runs left out: {count:,}, as {reason}." for reason, count in left_out.items() if count)


def _show(compared: Comparison, notes: tuple[str, ...], run_id: str) -> None:
    for line in (*report.answer(compared), *notes):
        print(f"compare: {plain(line)}")
    print()
    for line in tables.terminal_lines(compared, SHOWN):
        print(line)
    print()
    for line in commands.where_to_look(run_id):
        print(f"compare: {line}", flush=True)
