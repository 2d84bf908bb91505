"""File -> checked, cleaned, split reviews as Parquet, with study A's exploration figures.

mlflow run . -e preprocess -P data=clothing
"""

from starcast.cli.command import command
from starcast.spark.parameters import PreprocessParameters


def run(parameters: PreprocessParameters) -> None:
    """Do the step, whose packages are imported only when its parameters are known to be right."""
    from starcast.workflow.prepare import preprocess

    preprocess(parameters)


if __name__ == "__main__":
    command("preprocess", PreprocessParameters, run)
