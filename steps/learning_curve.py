"""Fit families on growing samples of one training set: where does each level off, does one overtake another?

In: a data set, families, and the sizes of the samples.
Out: a run with a report of scores, time and memory by size and a fitted power law; a child run per fit.

    python3 run.py learning-curve -P data=clothing
    python3 run.py learning-curve -P families=logistic_regression,lstm_1 -P sizes=50000,200000 -P repeats=2
"""

from starcast.experiments.parameters import LearningCurveParameters
from starcast.workflow.command import command


def run(parameters: LearningCurveParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.experiments.learning_curve import run_learning_curve

    run_learning_curve(parameters)


if __name__ == "__main__":
    command("learning-curve", LearningCurveParameters, run, __doc__)
