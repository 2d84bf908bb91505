"""Search families and settings, then fit the best again, evaluate and register it."""

from pathlib import Path

from starcast.cli.parameters import resumed
from starcast.search.progress import say
from starcast.spark.session import check_spark
from starcast.tracking import commands, resumption, runs, store
from starcast.tracking.resumption import Finished
from starcast.workflow.candidate import Candidate
from starcast.workflow.prepare import prepare_once
from starcast.workflow.search import check_best, fit_best, search
from starcast.workflow.search_parameters import FREE, TuneParameters
from starcast.workflow.search_summary import describe_search, log_search


def tune(parameters: TuneParameters) -> Candidate:
    """Run a search, or continue one, and return its candidate.

    Raises:
        UserError: every trial failed, there is nothing to resume, or Spark cannot be started.
    """
    if parameters.executor == "spark":
        check_spark(parameters.spark_master)
    if parameters.resume:
        with runs.step_run("resume tune", parameters.as_text(), f"resume {parameters.resume}"):
            parent = resumption.find_unfinished("tune", parameters.resume)
            parameters, parent_id = resumed(parameters, runs.parameters_of(parent), FREE), parent.info.run_id
            runs.describe(f"Continued search {parent_id}.", {"resumed_run_id": parent_id})
            resumption.close_abandoned(keep=parent_id)
            with runs.reopened_run(parent_id):
                finished = resumption.read_search(parent, parameters.spaces(), parameters.goal())
                done = f"{len(finished.trials)} of {parameters.max_trials} trials are done"
                say(f"continuing search {parent_id} of {parameters.data}: {done}")
                return _search_and_fit(parameters, parent_id, finished)
    with runs.step_run("tune", parameters.as_text(), _name(parameters)) as run_id:
        return _search_and_fit(parameters, run_id, resumption.NOTHING)


def _name(parameters: TuneParameters) -> str:
    few = len(parameters.families) <= 2
    families = ", ".join(parameters.families) if few else f"{len(parameters.families)} families"
    return f"tune {families} on {Path(parameters.data).name}, {parameters.max_trials} trials"


def _search_and_fit(parameters: TuneParameters, run_id: str, finished: Finished) -> Candidate:
    goal = parameters.goal()
    runs.describe("The search is under way.")
    try:
        prepared = prepare_once(parameters.data_parameters())
        trials, run_ids = search(parameters, prepared, run_id, finished)
        best = check_best(trials)
        log_search(goal, best, trials, run_ids)
        fitted = fit_best(parameters, prepared, best.proposal)
    except KeyboardInterrupt:
        go_on = commands.command_line("tune", resume=run_id)
        runs.leave_word(f"**Interrupted.** To continue this search: `{go_on}`")
        say(f"interrupted; continue with: {go_on}")
        raise
    page = describe_search(_name(parameters), goal, best, trials, run_ids, fitted)
    compare = f"compare the trials: {store.address(page)}"
    for line in (*fitted.lines(), *commands.where_to_look(run_id), compare):
        say(line)
    return fitted
