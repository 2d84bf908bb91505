"""Score a file of reviews with a registered model, chunk by chunk: the file may be larger than memory."""

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

import polars as pl

from starcast.evaluation.confidence import COLUMNS
from starcast.models.scored_table import PREDICTED, Totals, added
from starcast.reviews import layouts, sources
from starcast.reviews.json_lines import WRITTEN
from starcast.reviews.opening import check_objects
from starcast.reviews.remote import name_of
from starcast.reviews.sources import file_digest
from starcast.reviews.stream import read_chunks
from starcast.reviews.unpack import table_name
from starcast.reviews.write import (
    check_folder,
    check_output,
    check_replaceable,
    check_unwritten,
    part_name,
    state_of,
)
from starcast.spark.score import score_on_spark
from starcast.spark.session import check_spark
from starcast.tracking import commands, lineage, registry, resumption, runs, scoring
from starcast.workflow.columns_read import choose_columns, other_scale
from starcast.workflow.explain import explaining
from starcast.workflow.predict_parameters import PredictParameters


def predict(parameters: PredictParameters) -> Path:
    """Score a file and return the output, which appears complete or not at all."""
    on_spark = parameters.executor == "spark"
    if on_spark:
        check_spark(parameters.spark_master)
    output = Path(os.path.expanduser(parameters.output)).resolve()
    check_folder(output)
    before = state_of(output)
    with runs.step_run("predict", parameters.as_text(), f"predict {name_of(parameters.input)}") as run_id:
        resumption.close_abandoned(keep=run_id)  # runs of killed processes
        version = registry.find(parameters.model)
        _say(version.said)
        file = sources.locate(parameters.input, "input").resolve()
        reading = replace(parameters.reading(), written=output.suffix.lower() == ".jsonl")
        chunks = read_chunks(file, reading)
        first = next(chunks)
        columns = first.table.columns
        schema = pl.Schema({name: kind for name, kind in first.table.schema.items() if name != WRITTEN})
        named, trained = (parameters.text_column, parameters.title_column), scoring.trained_on(version)
        layout, columns_read = choose_columns(list(schema), trained, *named)
        layouts.check_values(schema, layout)
        check_objects(first.table, layout, table_name(file))
        names = added(trained.scale, schema, trained.reviewed, parameters.explain > 0)
        renamed = [f"{name} as {called}" for name, called in names.items() if name != called]
        if on_spark:
            check_replaceable(output)
        check_output(output / part_name(0, output.suffix) if on_spark else output, file, schema)
        lines = [f"reads {table_name(file)}, {first.seen}"] if first.seen else []
        lines += [*columns_read, *filter(None, [other_scale(first.table, trained)])]
        _say(*lines)
        if renamed:
            _say(f"the file has such columns itself, so these are added under others: {', '.join(renamed)}")
        with scoring.opened(version, parameters.trust_model_code) as loaded:
            _say(*loaded.notes)
            loaded = explaining(loaded, parameters.explain) if parameters.explain else loaded
            check_unwritten(output, before)
            if on_spark:
                done = score_on_spark(parameters.spark_master, file, reading, columns, layout, loaded, output)
            else:
                done = scoring.score_all(chain([first], chunks), layout, loaded, output)
        # Read again for its digest, at 1 GB per second: compressed files and Parquet are not read in order.
        lineage.log_dataset(schema, done.totals.rows, table_name(file), file_digest(file), str(file), "input")
        runs.log_metrics({"reviews": done.totals.rows, "mean_expected_rating": done.mean_stars})
        said, counted = f"{done.totals.rows:,} reviews scored by {version.name} version {version.version}", []
        if trained.reviewed:
            runs.log_metrics({"needs_review": done.totals.to_review, "overruled": done.totals.overruled})
            counted = _counted(done.totals, names)
        runs.describe("\n\n".join([f"{said} into {output}", *lines, *loaded.notes, *counted]))
    lowest, *_, highest = (names[name] for name in trained.scale.probabilities)
    where = f"{trained.scale.noun} in {names[PREDICTED]}, probabilities in {lowest} to {highest}"
    _say(
        f"{said}, {done.per_second:,.0f} a second; their mean expected rating is {done.mean_stars:.2f}",
        *counted,
        f"output: {output}; {where}",
        *commands.where_to_look(run_id),
    )
    return output


def _counted(totals: Totals, names: Mapping[str, str]) -> list[str]:
    """Return lines on how many ratings need review, and how many are not the most probable ones."""
    confidence, review = (names[name] for name in COLUMNS)
    lines = [f"{totals.to_review:,} ({totals.to_review / totals.rows:.0%}) need review: {review} is true"]
    if totals.overruled:
        share = f"{totals.overruled:,} ({totals.overruled / totals.rows:.0%})"
        why = f"the model's decision weighs more than {confidence} (docs/probabilities.md)"
        lines.append(f"{share} got a rating that is not the most probable one: {why}")
    return lines


def _say(*lines: str) -> None:
    for line in lines:
        print(f"predict: {line}", flush=True)
