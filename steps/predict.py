"""Score a file of reviews with a registered model: all its columns, then stars, probabilities and the model's version.

mlflow run . -e predict -P input=reviews.csv -P output=scored.csv
"""

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

from steps.errors import UserError
from steps.parameters import Parameters, command
from steps.reviews import layouts, read, sources
from steps.tracking import lineage, registry, runs, scoring

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".csv": pl.DataFrame.write_csv,
    ".jsonl": pl.DataFrame.write_ndjson,
    ".parquet": pl.DataFrame.write_parquet,
}


class PredictParameters(Parameters):
    """Score a file with a registered model."""

    input: str = Field("sample", description="file of reviews (as `data` of preprocess); ratings are not needed")
    output: str = Field("predictions.csv", description="file to write: .csv, .jsonl or .parquet")
    model: str = Field("models:/review-rating@challenger", description="models:/<name>@<alias> or models:/<name>/<version>")
    text_column: str = Field("", description="column of the text; recognised in public layouts")
    title_column: str = Field("", description="column of the title, for a model trained with one")
    trust_model_code: bool = Field(False, description="run the code that another project's model brings")

    @field_validator("output")
    @classmethod
    def _known_format(cls, output: str) -> str:
        if Path(output).suffix.lower() not in WRITERS:
            raise ValueError(f"should end in {', '.join(WRITERS)}")
        return output


def run(parameters: PredictParameters) -> Path:
    """Score and write; the output appears whole or not at all."""
    output = Path(parameters.output).expanduser().resolve()
    with runs.step_run("predict", parameters.as_text(), f"predict {Path(parameters.input).name}") as run_id:
        file = sources.locate(parameters.input)
        table = read.read_table(file)
        layout = layouts.recognise(table.columns, parameters.text_column, "", parameters.title_column, rated=False)
        loaded = scoring.load(registry.find(parameters.model), parameters.trust_model_code)
        version = loaded.version
        columns = [pl.col(layout.text).cast(pl.String).alias("text")]
        if layout.title:
            columns.append(pl.col(layout.title).cast(pl.String).alias("title"))
        answers = loaded.scorer.predict(table.select(columns)).rename({"rating": "predicted_rating"})
        named = {"model": version.name, "model_version": version.version, "model_run": version.run_id}
        scored = table.with_columns(answers.get_columns()).with_columns(pl.lit(v).alias(k) for k, v in named.items())
        _write(scored, output)
        lineage.log_table(table, file.name, read.file_digest(file), str(file), "input")
        runs.log_metrics({"reviews": scored.height, "mean_expected_rating": float(answers["expected_rating"].to_numpy().mean())})
        runs.describe(f"{scored.height:,} reviews scored by {version.name} version {version.version} into {output}")
    print(f"predict: {scored.height:,} reviews scored by {version.name} version {version.version}", flush=True)
    print(f"predict: written to {output}; run {run_id}", flush=True)
    return output


def _write(table: pl.DataFrame, output: Path) -> None:
    part = output.with_name(f".{output.name}.part")
    try:
        WRITERS[output.suffix.lower()](table, part)
        os.replace(part, output)
    except OSError as error:
        raise UserError(f"output {output}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    command("predict", PredictParameters, run)
