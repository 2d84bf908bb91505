"""Score a file of reviews with a registered model: all its columns, then stars, probabilities and the model's version.

mlflow run . -e predict -P input=reviews.csv -P output=scored.csv
mlflow run . -e predict -P input=reviews.csv -P output=scored.csv -P executor=spark -P spark_master=spark://host:7077

The file is read, scored and written chunk by chunk, so that it may be larger than memory.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl
from pydantic import Field, field_validator

from steps.errors import UserError
from steps.parameters import command
from steps.parts import check_replaceable, part_name
from steps.progress import ReviewLines
from steps.reviews import layouts, sources, write
from steps.reviews.layouts import Layout
from steps.reviews.read import file_digest
from steps.reviews.stream import Chunk, read_chunks
from steps.scored import ADDED, Scored, add_answers
from steps.spark import check_spark
from steps.spark_parameters import Executor
from steps.spark_scores import Reviews, score_on_spark
from steps.tracking import lineage, registry, resumption, runs, scoring, server


class PredictParameters(Executor):
    """Score a file with a registered model."""

    input: str = Field("sample", description="file of reviews (as `data` of preprocess); ratings are not needed")
    output: str = Field("predictions.csv", description="file to write: .csv, .jsonl or .parquet; a folder of such parts on Spark")
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
    if parameters.executor == "spark":
        check_spark(parameters.spark_master)
    output = Path(parameters.output).expanduser().resolve()
    with runs.step_run("predict", parameters.as_text(), f"predict {Path(parameters.input).name}") as run_id:
        resumption.close_abandoned(keep=run_id)  # those that were killed while they scored
        file = sources.locate(parameters.input).resolve()
        chunks = read_chunks(file)
        first = next(chunks)
        schema = first.table.schema
        layout = layouts.recognise(list(schema), parameters.text_column, "", parameters.title_column, rated=False)
        _check_columns(schema, layout, file.name)
        _check_output(parameters, output, file, schema)
        loaded = scoring.load(registry.find(parameters.model), parameters.trust_model_code)
        if parameters.executor == "spark":
            done = score_on_spark(parameters.spark_master, Reviews(file, tuple(schema), layout), loaded, output)
        else:
            done = _score_all(chain([first], chunks), layout, loaded, output)
        # A gigabyte a second: beside scoring that is nothing, and packed files and Parquet are not read in order.
        lineage.log_dataset(schema, done.reviews, file.name, file_digest(file), str(file), "input")
        runs.log_metrics({"reviews": done.reviews, "mean_expected_rating": done.mean_stars})
        said = f"{done.reviews:,} reviews scored by {loaded.version.name} version {loaded.version.version}"
        runs.describe(f"{said} into {output}")
    print(f"predict: {said}, {done.per_second:,.0f} a second; their mean expected rating is {done.mean_stars:.2f}", flush=True)
    print(f"predict: look into {output}: stars are in predicted_rating, how likely each is in probability_1 to 5", flush=True)
    for line in server.where_to_look(run_id):
        print(f"predict: {line}", flush=True)
    return output


def _check_output(parameters: PredictParameters, output: Path, file: Path, schema: pl.Schema) -> None:
    if parameters.executor == "local":
        write.check_output(output, file, schema)
        return
    check_replaceable(output)
    write.check_output(output / part_name(0, output.suffix), file, schema)


def _check_columns(schema: pl.Schema, layout: Layout, name: str) -> None:
    for column in filter(None, (layout.text, layout.title)):
        if schema[column].is_nested():
            raise UserError(f"{name}: column {column!r} holds {schema[column]}, not plain values; name another column")
    taken = [column for column in ADDED if column in schema]
    if taken:
        raise UserError(f"{name}: has a column {taken[0]!r} already, which predict adds; rename it, or take it out")


def _score_all(chunks: Iterator[Chunk], layout: Layout, loaded: scoring.Loaded, output: Path) -> Scored:
    """Score and write chunk by chunk."""
    done, stars = ReviewLines(), 0.0
    with write.open_whole(output) as writer:
        for chunk in chunks:
            scored = score(chunk.table, layout, loaded)
            writer.write(scored)
            stars += float(scored["expected_rating"].sum())
            done.show(scored.height, chunk.share)
    return Scored(done.reviews, stars / done.reviews, done.per_second())


def score(table: pl.DataFrame, layout: Layout, loaded: scoring.Loaded) -> pl.DataFrame:
    """All columns of a table, and behind them the `ADDED` ones.

    Raises:
        UserError: the model, another project's, answers otherwise than ours.
    """
    wanted = {"text": layout.text, "title": layout.title}
    columns = [pl.col(column).cast(pl.String).alias(name) for name, column in wanted.items() if column]
    return add_answers(table, loaded.scorer.predict(table.select(columns)), loaded.version.named)


if __name__ == "__main__":
    command("predict", PredictParameters, run)
