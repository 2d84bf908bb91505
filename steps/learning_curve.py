"""Families over growing samples of one training split: where does each level off, and does one pass another?

mlflow run . -e learning-curve -P data=clothing
mlflow run . -e learning-curve -P families=logistic_regression,lstm_1 -P sizes=50000,100000,200000,500000 -P repeats=2
"""

from starcast.cli.command import command
from starcast.experiments.parameters import LearningCurveParameters


def run(parameters: LearningCurveParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.experiments.learning_curve import run_learning_curve

    run_learning_curve(parameters)


if __name__ == "__main__":
    command("learning-curve", LearningCurveParameters, run)
