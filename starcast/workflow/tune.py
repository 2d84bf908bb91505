"""Search families and settings, fit the best once more, evaluate it on the test set, register it as
challenger.
"""

from pathlib import Path

from starcast.cli.parameters import resumed
from starcast.search.progress import say
from starcast.spark.session import check_spark
from starcast.tracking import commands, resumption, runs, store
from starcast.tracking.resumption import Finished
from starcast.workflow import candidate, prepare
from starcast.workflow.search import check_best, fit_best, search
from starcast.workflow.search_parameters import FREE, TuneParameters
from starcast.workflow.search_summary import describe_search, log_search


def tune(parameters: TuneParameters) -> candidate.Candidate:
    """Run a search, or continue one, and return its candidate.

    Raises:
        UserError: every trial failed, there is nothing to resume, or Spark cannot be started.
    """
    if parameters.executor == "spark":
        check_spark(parameters.spark_master)
    if parameters.resume:
        with runs.step_run("resume tune", parameters.as_text(), f"resume {parameters.resume}"):
            return _resume(parameters)
    with runs.step_run("tune", parameters.as_text(), _name(parameters)) as run_id:
        return _search_and_fit(parameters, run_id, resumption.NOTHING)


def _name(parameters: TuneParameters) -> str:
    few = len(parameters.families) <= 2
    families = ", ".join(parameters.families) if few else f"{len(parameters.families)} families"
    return f"tune {families} on {Path(parameters.data).name}, {parameters.max_trials} trials"


def _resume(given: TuneParameters) -> candidate.Candidate:
    parent = resumption.find_unfinished("tune", given.resume)
    parameters = resumed(given, parent.data.params, FREE)
    runs.describe(f"Continued search {parent.info.run_id}.", {"resumed_run_id": parent.info.run_id})
    resumption.close_abandoned(keep=parent.info.run_id)
    with runs.reopened_run(parent.info.run_id):
        finished = resumption.read_search(parent, parameters.spaces(), parameters.goal())
        done, total = len(finished.trials), parameters.max_trials
        say(f"continuing search {parent.info.run_id} of {parameters.data}: {done} of {total} trials are done")
        return _search_and_fit(parameters, parent.info.run_id, finished)


def _search_and_fit(parameters: TuneParameters, run_id: str, finished: Finished) -> candidate.Candidate:
    goal = parameters.goal()
    runs.describe("The search is under way.")
    try:
        prepared = prepare.prepare_once(parameters.data_parameters())
        searched = search(parameters, prepared, run_id, finished)
        best = check_best(searched)
        log_search(goal, searched.trials, searched.run_ids)
        fitted = fit_best(parameters, prepared, best)
    except KeyboardInterrupt:
        go_on = commands.command_line("tune", resume=run_id)
        runs.leave_word(f"**Interrupted.** To continue this search: `{go_on}`")
        say(f"interrupted; continue with: {go_on}")
        raise
    table = describe_search(_name(parameters), goal, searched.trials, searched.run_ids, fitted)
    for line in (
        *fitted.lines(),
        *commands.where_to_look(run_id),
        f"compare the trials: {store.address(table)}",
    ):
        say(line)
    return fitted
