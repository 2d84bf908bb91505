"""Decide whether the challenger replaces the champion in service, or restore an earlier champion.

In: a registered model; the challenger and the champion are evaluated on the same test reviews.
Out: a run with the verdict and its report; with mode=enabled a better challenger becomes the champion.

    python3 run.py promote
    python3 run.py promote -P mode=enabled
    python3 run.py promote -P rollback=true -P reason="one-star reviews rated 5 since Monday"
"""

from starcast.promotion.parameters import PromoteParameters
from starcast.workflow.command import command


def run(parameters: PromoteParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.promotion.promote import promote

    promote(parameters)


if __name__ == "__main__":
    command("promote", PromoteParameters, run, __doc__)
