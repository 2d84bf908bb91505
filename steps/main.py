"""The main job on one data set: preprocess, search, compare the trials, and a verdict on the candidate (dry run).

mlflow run . -P data=clothing
"""

from starcast.cli.command import command
from starcast.workflow.search_parameters import MainParameters


def run(parameters: MainParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.workflow.main import run_main

    run_main(parameters)


if __name__ == "__main__":
    command("main", MainParameters, run)
