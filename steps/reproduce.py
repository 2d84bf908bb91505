"""A logged run made again, and held against what it was: equal, within noise, or different, and why.

mlflow run . -e reproduce -P run=<run id>
mlflow run . -e reproduce -P run=models:/review-rating@champion
"""

from starcast.cli.command import command
from starcast.reproduction.parameters import ReproduceParameters


def run(parameters: ReproduceParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.reproduction.reproduce import reproduce

    reproduce(parameters)


if __name__ == "__main__":
    command("reproduce", ReproduceParameters, run)
