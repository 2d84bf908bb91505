"""Every answer to uneven classes, side by side: samplings x decisions, several fits of each on one split, one report.

mlflow run . -e sampling -P data=clothing
mlflow run . -e sampling -P families=logistic_regression,lstm_1 -P variants=none,class_weight,smote -P repeats=5
"""

from starcast.cli.command import command
from starcast.experiments.parameters import SamplingParameters


def run(parameters: SamplingParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.experiments.sampling import run_sampling

    run_sampling(parameters)


if __name__ == "__main__":
    command("sampling", SamplingParameters, run)
