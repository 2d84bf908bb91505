"""Runs of an experiment -> a report: which is best, by how much, beyond chance or not.

mlflow run . -e compare
mlflow run . -e compare -P split=val -P by=family -P metric=f1_weighted
"""

from starcast.cli.command import command
from starcast.comparison.parameters import CompareParameters


def run(parameters: CompareParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.comparison.compare import compare_runs

    compare_runs(parameters)


if __name__ == "__main__":
    command("compare", CompareParameters, run)
