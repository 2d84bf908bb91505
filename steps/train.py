"""Fit one model with given settings, or with those of an earlier run.

In: a data set; a family and its settings, or the run of a search, trial or candidate to take them from.
Out: a candidate run with the model, its scores, confusion matrices and predictions; a version of the
registered model, alias challenger.

    python3 run.py train -P family=lstm_2 -P settings='{"units_1": 32}'
    python3 run.py train -P from_run=<run id of a search or of a trial>
"""

from starcast.workflow.command import command
from starcast.workflow.fit_parameters import TrainParameters


def run(parameters: TrainParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.workflow.train import train

    train(parameters)


if __name__ == "__main__":
    command("train", TrainParameters, run, __doc__)
