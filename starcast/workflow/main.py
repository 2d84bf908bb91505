"""The main job on one data set: preprocess, search, compare the trials, judge the candidate (dry run)."""

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse_logged
from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.reviews.remote import name_of
from starcast.tracking import commands, history, runs, store
from starcast.tracking.stored_run import StoredRun
from starcast.workflow.candidate import Candidate
from starcast.workflow.job_report import log_report
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.tune import tune


def run_main(parameters: MainParameters) -> Candidate:
    """Run the steps as children of one run, log a report of them all, and return the candidate."""
    name = f"main {name_of(parameters.data)}"
    with runs.step_run("main", parameters.as_text(), name) as run_id:
        fitted = tune(TuneParameters(**parameters.model_dump(by_alias=True)), finished_too=True)
        search = history.search_of(fitted.run_id)
        trials = f"tags.`mlflow.parentRunId` = '{search.info.run_id}'"
        # That of the search is another one, if it was resumed.
        asked = {"filter": trials, "split": "val", "experiment": (store.experiment_of(search),)}
        compared = compare_runs(CompareParameters.model_validate(asked))
        verdict = _judge(fitted)
        below = {
            run.data.tags.get("step", ""): StoredRun(run) for run in store.children_of(store.active_run())
        }
        # A resumed search goes on with its own parameters, whatever is given now.
        goal = parse_logged(TuneParameters, runs.parameters_of(search)).goal()
        log_report(fitted, goal, compared, {**below, "tune": StoredRun(search)}, verdict)
        page = store.page_within(run_id, "report.html")
        said = [f"**[The report]({page})**: {fitted.summary()}.", f"Candidate run {fitted.run_id}.", verdict]
        if fitted.registered:
            name_page = store.model_page(fitted.registered.name)
            said.append(f"In service now and before: [{fitted.registered.name}]({name_page}).")
        runs.describe("\n\n".join(filter(None, said)), {"candidate_run_id": fitted.run_id})
        runs.log_metrics(fitted.headline())
        runs.rename_active(f"{name}: {fitted.answer}")
    for line in (*commands.where_to_look(run_id), f"the report of it all: {store.address(page)}"):
        print(f"main: {line}", flush=True)
    return fitted


def _judge(fitted: Candidate) -> str:
    """Return the verdict on a registered candidate in a sentence, or why there is none."""
    if not fitted.registered:
        return ""
    asked = {"model": fitted.registered.name, "version": fitted.registered.version}
    try:  # a dry run; the search stands even if no verdict is possible
        return promote(PromoteParameters.model_validate(asked)).sentence
    except UserError as error:
        print(f"promote: no verdict: {error}", flush=True)
        return f"No verdict: {error}"
