"""Score a file of reviews with a registered model: all its columns, then stars, probabilities and the model's version.

mlflow run . -e predict -P input=reviews.csv -P output=scored.csv
mlflow run . -e predict -P input=reviews.csv -P output=scored.csv -P executor=spark -P spark_master=spark://host:7077

The file is read, scored and written chunk by chunk, so that it may be larger than memory.
"""

from itertools import chain
from pathlib import Path

import polars as pl

from starcast.cli.errors import UserError
from starcast.models.scored_table import ADDED
from starcast.reviews import layouts, sources, write
from starcast.reviews.layouts import Layout
from starcast.reviews.sources import file_digest
from starcast.reviews.stream import read_chunks
from starcast.reviews.write_parts import check_replaceable, part_name
from starcast.spark.score import Reviews, score_on_spark
from starcast.spark.session import check_spark
from starcast.tracking import lineage, registry, resumption, runs, scoring, server
from starcast.tracking.scoring import _score_all
from starcast.workflow.predict_parameters import PredictParameters


def predict(parameters: PredictParameters) -> Path:
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
        layout = layouts.recognise(
            list(schema), parameters.text_column, "", parameters.title_column, rated=False
        )
        _check_columns(schema, layout, file.name)
        _check_output(parameters, output, file, schema)
        loaded = scoring.load(registry.find(parameters.model), parameters.trust_model_code)
        if parameters.executor == "spark":
            done = score_on_spark(
                parameters.spark_master, Reviews(file, tuple(schema), layout), loaded, output
            )
        else:
            done = _score_all(chain([first], chunks), layout, loaded, output)
        # A gigabyte a second: beside scoring that is nothing, and packed files and Parquet are not read in order.
        lineage.log_dataset(schema, done.reviews, file.name, file_digest(file), str(file), "input")
        runs.log_metrics({"reviews": done.reviews, "mean_expected_rating": done.mean_stars})
        said = f"{done.reviews:,} reviews scored by {loaded.version.name} version {loaded.version.version}"
        runs.describe(f"{said} into {output}")
    print(
        f"predict: {said}, {done.per_second:,.0f} a second; their mean expected rating is {done.mean_stars:.2f}",
        flush=True,
    )
    print(
        f"predict: look into {output}: stars are in predicted_rating, how likely each is in probability_1 to 5",
        flush=True,
    )
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
            raise UserError(
                f"{name}: column {column!r} holds {schema[column]}, not plain values; name another column"
            )
    taken = [column for column in ADDED if column in schema]
    if taken:
        raise UserError(
            f"{name}: has a column {taken[0]!r} already, which predict adds; rename it, or take it out"
        )
