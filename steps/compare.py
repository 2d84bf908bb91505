"""Runs of an experiment -> a report: which is best, by how much, beyond chance or not.

mlflow run . -e compare
mlflow run . -e compare -P split=val -P by=family -P metric=f1_weighted
"""

import time
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from steps.errors import UserError
from steps.evaluation import comparison_report, comparison_tables
from steps.evaluation.comparison import Comparison, compare
from steps.evaluation.report import plain
from steps.evaluation.scores import SCORES
from steps.evaluation.systems import ScoredRun, System, each_run, group_names, grouped
from steps.parameters import Parameters, command, split_names
from steps.tracking import comparison as stored
from steps.tracking import runs, server

SHOWN = 10  # systems on the terminal
SAY_EVERY = 5.0  # seconds


def check_score(name: str) -> str:
    """Return the name of a score.

    Raises:
        ValueError: there is no such score.
    """
    if name not in SCORES:
        raise ValueError(f"should be one of {', '.join(SCORES)}")
    return name


class CompareParameters(Parameters):
    """Report over scored runs of an experiment: tables, confusion matrices, intervals, paired differences."""

    experiment: Annotated[tuple[str, ...], BeforeValidator(split_names)] = Field((), description="comma list; empty: this one")
    filter: str = Field("", description="MLflow's filter, e.g. tags.family = 'gru_1'; empty is every scored run")
    split: Literal["test", "val"] = Field("test", description="whose scores: test (candidates), val (trials have these as well)")
    by: str = Field("", description="one system per value of this parameter, setting or tag, e.g. family; empty: per run")
    metric: Annotated[str, AfterValidator(check_score)] = Field("f1_macro", description="what is compared; any score")
    max_runs: int = Field(50, ge=1, le=1_000, description="of more runs only the best ones")


def run(parameters: CompareParameters) -> Comparison:
    """Read the runs, compare them, log the report on this step's run."""
    with runs.step_run("compare", parameters.as_text(), _name(parameters)) as run_id:
        scored, left_out = _read(parameters)
        systems = _systems(scored, parameters.by)
        compared = compare(systems, parameters.metric, parameters.split, parameters.by)
        ungrouped = len(scored) - sum(len(system.runs) for system in systems)
        notes = _notes({**left_out, f"they have no {parameters.by}": ungrouped})
        with runs.artifacts_of_run() as folder:
            comparison_report.comparison_report(compared, notes).save(folder)
            comparison_tables.number_table(compared).write_csv(folder / "comparison.csv")
        runs.describe(comparison_report.description(compared, notes))
    _show(compared, notes, run_id)
    return compared


def _read(parameters: CompareParameters) -> tuple[list[ScoredRun], dict[str, int]]:
    """The runs to compare, and how many were left out for which reason."""
    split, metric = parameters.split, parameters.metric
    found = stored.find_runs(parameters.experiment, parameters.filter, split, metric, parameters.max_runs)
    read = list(_told(stored.read_runs(found.runs, split, metric), len(found.runs)))
    scored = [each for each in read if each]
    if not scored:
        raise UserError(f"of {len(read)} runs with scores none has predictions or a confusion matrix: nothing to compare")
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


def _systems(scored: list[ScoredRun], by: str) -> list[System]:
    if not by:
        return each_run(scored)
    systems = grouped(scored, by)
    if not systems:
        raise UserError(f"parameter by: no run has {by!r}; they differ in {', '.join(group_names(scored)) or 'nothing'}")
    return systems


def _notes(left_out: dict[str, int]) -> tuple[str, ...]:
    return tuple(f"Runs left out: {count:,}, as {reason}." for reason, count in left_out.items() if count)


def _show(compared: Comparison, notes: tuple[str, ...], run_id: str) -> None:
    for line in (*comparison_report.answer(compared), *notes):
        print(f"compare: {plain(line)}")
    print()
    for line in comparison_tables.terminal_lines(compared, SHOWN):
        print(line)
    print()
    for line in server.where_to_look(run_id):
        print(f"compare: {line}", flush=True)


if __name__ == "__main__":
    command("compare", CompareParameters, run)
