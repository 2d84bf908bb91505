"""Search over one or more families; the best is fitted once more, evaluated on the test split, registered as challenger.

mlflow run . -e tune -P data=clothing -P families=logistic_regression,gru_1,lstm_2 -P max_trials=12
mlflow run . -e tune -P resume=latest
"""

from pathlib import Path

from steps import candidate, preprocess
from steps.errors import UserError
from steps.models.family import Recipe, split_choices
from steps.parameters import command, resumed
from steps.progress import say
from steps.search.trials import Proposal, best_of
from steps.search_summary import describe_search, log_search
from steps.searching import Searched, search
from steps.spark import check_spark
from steps.tracking import resumption, runs, server
from steps.tracking.resumption import Finished
from steps.tune_parameters import FREE, TuneParameters


def run(parameters: TuneParameters) -> candidate.Candidate:
    """Run the search, or go on with one, and end with a candidate.

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
    families = f"{len(parameters.families)} families" if len(parameters.families) > 2 else ", ".join(parameters.families)
    return f"tune {families} on {Path(parameters.data).name}, {parameters.max_trials} trials"


def _resume(given: TuneParameters) -> candidate.Candidate:
    parent = resumption.find_unfinished("tune", given.resume)
    parameters = resumed(given, parent.data.params, FREE)
    runs.describe(f"Went on with search {parent.info.run_id}.", {"resumed_run_id": parent.info.run_id})
    resumption.close_abandoned(keep=parent.info.run_id)
    with runs.reopened_run(parent.info.run_id):
        finished = resumption.read_search(parent, parameters.spaces(), parameters.goal())
        done, total = len(finished.trials), parameters.max_trials
        say(f"going on with search {parent.info.run_id} of {parameters.data}: {done} of {total} trials are done")
        return _search_and_fit(parameters, parent.info.run_id, finished)


def _search_and_fit(parameters: TuneParameters, run_id: str, finished: Finished) -> candidate.Candidate:
    goal = parameters.goal()
    runs.describe("The search is under way.")
    try:
        prepared = preprocess.prepare_once(parameters.data_parameters())
        searched = search(parameters, prepared, run_id, finished)
        best = _check_best(searched)
        log_search(goal, searched.trials, searched.run_ids)
        fitted = _fit_best(parameters, prepared, best)
    except KeyboardInterrupt:
        runs.leave_word(f"**Interrupted.** To go on with this search: `mlflow run . -e tune -P resume={run_id}`")
        say(f"interrupted; go on with: mlflow run . -e tune -P resume={run_id}")
        raise
    table = describe_search(_name(parameters), goal, searched.trials, searched.run_ids, fitted)
    for line in (*fitted.lines(), *server.where_to_look(run_id), f"compare the trials: {server.address(table)}"):
        say(line)
    return fitted


def _check_best(searched: Searched) -> Proposal:
    best = best_of(searched.trials)
    if best:
        return best.proposal
    failed = [trial for trial in searched.trials if trial.outcome == "failed"]
    if failed:
        what = f"all {len(failed)} trials failed" if len(failed) == len(searched.trials) else "no trial is complete"
        raise UserError(f"{what}, the last failure being {failed[-1].reason}; see its traceback.txt")
    raise UserError(f"none of {len(searched.trials)} trials is complete: raise max_trials, or use pruner=none")


def _fit_best(parameters: TuneParameters, prepared: preprocess.Prepared, best: Proposal) -> candidate.Candidate:
    settings, sampling, batch_size = split_choices(best.settings, parameters.sampling[0], parameters.batch_size[0])
    epochs = best.epochs or parameters.max_epochs
    near = parameters.neighbours, parameters.fewer_neighbours
    recipe = Recipe(best.family, settings, sampling, batch_size, parameters.schedule, epochs, *near, parameters.precision)
    plan = parameters.plan(recipe)
    logged = {"family": best.family, **settings, **plan.training.logged()}
    with runs.child_run(f"candidate {best.family}", {"family": best.family}, logged) as run_id:
        return candidate.fit_candidate(run_id, prepared, plan)


if __name__ == "__main__":
    command("tune", TuneParameters, run)
