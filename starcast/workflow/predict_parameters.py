"""Parameters of `predict`."""

from pathlib import Path
from typing import ClassVar

from pydantic import field_validator

from starcast.reviews.parameters import WRITTEN, ReadingParameters
from starcast.spark.parameters import Executor


class PredictParameters(Executor, ReadingParameters):
    """Score a file with a registered model."""

    group: ClassVar = "Files and model"
    common: ClassVar = ("input", "output", "model")
    input: str = "sample"
    """file of reviews, as `data` of preprocess; ratings are not needed"""
    output: str = "predictions.csv"
    """file to write: .csv, .jsonl or .parquet; on Spark a folder of such files"""
    model: str = "models:/review-rating"
    """models:/<name> (its champion or, while there is none, its challenger), models:/<name>@<alias> or
    models:/<name>/<version>"""
    text_column: str = ""
    """column of the text; empty: the one that the model was trained on"""
    title_column: str = ""
    """column of the title; empty: the one that the model was trained on, if any; none: score without"""
    trust_model_code: bool = False
    """run the code that a model brings along although nothing vouches for it, as with another project's"""

    @field_validator("output")
    @classmethod
    def _known_format(cls, output: str) -> str:
        if Path(output).suffix.lower() not in WRITTEN:
            raise ValueError(f"should end in {', '.join(WRITTEN)}")
        return output
