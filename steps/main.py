"""Run the main job on a data set: preprocess, search, compare the trials, judge the candidate (dry run).

In: a data set and the families to search.
Out: a run with the steps as child runs; the best model, registered as challenger; a verdict on it.

    python3 run.py
    python3 run.py main -P data=clothing
"""

from starcast.workflow.command import command
from starcast.workflow.search_parameters import MainParameters


def run(parameters: MainParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.workflow.main import run_main

    run_main(parameters)


if __name__ == "__main__":
    command("main", MainParameters, run, __doc__)
