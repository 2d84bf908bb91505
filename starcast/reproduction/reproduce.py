"""Run a logged run again and compare the results: equal, within noise, or different, and why."""

from collections.abc import Sequence
from dataclasses import replace

from starcast.cli.errors import UserError
from starcast.reports.files import write_json
from starcast.reports.page import Report
from starcast.reports.table import plain
from starcast.reports.terminal_table import print_table
from starcast.reproduction import conditions
from starcast.reproduction.compare import Reproduction, compare_records
from starcast.reproduction.conditions import Factor
from starcast.reproduction.parameters import ReproduceParameters
from starcast.reproduction.report import reproduction_json, reproduction_report, short_table
from starcast.reproduction.rerun import (
    data_parameters,
    missing_parameters,
    parameters_of,
    prepare_again,
    run_again,
    say,
)
from starcast.tracking import commands, runs
from starcast.tracking import repetition as stored
from starcast.tracking.origin import Origin, find


def reproduce(parameters: ReproduceParameters) -> Reproduction:
    """Compare the conditions, run it again below this step's run, compare the results; nothing is registered.

    Raises:
        UserError: there is no such run, or it cannot be run again.
    """
    name = f"reproduce {parameters.run or 'the newest candidate'}"
    with runs.step_run("reproduce", parameters.as_text(), name) as run_id:
        origin = find(parameters.run)
        runs.rename_active(f"reproduce {origin.name}")
        runs.describe(f"Run {origin.run_id} is being run again.")
        which = "run" if parameters.run else "the newest finished candidate is run"
        say(f"{which} {origin.run_id}, {origin.name}")
        again = commands.command_line("reproduce", run=origin.run_id)
        with runs.told_if_interrupted("reproduce", again):
            checks = _run_again(origin, run_id)
        repetition = stored.repetition(run_id, origin.kind)
        found = compare_records(stored.read(origin.run_id), stored.read(repetition))
        told = reproduction_report(found, checks)
        _log(found, checks, told, run_id)
    print_table(short_table(found))
    for line in (*told.answer, *commands.where_to_look(run_id)):
        say(plain(line))
    return found


def _run_again(origin: Origin, run_id: str) -> list[Factor]:
    """Run it again below the active run; differing conditions are printed before any fit begins."""
    parameters = parameters_of(origin)
    asked = data_parameters(parameters)
    checks = conditions.before_fitting(origin, parameters, asked, missing_parameters(origin))
    _show_checks(checks)
    prepared = prepare_again(origin, asked)
    splits = conditions.splits(origin, prepared.report["digests"], checks[0])
    _show_checks(splits)
    run_again(origin, parameters, prepared, run_id)
    return [*checks, *splits]


def _log(found: Reproduction, checks: Sequence[Factor], told: Report, run_id: str) -> None:
    original, outcome = found.pairs[0].before.run_id, found.verdict.replace(" ", "_")
    with runs.artifacts_of_run() as folder:
        told.save(folder, commands.origin_of_report())
        write_json(folder / "reproduction.json", reproduction_json(found, checks))
    described = replace(told, sections=told.sections[:2]).markdown(pictures=False)
    runs.describe(described, stored.tags(original, outcome))
    runs.rename_active(f"{found.verdict}: reproduce {found.pairs[0].before.name}")
    try:
        stored.mark({pair.now.run_id: pair.before.run_id for pair in found.pairs}, original, outcome, run_id)
    except UserError as why:  # somebody else's run: what was found stands all the same
        say(str(why))


def _show_checks(checks: Sequence[Factor]) -> None:
    """Print a line for each condition that differs or is unknown, and one for the rest."""
    for each in checks:
        if not each.same:
            say(f"  {each.what}: then {each.before}, now {each.now}")
    alike = [each.what for each in checks if each.same]
    if alike:
        say(f"  the same as then: {', '.join(alike)}")
