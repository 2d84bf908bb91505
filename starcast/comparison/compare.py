"""Compare runs of an experiment: which is best, by how much, and whether that is significant."""

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.comparison import report, tables
from starcast.comparison.parameters import CompareParameters
from starcast.comparison.ranking import Comparison, rank
from starcast.comparison.systems import make_systems
from starcast.reports.table import plain
from starcast.tracking import commands, runs
from starcast.tracking import scored_runs as stored
from starcast.tracking.scored_runs import ScoredRun

SHOWN = 10  # systems on the terminal


def compare_runs(parameters: CompareParameters) -> Comparison:
    """Read the runs, compare them, log the report on this step's run."""
    split, metric, by = parameters.split, parameters.metric, parameters.by
    groups = f" by {by}" if by else ""
    name = f"compare {', '.join(parameters.experiment) or 'runs'}{groups}, {split} {metric}"
    with runs.step_run("compare", parameters.as_text(), name) as run_id:
        scored, left_out = _read(parameters)
        systems = make_systems(scored, by)
        compared = rank(systems, metric, split, by)
        left_out[f"they have no {by}"] = len(scored) - sum(len(system.runs) for system in systems)
        notes = tuple(f"Runs left out: {n:,}, as {reason}." for reason, n in left_out.items() if n)
        with runs.artifacts_of_run() as folder:
            report.comparison_report(compared, notes).save(folder)
            tables.number_table(compared).write_csv(folder / "comparison.csv")
        runs.describe(report.description(compared, notes))
    for line in (*report.answer(compared), *notes):
        print(f"compare: {plain(line)}")
    print(f"\n{tables.terminal_table(compared, SHOWN).text()}\n")
    for line in commands.where_to_look(run_id):
        print(f"compare: {line}", flush=True)
    return compared


def _read(parameters: CompareParameters) -> tuple[list[ScoredRun], dict[str, int]]:
    """Return the runs to compare, and how many were left out for which reason."""
    split, metric = parameters.split, parameters.metric
    asked = parameters.experiment, parameters.filter, split, metric, parameters.max_runs
    found, beyond = stored.find_runs(*asked)
    scored, progress = [], Progress("runs")
    for number, each in enumerate(stored.read_runs(found, split, metric), start=1):
        scored += [each] if each else []
        progress.show("reading runs", number / len(found), 1)
    if not scored:
        gone = f"none of {len(found)} scored runs has predictions or a confusion matrix"
        raise UserError(f"{gone}: nothing to compare")
    alike = [each for each in scored if each.scale == scored[0].scale]  # the best comes first
    other = f"their ratings are not {scored[0].scale}, as those of the best are"
    return alike, {
        other: len(scored) - len(alike),
        f"they are beyond the {parameters.max_runs} best (max_runs)": beyond,
        "their predictions and confusion matrices are gone": len(found) - len(scored),
    }
