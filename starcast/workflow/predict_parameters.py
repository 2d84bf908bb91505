"""Parameters of `predict`."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from starcast.cli.errors import UserError
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
    text: str = ""
    """one review instead of a file: answered on the terminal, with the words that count"""
    explain: int = Field(0, ge=0, le=100)
    """how many of the words that speak most for or against the predicted rating to add in the column words;
    0: none, with text 5"""
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

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Refuse parameters that exclude each other."""
        if "text" in self.model_fields_set and not self.text.strip():
            raise UserError("parameter text: is empty; leave it out to answer a file")
        others = [n for n in ("input", "output") if getattr(self, n) != type(self).model_fields[n].default]
        if self.text and others:
            raise UserError(f"parameter text: is answered on the terminal; leave out {others[0]}, or text")
        if self.executor == "spark" and (self.explain or self.text):
            name = "text" if self.text else "explain"
            raise UserError(f"parameter {name}: works with executor=local only")
        return self
