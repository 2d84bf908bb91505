"""Turn a file into checked, cleaned, split reviews as Parquet, with study A's exploration figures."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from starcast.cli.errors import UserError
from starcast.reports import exploration
from starcast.reports.files import write_json
from starcast.reviews import check, clean, sources
from starcast.reviews.parameters import DataParameters
from starcast.reviews.parquet import schema_of
from starcast.reviews.prepare import PreparedFiles, prepare_here
from starcast.reviews.sources import file_digest
from starcast.reviews.split_files import SplitFacts, length_summary
from starcast.spark.parameters import Executor, PreprocessParameters
from starcast.spark.prepare import prepare_on_spark
from starcast.spark.session import check_spark
from starcast.tracking import history, lineage, runs
from starcast.tracking.artifacts import fetch

PREPARED = "prepared_run_id"  # tag of a run that uses the splits of another


@dataclass(frozen=True)
class Prepared:
    """The finished preprocessing of a data set, on the tracking server."""

    run_id: str
    reused: bool
    report: dict[str, Any]
    cleaner: clean.Cleaner

    def split(self, name: str) -> Path:
        """Return the Parquet file of a split, or the folder of its parts.

        Columns: `review_id`, `text`, `rating`, `cleaned` and, if a title is used, `title`.
        """
        return fetch(self.run_id, f"splits/{name}.parquet")

    def log_inputs(self, names: Sequence[str]) -> None:
        """Log splits, with their digests, as inputs of the active run."""
        for name in names:
            rows, digest = sum(self.report["counts"][name]), self.report["digests"][name]
            source, title = f"runs:/{self.run_id}/splits/{name}.parquet", f"{self.report['file']} {name}"
            lineage.log_dataset(schema_of(self.split(name)), rows, title, digest, source, name)


def preprocess(parameters: DataParameters, anew: bool = False) -> Prepared:
    """Preprocess as a step of its own or, unless `anew`, reuse the finished run that did the same before."""
    if _on_spark(parameters):
        check_spark(parameters.spark_master)
    name = f"preprocess {Path(parameters.data).name}"
    with runs.step_run("preprocess", parameters.as_text(), name) as run_id:
        file = sources.locate(parameters.data)
        cleaner = clean.Cleaner.create(parameters.cleaning, parameters.lemmas)
        key = history.reuse_key(_inputs(parameters, file, cleaner), _code())
        finished = None if anew else history.finished_run(key, "splits")
        if finished:
            prepared = _load(finished, cleaner)
            _show(prepared, f"reused the finished run {finished}: same file, parameters and code")
            runs.describe(f"The same as run {finished}, whose splits are reused.", {"reused_run": finished})
            return prepared
        report = _preprocess(parameters, file, cleaner)
        runs.describe("\n".join(f"- {line}" for line in report["lines"]), {history.REUSE_KEY: key})
    prepared = Prepared(run_id, False, report, cleaner)
    _show(prepared, f"splits and figures are on run {run_id}")
    return prepared


def prepare_once(parameters: DataParameters) -> Prepared:
    """Preprocess for the active run; a continued run keeps the splits it began with, even without the raw
    file.

    Raises:
        UserError: the file is here and has changed since.
    """
    finished = runs.tag_of_active_or_above(PREPARED)
    if finished is None:
        prepared = preprocess(parameters)
        runs.tag_active({PREPARED: prepared.run_id})
        return prepared
    prepared = _load(finished, clean.Cleaner.create(parameters.cleaning, parameters.lemmas))
    try:
        digest = file_digest(sources.locate(parameters.data))
    except UserError:
        return prepared
    if digest != prepared.report["digests"]["file"]:
        raise UserError(f"data {parameters.data}: not the file that this run began with; start a new run")
    return prepared


def _inputs(parameters: DataParameters, file: Path, cleaner: clean.Cleaner) -> dict[str, Any]:
    asked = parameters.model_dump(exclude={"data", *Executor.model_fields})
    return {**asked, "file": file.name, "digest": file_digest(file), "cleaner": cleaner.to_dict()}


def _code() -> list[Path]:
    """List the source files that a preprocessing depends on."""
    return [Path(__file__), *Path(check.__file__).parent.glob("*.py")]


def _load(run_id: str, cleaner: clean.Cleaner) -> Prepared:
    report = json.loads(fetch(run_id, "report.json").read_text())
    return Prepared(run_id, True, report, cleaner)


def _preprocess(parameters: DataParameters, file: Path, cleaner: clean.Cleaner) -> dict[str, Any]:
    if _on_spark(parameters):
        found = prepare_on_spark(parameters, file, cleaner)
    else:
        with runs.artifacts_of_run("splits") as folder:
            found = prepare_here(parameters, file, cleaner, folder)
    report = _report(file, found)
    with runs.artifacts_of_run() as folder:
        _write_figures(folder, report, found.facts)
    digest = report["digests"]["file"]
    lineage.log_dataset(found.schema, found.checked.read, file.name, digest, str(file), "raw")
    reviews = {f"reviews_{name}": sum(counts) for name, counts in report["counts"].items()}
    runs.log_metrics({"reviews": sum(reviews.values()), **reviews})
    return report


def _on_spark(parameters: DataParameters) -> TypeGuard[PreprocessParameters]:
    return isinstance(parameters, PreprocessParameters) and parameters.executor == "spark"


def _report(file: Path, found: PreparedFiles) -> dict[str, Any]:
    counts = found.facts.rating_counts()
    lines = [*found.checked.lines()]
    for name, reviews in counts.items():
        shares = " / ".join(f"{rows / sum(reviews):.1%}" for rows in reviews)
        lines.append(f"{name}: {sum(reviews):,} reviews; shares of 1-5 stars {shares}")
    digests = {"file": file_digest(file), **found.facts.digest_texts()}
    dropped = found.checked.dropped
    return {"file": file.name, "lines": lines, "dropped": dropped, "counts": counts, "digests": digests}


def _write_figures(folder: Path, report: dict[str, Any], facts: SplitFacts) -> None:
    lengths = facts.length_tables()
    summaries = {when: length_summary(table) for when, table in lengths.items()}
    write_json(folder / "report.json", {**report, "length_in_characters": summaries})
    for when, table in lengths.items():
        picture = exploration.length_picture(table, f"Length of reviews {when} cleaning")
        picture.save(folder / f"length_{when}_cleaning.png")
    exploration.split_picture(report["counts"]).save(folder / "rating_shares.png")


def _show(prepared: Prepared, what: str) -> None:
    for line in [*prepared.report["lines"], what]:
        print(f"preprocess: {line}", flush=True)
