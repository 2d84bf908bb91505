"""Score a file of reviews with a registered model: all its columns, then stars, probabilities and the model's version.

mlflow run . -e predict -P input=reviews.csv -P output=scored.csv
mlflow run . -e predict -P input=reviews.csv -P output=scored.csv -P executor=spark -P spark_master=spark://host:7077

The file is read, scored and written chunk by chunk, so that it may be larger than memory.
"""

from starcast.cli.command import command
from starcast.workflow.predict_parameters import PredictParameters


def run(parameters: PredictParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.workflow.predict import predict

    predict(parameters)


if __name__ == "__main__":
    command("predict", PredictParameters, run)
