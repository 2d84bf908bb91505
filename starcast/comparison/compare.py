"""Compare runs of an experiment: which is best, by how much, and whether that is significant."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.comparison import report, tables
from starcast.comparison.parameters import CompareParameters
from starcast.comparison.ranking import Comparison, rank
from starcast.comparison.systems import make_systems
from starcast.evaluation.scale import Scale
from starcast.reports.table import plain
from starcast.reports.terminal_table import print_table
from starcast.tracking import commands, runs
from starcast.tracking import scored_runs as stored
from starcast.tracking.scored_runs import ScoredRun

SHOWN = 10  # systems on the terminal
NAMED = 3  # runs in a note
OURS = {"role", "trial_number"}  # tags of fits and trials of starcast


def compare_runs(parameters: CompareParameters) -> Comparison:
    """Read the runs, compare them, log the report on this step's run."""
    split, metric, by = parameters.split, parameters.metric, parameters.by
    groups = f" by {by}" if by else ""
    name = f"compare {', '.join(parameters.experiment) or 'runs'}{groups}, {split} {metric}"
    with runs.step_run("compare", parameters.as_text(), name) as run_id:
        scored, left_out = _read(parameters)
        systems = make_systems(scored, by)
        compared = rank(systems, metric, split, by)
        used = {run.run_id for system in systems for run in system.runs}
        left_out[f"they have no {by}"] += [run.run_id for run in scored if run.run_id not in used]
        notes = _notes(left_out)
        with runs.artifacts_of_run() as folder:
            report.comparison_report(compared, notes).save(folder, commands.origin_of_report())
            tables.number_table(compared).write_csv(folder / "comparison.csv")
        runs.describe(report.description(compared, notes))
        runs.rename_active(f"compare{groups} {split} {metric}: {report.short_answer(compared)}")
    for line in (*report.answer(compared), *notes):
        print(f"compare: {plain(line)}")
    print_table(tables.terminal_table(compared, SHOWN))
    for line in commands.where_to_look(run_id):
        print(f"compare: {line}", flush=True)
    return compared


def _read(parameters: CompareParameters) -> tuple[list[ScoredRun], dict[str, list[str]]]:
    """Return the runs to compare, and the ids of those that are left out by reason."""
    split, metric, most = parameters.split, parameters.metric, parameters.max_runs
    asked = parameters.experiment, parameters.filter, split, metric, most
    found, beyond = stored.find_runs(*asked)
    scored, left_out, progress = list[ScoredRun](), defaultdict[str, list[str]](list), Progress("runs")
    for number, each in enumerate(stored.read_runs(found, split, metric), start=1):
        if isinstance(each, ScoredRun):
            scored.append(each)
        else:
            left_out[each.why].append(each.run_id)
        progress.show("reading runs", number / len(found), 1)
    if not scored:
        gone = f"none of {len(found)} scored runs has predictions or a confusion matrix that can be compared"
        raise UserError(f"{gone}: {plain(' '.join(_notes(left_out)))}")
    usual = _usual_scale(scored)
    left_out[f"their ratings are not {usual}, as those of most are"] += [
        each.run_id for each in scored if each.scale != usual
    ]
    left_out[f"they are beyond the {most} best (max_runs)"] += beyond
    return [each for each in scored if each.scale == usual], left_out


def _usual_scale(scored: Sequence[ScoredRun]) -> Scale:
    """Return the scale of most runs that starcast made, else of most; of equally many, that of the best."""
    ours = [each for each in scored if OURS & each.tags.keys()]
    return Counter(each.scale for each in ours or scored).most_common(1)[0][0]


def _notes(left_out: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return a sentence on the runs that are left out for each reason; it names some of them."""
    notes = []
    for reason, run_ids in left_out.items():
        if run_ids:
            named = ", ".join(f"`{run_id}`" for run_id in run_ids[:NAMED])
            more = f" and {len(run_ids) - NAMED:,} more" if len(run_ids) > NAMED else ""
            notes.append(f"Runs left out: {len(run_ids):,}, as {reason}: {named}{more}.")
    return tuple(notes)
