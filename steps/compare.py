"""Compare scored runs: which is best, by how much, and is the difference statistically significant?

In: the candidates or trials of one experiment or several, filtered in MLflow's syntax.
Out: a run with a report: scores with intervals, paired differences, confusion matrices, curves and cost.

    python3 run.py compare
    python3 run.py compare -P by=family -P metric=f1_weighted -P split=val
"""

from starcast.comparison.parameters import CompareParameters
from starcast.workflow.command import command


def run(parameters: CompareParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.comparison.compare import compare_runs

    compare_runs(parameters)


if __name__ == "__main__":
    command("compare", CompareParameters, run, __doc__)
