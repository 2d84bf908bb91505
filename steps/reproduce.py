"""A logged run made again, and held against what it was: equal, within noise, or different, and why.

mlflow run . -e reproduce -P run=<run id>
mlflow run . -e reproduce -P run=models:/review-rating@champion
"""

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from steps import preprocess, then_and_now
from steps.data_parameters import DataParameters
from steps.errors import UserError
from steps.evaluation import reproduction_report
from steps.evaluation.files import write_json
from steps.evaluation.likely_cause import Check
from steps.evaluation.report import Report, plain
from steps.evaluation.reproducing import reproduction
from steps.evaluation.reproduction import Reproduction
from steps.parameters import Parameters, command
from steps.preprocess import PREPARED, Prepared
from steps.rerun import data_parameters, missing_parameters, parameters_of, run_again
from steps.reviews import sources
from steps.tracking import reproduction as stored
from steps.tracking import runs, server
from steps.tracking.origin import Origin, find


class ReproduceParameters(Parameters):
    """Run a logged run again, with its parameters and the code, data and packages of now, and report what is not the same."""

    run: str = Field(
        "", description="run id of a step, candidate or trial, or models:/<name>@<alias>; empty: the newest finished candidate"
    )


def run(parameters: ReproduceParameters) -> Reproduction:
    """Check what differs from then, run it again below this step's run, compare; registers nothing and moves no alias.

    Raises:
        UserError: there is no such run, or it cannot be run again.
    """
    name = f"reproduce {parameters.run or 'the newest candidate'}"
    with runs.step_run("reproduce", parameters.as_text(), name) as run_id:
        origin = find(parameters.run)
        runs.rename_active(f"reproduce {origin.name}")
        runs.describe(f"Run {origin.run_id} is being run again.")
        _say(f"{'run' if parameters.run else 'the newest finished candidate is run'} {origin.run_id}, {origin.name}")
        try:
            checks = _run_again(origin, run_id)
        except KeyboardInterrupt:
            again = f"mlflow run . -e reproduce -P run={origin.run_id}"
            runs.leave_word(f"**Interrupted.** To begin again: `{again}`")
            _say(f"interrupted; begin again with: {again}")
            raise
        found = reproduction(stored.read(origin.run_id), stored.read(stored.repetition(run_id, origin.kind)))
        told = reproduction_report.report(found, checks)
        _log(found, checks, told, run_id)
    _show(found, told, run_id)
    return found


def _run_again(origin: Origin, run_id: str) -> list[Check]:
    """Run it again, below the active run; what differs from then is printed before any fit begins."""
    parameters = parameters_of(origin)
    asked = data_parameters(parameters)
    checks = then_and_now.before_fitting(origin, parameters, asked, missing_parameters(origin))
    _show_checks(checks)
    prepared = _prepare(origin, asked)
    splits = then_and_now.splits(origin, prepared.report["digests"], checks[0])
    _show_checks(splits)
    run_again(origin, parameters, prepared, run_id)
    return [*checks, *splits]


def _prepare(origin: Origin, asked: DataParameters) -> Prepared:
    """The splits, which are those of every run below the active one.

    Raises:
        UserError: neither the file is here nor the splits are on the server.
    """
    if origin.kind == "preprocess":
        return preprocess.run(asked, anew=True)
    try:
        sources.locate(asked.data)
    except UserError as missing:
        if not stored.has_splits(origin.prepared_run_id):
            raise UserError(f"{missing}; nor are the splits of then on the server any more") from None
        _say(f"the file is not here: the splits of then, on run {origin.prepared_run_id}, are taken as they are")
        runs.tag_active({PREPARED: origin.prepared_run_id})
    return preprocess.prepare_once(asked)


def _log(found: Reproduction, checks: Sequence[Check], told: Report, run_id: str) -> None:
    with runs.artifacts_of_run() as folder:
        told.save(folder)
        write_json(folder / "reproduction.json", reproduction_report.as_json(found, checks))
    runs.describe(replace(told, sections=told.sections[:2]).markdown(pictures=False), stored.tags(found))
    runs.rename_active(f"{found.verdict}: reproduce {found.pairs[0].before.name}")
    stored.mark(found, run_id)


def _show_checks(checks: Sequence[Check]) -> None:
    """Print what differs or is not known line by line, and the rest in one."""
    for each in checks:
        if not each.same:
            _say(f"  {each.what}: then {each.before}, now {each.now}")
    alike = [each.what for each in checks if each.same]
    if alike:
        _say(f"  the same as then: {', '.join(alike)}")


def _show(found: Reproduction, told: Report, run_id: str) -> None:
    print()
    for line in reproduction_report.terminal_lines(found):
        print(line)
    print()
    for line in (*told.answer, *server.where_to_look(run_id)):
        _say(plain(line))


def _say(text: str) -> None:
    print(f"reproduce: {text}", flush=True)


if __name__ == "__main__":
    command("reproduce", ReproduceParameters, run)
