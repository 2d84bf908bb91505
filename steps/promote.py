"""Challenger against champion on the same reviews -> a verdict; the better one goes into service, or back out of it.

mlflow run . -e promote
mlflow run . -e promote -P mode=enabled
mlflow run . -e promote -P rollback=true -P reason="one-star reviews rated 5 since Monday"
"""

from starcast.cli.command import command
from starcast.promotion.parameters import PromoteParameters


def run(parameters: PromoteParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.promotion.promote import promote

    promote(parameters)


if __name__ == "__main__":
    command("promote", PromoteParameters, run)
