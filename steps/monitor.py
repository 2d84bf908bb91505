"""Say whether new reviews, and what the champion answers to them, are still like those it was tested on.

In: a file of new reviews, with or without ratings, and a registered model.
Out: a run with the verdict and its report, a step on the model's own run; exit code 3 if something changed.

    python3 run.py monitor -P input=reviews.csv
"""

import sys

from starcast.monitoring.parameters import MonitorParameters
from starcast.workflow.command import command

CHANGED = 3  # exit code; 1 is a crash, 2 a mistake


def run(parameters: MonitorParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.monitoring.monitor import monitor

    if monitor(parameters).changed:
        sys.exit(CHANGED)


if __name__ == "__main__":
    command("monitor", MonitorParameters, run, __doc__)
