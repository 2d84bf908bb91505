"""Check, clean and split a file of reviews.

In: a data set: `sample`, `clothing`, or a CSV, TSV, JSON lines or Parquet file.
Out: a run with the training, validation and test sets as Parquet, a report of what was dropped, and figures.

    python3 run.py preprocess -P data=clothing
    python3 run.py preprocess -P data=reviews.csv -P text_column=body -P rating_column=stars
"""

from starcast.spark.parameters import PreprocessParameters
from starcast.workflow.command import command


def run(parameters: PreprocessParameters) -> None:
    """Import what the step works with, now that its parameters are checked, and run it."""
    from starcast.workflow.prepare import preprocess

    preprocess(parameters)


if __name__ == "__main__":
    command("preprocess", PreprocessParameters, run, __doc__)
