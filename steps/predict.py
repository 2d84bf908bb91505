"""Rate a file of reviews with a registered model, chunk by chunk, so that it may be larger than memory.

In: a file of reviews and a registered model.
Out: a file with all its columns and, for each review, the rating, its probabilities and the model's version.

    python3 run.py predict -P input=reviews.csv -P output=scored.csv
    python3 run.py predict -P input=reviews.csv -P output=scored.parquet -P executor=spark
    python3 run.py predict -P text="Lovely colour, but it runs small."
"""

from starcast.workflow.command import command
from starcast.workflow.predict_parameters import PredictParameters


def run(parameters: PredictParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    if parameters.text:
        from starcast.workflow.predict_text import predict_text

        predict_text(parameters)
        return
    from starcast.workflow.predict import predict

    predict(parameters)


if __name__ == "__main__":
    command("predict", PredictParameters, run, __doc__)
