"""Search over one or more families; the best is fitted once more, evaluated on the test split, registered as challenger.

mlflow run . -e tune -P data=clothing -P families=logistic_regression,gru_1,lstm_2 -P max_trials=12
mlflow run . -e tune -P resume=latest
"""

from starcast.cli.command import command
from starcast.workflow.search_parameters import TuneParameters


def run(parameters: TuneParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.workflow.tune import tune

    tune(parameters)


if __name__ == "__main__":
    command("tune", TuneParameters, run)
