"""Search families and settings, then fit the best again, evaluate and register it."""

import math
import time

from starcast.cli.processes import scratch_folder
from starcast.cli.refusals import RefusedError
from starcast.models.family import PATIENCE
from starcast.reviews.remote import name_of
from starcast.search.progress import say
from starcast.search.time_budget import TimeBudget
from starcast.spark.session import check_spark
from starcast.tracking import access, commands, history, resumption, runs
from starcast.tracking.resumption import Finished
from starcast.workflow.candidate import Candidate
from starcast.workflow.finals import fit_finals
from starcast.workflow.prepare import prepare_once
from starcast.workflow.search import check_best, search
from starcast.workflow.search_parameters import MACHINE, MAY_CHANGE, TuneParameters
from starcast.workflow.search_summary import describe_search, log_search


def tune(parameters: TuneParameters, finished_too: bool = False) -> Candidate:
    """Run a search, or continue one, print what it has found, and return its candidate.

    With `finished_too`, one that has all its trials is continued, which gives its candidate.

    Raises:
        UserError: every trial failed, there is nothing to resume, or Spark cannot be started.
    """
    run_id, fitted = _searched(parameters, finished_too)
    where = commands.where_to_look(run_id)  # empty within another step, which goes on by itself
    for line in (*fitted.lines(), *where, *([fitted.next_line()] if where else [])):
        say(line)
    return fitted


def _searched(parameters: TuneParameters, finished_too: bool) -> tuple[str, Candidate]:
    """Return the search's run and its candidate."""
    if parameters.executor == "spark":
        check_spark(parameters.spark_master)
    if parameters.resume:
        given = parameters.resume, parameters.force, MAY_CHANGE
        with resumption.resumed_step("tune", parameters, *given) as (parent, parameters):
            if not finished_too:
                resumption.check_missing(parent, parameters.trials(), parameters.points())
            with runs.reopened_run(parent.info.run_id):
                spaces, conditions = parameters.spaces(), parameters.conditions()
                finished = resumption.read_search(parent, spaces, conditions, parameters.goal())
                return parent.info.run_id, _continue(parameters, parent.info.run_id, finished)
    with runs.step_run("tune", parameters.as_text(), _name(parameters)) as run_id:
        return run_id, _search_and_fit(parameters, run_id, resumption.NOTHING)


def _continue(parameters: TuneParameters, parent_id: str, finished: Finished) -> Candidate:
    """Run the trials of an earlier search that are still missing."""
    resumption.give_trials(parent_id, parameters.max_trials)
    runs.rename_active(_name(parameters))  # one that had finished was named after its result
    done = f"{len(finished.trials)} of {parameters.trials()} trials are done"
    say(f"continuing search {parent_id} of {parameters.data}: {done}")
    return _search_and_fit(parameters, parent_id, finished)


def _name(parameters: TuneParameters) -> str:
    few = len(parameters.families) <= 2
    families = ", ".join(parameters.families) if few else f"{len(parameters.families)} families"
    return f"tune {families} on {name_of(parameters.data)}, {parameters.trials()} trials"


def _search_and_fit(parameters: TuneParameters, run_id: str, finished: Finished) -> Candidate:
    goal, began = parameters.goal(), time.monotonic()
    ends = began + parameters.minutes * 60 if parameters.minutes else math.inf
    # A resumed search has lost what an earlier process kept, and may have to fit its best trials again.
    # A longer trial is not fitted as a candidate is, which stops early.
    alike = parameters.executions_per_trial == 1 and parameters.max_epochs <= PATIENCE
    keeps = parameters.executor == "local" and alike
    blends, lost = parameters.ensemble != "never", bool(finished.trials)
    budget = TimeBudget(ends, fits_each=blends, keeps=keeps and not lost, longer=parameters.longer())
    step = "main" if history.is_of_main(run_id) else "tune"  # which makes its report, too
    runs.describe("The search is under way.")
    try:
        with access.one_line_errors(), scratch_folder() as kept:
            prepared = prepare_once(parameters.data_parameters())
            trials, run_ids = search(parameters, prepared, run_id, finished, budget, kept if keeps else None)
            best = check_best(trials, parameters.minutes)
            log_search(goal, best, trials, run_ids)
            fitted = fit_finals(parameters, prepared, trials, run_ids, budget, kept)
    except (KeyboardInterrupt, RefusedError) as error:
        machine = {name: value for name, value in parameters.given().items() if name in MACHINE}
        why, go_on = str(error) or "Interrupted", commands.command_line(step, resume=run_id, **machine)
        runs.leave_word(f"**{why}.** To continue this search: `{go_on}`")
        say(f"interrupted; continue with: {go_on}")
        raise
    describe_search(name_of(parameters.data), goal, best, trials, run_ids, fitted)
    return fitted
