"""File -> checked, cleaned, split reviews as Parquet, with study A's exploration figures.

mlflow run . -e preprocess -P data=clothing
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from steps.errors import UserError
from steps.evaluation.files import write_json
from steps.models.predictor import join_title
from steps.parameters import Parameters, Seed, command
from steps.reviews import check, clean, describe, layouts, read, sources
from steps.reviews.split import SplitRule, split_reviews, table_digest, take_sample
from steps.tracking import lineage, reuse, runs

PREPARED = "prepared_run_id"  # tag of a run that uses splits


class DataParameters(Parameters):
    """Which reviews, and how they are checked, cleaned and split."""

    data: str = Field("sample", description="sample, clothing, or a path: CSV, TSV, JSON lines, Parquet; .gz, .zip, .zst")
    text_column: str = Field("", description="column of the text; recognised in public layouts")
    rating_column: str = Field("", description="column of the rating; recognised in public layouts")
    title_column: str = Field("", description="column to put in front of the text; not used unless named")
    on_bad_rows: check.OnBadRows = Field("refuse", description="ratings that are not whole numbers 1-5: refuse or drop")
    cleaning: clean.Recipe = Field("light", description="light (keeps stop words) or study_a")
    lemmas: bool = Field(False, description="map words to their WordNet lemmas")
    split: SplitRule = Field("stratified", description="stratified, or study_a (its counts, duplicates kept)")
    sample_size: int = Field(0, ge=0, description="use a stratified sample of this many reviews; 0 is all")
    seed: Seed = Field(42, description="seed of everything random")


@dataclass(frozen=True)
class Prepared:
    """The finished preprocessing of a data set, on the tracking server."""

    run_id: str
    reused: bool
    report: dict[str, Any]
    cleaner: clean.Cleaner

    def table(self, name: str) -> pl.DataFrame:
        """One split: `review_id`, `text`, `rating`, `cleaned` and, where it is used, `title`."""
        return pl.read_parquet(reuse.fetch(self.run_id, f"splits/{name}.parquet"))

    def log_inputs(self, tables: dict[str, pl.DataFrame]) -> None:
        """Name splits, with their digests, as inputs of the active run."""
        for name, table in tables.items():
            source = f"runs:/{self.run_id}/splits/{name}.parquet"
            lineage.log_table(table, f"{self.report['file']} {name}", self.report["digests"][name], source, name)


def run(parameters: DataParameters, anew: bool = False) -> Prepared:
    """Preprocess as a step of its own or, unless `anew`, point to the finished run that did the same before."""
    name = f"preprocess {Path(parameters.data).name}"
    with runs.step_run("preprocess", parameters.as_text(), name) as run_id:
        file = sources.locate(parameters.data)
        cleaner = clean.Cleaner.create(parameters.cleaning, parameters.lemmas)
        key = reuse.reuse_key(_inputs(parameters, file, cleaner), _code())
        finished = None if anew else reuse.finished_run(key, "splits")
        if finished:
            prepared = _load(finished, cleaner)
            _show(prepared, f"reused the finished run {finished}: same file, parameters and code")
            runs.describe(f"The same as run {finished}, whose splits are reused.", {"reused_run": finished})
            return prepared
        report = _preprocess(parameters, file, cleaner)
        runs.describe("\n".join(f"- {line}" for line in report["lines"]), {reuse.KEY: key})
    prepared = Prepared(run_id, False, report, cleaner)
    _show(prepared, f"splits and figures are on run {run_id}")
    return prepared


def prepare_once(parameters: DataParameters) -> Prepared:
    """Preprocess for the active run or, where it or one above it has begun before, take the splits that one began with.

    The raw file need not be on this machine then.

    Raises:
        UserError: the file is here, and has changed since.
    """
    finished = runs.tag_of_active_or_above(PREPARED)
    if finished is None:
        prepared = run(parameters)
        runs.tag_active({PREPARED: prepared.run_id})
        return prepared
    prepared = _load(finished, clean.Cleaner.create(parameters.cleaning, parameters.lemmas))
    try:
        digest = read.file_digest(sources.locate(parameters.data))
    except UserError:
        return prepared
    if digest != prepared.report["digests"]["file"]:
        raise UserError(f"data {parameters.data}: not the file that this run began with; begin a new one")
    return prepared


def _inputs(parameters: DataParameters, file: Path, cleaner: clean.Cleaner) -> dict[str, Any]:
    asked = parameters.model_dump(exclude={"data"})
    return {**asked, "file": file.name, "digest": read.file_digest(file), "cleaner": cleaner.to_dict()}


def _code() -> list[Path]:
    return [Path(__file__), *Path(check.__file__).parent.glob("*.py")]


def _load(run_id: str, cleaner: clean.Cleaner) -> Prepared:
    report = json.loads(reuse.fetch(run_id, "report.json").read_text())
    return Prepared(run_id, True, report, cleaner)


def _preprocess(parameters: DataParameters, file: Path, cleaner: clean.Cleaner) -> dict[str, Any]:
    raw = read.read_table(file)
    told = parameters.text_column, parameters.rating_column, parameters.title_column
    layout = layouts.recognise(raw.columns, *told)
    reviews, checked = check.check_reviews(
        check.to_reviews(raw, layout), layout, parameters.on_bad_rows, drop_duplicates=parameters.split != "study_a"
    )
    reviews = take_sample(reviews, parameters.sample_size, parameters.seed)
    check.check_classes(check.count_ratings(reviews))
    reviews = reviews.with_columns(cleaner.clean(join_title(reviews)).alias("cleaned"))
    tables = split_reviews(reviews, parameters.split, parameters.seed)
    report = _report(file, checked, tables)
    lineage.log_table(raw, file.name, report["digests"]["file"], str(file), "raw")
    _log_artifacts(report, reviews, tables)
    runs.log_metrics({"reviews": reviews.height, **{f"reviews_{name}": t.height for name, t in tables.items()}})
    return report


def _report(file: Path, checked: check.Report, tables: dict[str, pl.DataFrame]) -> dict[str, Any]:
    counts = {name: [int((table["rating"] == r).sum()) for r in check.RATINGS] for name, table in tables.items()}
    digests = {"file": read.file_digest(file), **{name: table_digest(table) for name, table in tables.items()}}
    lines = [*checked.lines()]
    for name, table in tables.items():
        shares = " / ".join(f"{rows / table.height:.1%}" for rows in counts[name])
        lines.append(f"{name}: {table.height:,} reviews; shares of 1-5 stars {shares}")
    return {"file": file.name, "lines": lines, "dropped": checked.dropped, "counts": counts, "digests": digests}


def _log_artifacts(report: dict[str, Any], reviews: pl.DataFrame, tables: dict[str, pl.DataFrame]) -> None:
    before, after = join_title(reviews).str.len_chars(), reviews["cleaned"].str.len_chars()
    lengths = {"before": describe.length_summary(before), "after": describe.length_summary(after)}
    with runs.artifacts_of_run() as folder:
        write_json(folder / "report.json", {**report, "length_in_characters": lengths})
        for when, values in (("before", before), ("after", after)):
            figure = describe.length_figure(values, reviews["rating"], f"Length of reviews {when} cleaning")
            figure.savefig(folder / f"length_{when}_cleaning.png", dpi=90)
        describe.share_figure(tables).savefig(folder / "rating_shares.png", dpi=90)
        (folder / "splits").mkdir()
        for name, table in tables.items():
            table.write_parquet(folder / "splits" / f"{name}.parquet")


def _show(prepared: Prepared, what: str) -> None:
    for line in [*prepared.report["lines"], what]:
        print(f"preprocess: {line}", flush=True)


if __name__ == "__main__":
    command("preprocess", DataParameters, run)
