"""Settings -> one model, fitted with early stop, evaluated on the test split, logged and registered as challenger.

mlflow run . -e train -P family=lstm_2 -P settings='{"units_1": 32}'
mlflow run . -e train -P from_run=<run id of a search or of a trial>
"""

from starcast.cli.command import command
from starcast.workflow.fit_parameters import TrainParameters


def run(parameters: TrainParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.workflow.train import train

    train(parameters)


if __name__ == "__main__":
    command("train", TrainParameters, run)
