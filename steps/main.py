"""The main job on one data set: preprocess, search, compare the trials, and a verdict on the candidate (dry run).

mlflow run . -P data=clothing
"""

from pathlib import Path

from steps import candidate, compare, promote, tune
from steps.compare import CompareParameters
from steps.errors import UserError
from steps.parameters import command
from steps.promote import PromoteParameters
from steps.tracking import runs
from steps.tune_parameters import TuneParameters


class MainParameters(TuneParameters):
    """Preprocess, tune, compare, promote (dry run); ends with a judged challenger."""


def run(parameters: MainParameters) -> candidate.Candidate:
    """Run the steps as children of one run."""
    with runs.step_run("main", parameters.as_text(), f"main {Path(parameters.data).name}"):
        fitted = tune.run(TuneParameters(**parameters.model_dump(by_alias=True)))
        trials = f"tags.`mlflow.parentRunId` = '{runs.parent_of(fitted.run_id)}'"
        compare.run(CompareParameters.model_validate({"filter": trials, "split": "val"}))
        said = [f"{fitted.summary()}.", f"Candidate run {fitted.run_id}."]
        if fitted.registered:
            said.append(_verdict(parameters.model, fitted.registered.version))
        runs.describe("\n\n".join(said), {"candidate_run_id": fitted.run_id})
    return fitted


def _verdict(model: str, version: str) -> str:
    """What a dry run of `promote` says; that it cannot judge does not undo the search."""
    try:
        return promote.run(PromoteParameters.model_validate({"model": model, "version": version})).sentence
    except UserError as error:
        print(f"promote: no verdict: {error}", flush=True)
        return f"No verdict: {error}"


if __name__ == "__main__":
    command("main", MainParameters, run)
