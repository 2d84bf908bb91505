"""Run a logged run again and compare the results: equal, within noise, or different, and why.

In: a run of a step, a candidate or a trial, or a version of a registered model.
Out: a run with a report: the metrics that differ, and what changed in code, data and packages.

    python3 run.py reproduce -P run=<run id>
    python3 run.py reproduce -P run=models:/review-rating@champion
"""

from starcast.reproduction.parameters import ReproduceParameters
from starcast.workflow.command import command


def run(parameters: ReproduceParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.reproduction.reproduce import reproduce

    reproduce(parameters)


if __name__ == "__main__":
    command("reproduce", ReproduceParameters, run, __doc__)
