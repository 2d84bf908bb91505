"""The main job on one data set: preprocess, search, compare the trials, judge the candidate (dry run)."""

from starcast.cli.errors import UserError
from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.promotion.parameters import PromoteParameters
from starcast.promotion.promote import promote
from starcast.reviews.remote import name_of
from starcast.tracking import commands, history, runs
from starcast.workflow.candidate import Candidate
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.tune import tune


def run_main(parameters: MainParameters) -> Candidate:
    """Run the steps as children of one run and return the candidate."""
    name = f"main {name_of(parameters.data)}"
    with runs.step_run("main", parameters.as_text(), name) as run_id:
        fitted = tune(TuneParameters(**parameters.model_dump(by_alias=True)))
        trials = f"tags.`mlflow.parentRunId` = '{history.search_of(fitted.run_id).info.run_id}'"
        compare_runs(CompareParameters.model_validate({"filter": trials, "split": "val"}))
        said = [f"{fitted.summary()}.", f"Candidate run {fitted.run_id}."]
        if fitted.registered:
            asked = {"model": parameters.model, "version": fitted.registered.version}
            try:  # a dry run; the search stands even if no verdict is possible
                said.append(promote(PromoteParameters.model_validate(asked)).sentence)
            except UserError as error:
                print(f"promote: no verdict: {error}", flush=True)
                said.append(f"No verdict: {error}")
        runs.describe("\n\n".join(said), {"candidate_run_id": fitted.run_id})
        runs.log_metrics(fitted.headline())
        runs.rename_active(f"{name}: {fitted.answer}")
    for line in commands.where_to_look(run_id):
        print(f"main: {line}", flush=True)
    return fitted
