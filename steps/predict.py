"""Score a file of reviews with a registered model: all its columns, then stars, probabilities and the model's version.

mlflow run . -e predict -P input=reviews.csv -P output=scored.csv

The file is read, scored and written chunk by chunk, so that it may be larger than memory.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

from steps.errors import UserError
from steps.parameters import Parameters, command
from steps.progress import ReviewLines
from steps.reviews import check, layouts, sources, write
from steps.reviews.layouts import Layout
from steps.reviews.read import file_digest
from steps.reviews.stream import Chunk, read_chunks
from steps.tracking import lineage, registry, resumption, runs, scoring, server

PROBABILITIES = tuple(f"probability_{rating}" for rating in check.RATINGS)
ANSWERED = ("predicted_rating", *PROBABILITIES, "expected_rating")
ADDED = (*ANSWERED, "model", "model_version", "model_run")


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
        if Path(output).suffix.lower() not in write.WRITERS:
            raise ValueError(f"should end in {', '.join(write.WRITERS)}")
        return output


def run(parameters: PredictParameters) -> Path:
    """Score and write; the output appears whole or not at all."""
    output = Path(parameters.output).expanduser().resolve()
    with runs.step_run("predict", parameters.as_text(), f"predict {Path(parameters.input).name}") as run_id:
        resumption.close_abandoned(keep=run_id)  # those that were killed while they scored
        file = sources.locate(parameters.input)
        chunks = read_chunks(file)
        first = next(chunks)
        schema = first.table.schema
        layout = layouts.recognise(list(schema), parameters.text_column, "", parameters.title_column, rated=False)
        _check_columns(schema, layout, file.name)
        write.check_output(output, file, schema)
        loaded = scoring.load(registry.find(parameters.model), parameters.trust_model_code)
        done, mean = _score_all(chain([first], chunks), layout, loaded, output)
        # A gigabyte a second: beside scoring that is nothing, and packed files and Parquet are not read in order.
        lineage.log_dataset(schema, done.reviews, file.name, file_digest(file), str(file), "input")
        runs.log_metrics({"reviews": done.reviews, "mean_expected_rating": mean})
        said = f"{done.reviews:,} reviews scored by {loaded.version.name} version {loaded.version.version}"
        runs.describe(f"{said} into {output}")
    print(f"predict: {said}, {done.per_second():,.0f} a second; their mean expected rating is {mean:.2f}", flush=True)
    print(f"predict: look into {output}: stars are in predicted_rating, how likely each is in probability_1 to 5", flush=True)
    for line in server.where_to_look(run_id):
        print(f"predict: {line}", flush=True)
    return output


def _check_columns(schema: pl.Schema, layout: Layout, name: str) -> None:
    for column in filter(None, (layout.text, layout.title)):
        if schema[column].is_nested():
            raise UserError(f"{name}: column {column!r} holds {schema[column]}, not plain values; name another column")
    taken = [column for column in ADDED if column in schema]
    if taken:
        raise UserError(f"{name}: has a column {taken[0]!r} already, which predict adds; rename it, or take it out")


def _score_all(chunks: Iterator[Chunk], layout: Layout, loaded: scoring.Loaded, output: Path) -> tuple[ReviewLines, float]:
    """Score and write chunk by chunk; what was done, and the mean expected rating."""
    done, stars = ReviewLines(), 0.0
    with write.open_whole(output) as writer:
        for chunk in chunks:
            scored = score(chunk.table, layout, loaded)
            writer.write(scored)
            stars += float(scored["expected_rating"].sum())
            done.show(scored.height, chunk.share)
    return done, stars / done.reviews


def score(table: pl.DataFrame, layout: Layout, loaded: scoring.Loaded) -> pl.DataFrame:
    """All columns of a table, and behind them the `ADDED` ones.

    Raises:
        UserError: the model, another project's, answers otherwise than ours.
    """
    wanted = {"text": layout.text, "title": layout.title}
    columns = [pl.col(column).cast(pl.String).alias(name) for name, column in wanted.items() if column]
    answers = loaded.scorer.predict(table.select(columns)).rename({"rating": ADDED[0]}, strict=False)
    version = loaded.version
    if answers.height != table.height or not set(ANSWERED) <= set(answers.columns):
        raise UserError(
            f"model {version.uri}: answers {table.height} reviews with {answers.height} rows of {', '.join(answers.columns)}, "
            f"not with rating and {', '.join(ANSWERED[1:])}"
        )
    named = {"model": version.name, "model_version": version.version, "model_run": version.run_id}
    return table.with_columns(answers.select(ANSWERED).get_columns()).with_columns(pl.lit(v).alias(n) for n, v in named.items())


if __name__ == "__main__":
    command("predict", PredictParameters, run)
