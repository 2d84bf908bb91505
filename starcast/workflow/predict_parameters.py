"""Parameters of `predict`."""

from pathlib import Path

from pydantic import Field, field_validator

from starcast.reviews import write
from starcast.spark.parameters import Executor


class PredictParameters(Executor):
    """Score a file with a registered model."""

    input: str = Field(
        "sample", description="file of reviews (as `data` of preprocess); ratings are not needed"
    )
    output: str = Field(
        "predictions.csv",
        description="file to write: .csv, .jsonl or .parquet; a folder of such parts on Spark",
    )
    model: str = Field(
        "models:/review-rating@challenger", description="models:/<name>@<alias> or models:/<name>/<version>"
    )
    text_column: str = Field("", description="column of the text; recognised in public layouts")
    title_column: str = Field("", description="column of the title, for a model trained with one")
    trust_model_code: bool = Field(False, description="run the code that another project's model brings")

    @field_validator("output")
    @classmethod
    def _known_format(cls, output: str) -> str:
        if Path(output).suffix.lower() not in write.WRITERS:
            raise ValueError(f"should end in {', '.join(write.WRITERS)}")
        return output
