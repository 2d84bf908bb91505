"""The main job on one data set: preprocess, search, candidate in the registry.

mlflow run . -P data=clothing
"""

from pathlib import Path

from steps import candidate, tune
from steps.parameters import command
from steps.tracking import runs
from steps.tune_parameters import TuneParameters


class MainParameters(TuneParameters):
    """Preprocess and tune; ends with a registered challenger."""


def run(parameters: MainParameters) -> candidate.Candidate:
    """Run the steps as children of one run."""
    with runs.step_run("main", parameters.as_text(), f"main {Path(parameters.data).name}"):
        fitted = tune.run(TuneParameters(**parameters.model_dump(by_alias=True)))
        runs.describe(f"{fitted.summary()}.\n\nCandidate run {fitted.run_id}.", {"candidate_run_id": fitted.run_id})
    return fitted


if __name__ == "__main__":
    command("main", MainParameters, run)
