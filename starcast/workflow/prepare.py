"""Turn a file into checked, cleaned, split reviews as Parquet, with study A's exploration figures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard

from starcast.cli.code import code_digest, import_closure, imported_packages, package_versions
from starcast.cli.errors import UserError
from starcast.evaluation.names import PER_LABEL
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import left_out
from starcast.reports import figures
from starcast.reports.files import write_json
from starcast.reviews import clean, sources
from starcast.reviews.hashing import digest_text
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import DataParameters
from starcast.reviews.parquet import schema_of
from starcast.reviews.prepare import length_summary, prepare_here, rejected_rows
from starcast.reviews.remote import name_of
from starcast.reviews.scripts import script_line
from starcast.reviews.sources import file_digest
from starcast.reviews.split import LEARNED_FROM, SPLITS
from starcast.reviews.unpack import table_name
from starcast.spark.parameters import Executor, PreprocessParameters
from starcast.spark.prepare import prepare_on_spark
from starcast.spark.session import check_spark
from starcast.tracking import history, lineage, runs
from starcast.tracking.artifacts import fetch
from starcast.tracking.held_out import checked_rows
from starcast.tracking.lineage import PREPARED, split_address

DECIDING = ("reviews", "evaluation", "spark")  # subpackages: what they import decides about the splits


@dataclass(frozen=True)
class Prepared:
    """The finished preprocessing of a data set, on the tracking server."""

    run_id: str
    report: dict[str, Any]
    cleaner: clean.Cleaner

    @property
    def scale(self) -> Scale:
        """Return the ratings that the splits may have; splits of earlier versions have stars."""
        return Scale.of(self.report.get("labels", STARS.labels))

    def check_score(self, parameter: str, name: str, splits: Sequence[str] = LEARNED_FROM) -> None:
        """Raise a UserError if a score is of a rating that one of the splits does not have."""
        label = PER_LABEL.fullmatch(name.removeprefix("val_"))
        for split in splits if label else ():
            counted = zip(self.scale.keys, self.report["counts"][split], strict=True)
            present = [key for key, reviews in counted if reviews]
            if label and label[1] not in present:
                where = "this data" if split == "train" else f"the {split} split"
                there = f"the ratings of {where} are {', '.join(present)}"
                raise UserError(f"parameter {parameter}: no score {name}, {there}; choose another score")

    @property
    def columns(self) -> Layout | None:
        """Return the columns that were read; None of splits of earlier versions, which do not say."""
        columns = self.report.get("columns")
        return Layout(**columns) if columns else None

    @cached_property
    def folder(self) -> Path:
        """Return the local folder of the splits: that of the store or, fetched once, a copy."""
        return fetch(self.run_id, "splits")

    def split(self, name: str) -> Path:
        """Return the Parquet file of a split: `review_id`, `text`, `rating`, `cleaned` and, if used, `title`.

        If Spark wrote it, it is a folder of parts.
        """
        return self.folder / f"{name}.parquet"

    def check(self) -> "Prepared":
        """Check the rows of every split against its digest, and return this object.

        Raises:
            UserError: a split is gone, damaged or another file.
        """
        for name in SPLITS:
            for _ in checked_rows(self.split(name), self.report["digests"][name], self._named(name)):
                pass
        return self

    def _named(self, name: str) -> str:
        return f"{name}.parquet of run {self.run_id}"

    def log_inputs(self, names: Sequence[str]) -> dict[str, lineage.Input]:
        """Log splits, with their digests, as inputs of the active run, and tag it with where they are."""
        runs.tag_active({PREPARED: self.run_id})
        logged = {}
        for name in names:
            rows, digest = sum(self.report["counts"][name]), self.report["digests"][name]
            source, title = split_address(self.run_id, name), f"{self.report['file']} {name}"
            given = schema_of(self.split(name)), rows, title, digest, source
            logged[name] = lineage.log_dataset(*given, name)
        return logged


def preprocess(parameters: DataParameters, anew: bool = False) -> Prepared:
    """Preprocess as a separate step or, unless `anew`, reuse the finished run that did the same before."""
    if _on_spark(parameters):
        check_spark(parameters.spark_master)
    name = f"preprocess {name_of(parameters.data)}"
    with runs.step_run("preprocess", parameters.as_text(), name) as run_id:
        files = sources.locate_files(parameters)
        cleaner = clean.Cleaner.create(parameters.cleaning, parameters.lemmas)
        key = _reuse_key(parameters, files, cleaner)
        prepared, damaged = (None, []) if anew else _finished(key, cleaner)
        for line in damaged:
            print(f"preprocess: {line}", flush=True)
        if prepared:
            done = f"reused the finished run {prepared.run_id}: same file, parameters and code"
            same = f"The same as run {prepared.run_id}, whose splits are reused."
            runs.describe(same, {"reused_run": prepared.run_id})
        else:
            prepared = Prepared(run_id, _preprocess(parameters, files, cleaner), cleaner)
            done = f"splits and figures are on run {run_id}"
            lines = [*prepared.report["lines"], *damaged]
            runs.describe("\n".join(f"- {line}" for line in lines), {history.REUSE_KEY: key})
    for line in [*prepared.report["lines"], done]:
        print(f"preprocess: {line}", flush=True)
    return prepared


def _reuse_key(parameters: DataParameters, files: Mapping[str, Path], cleaner: clean.Cleaner) -> str:
    """Return what is equal for preprocessings with the same result: files, parameters, code and packages."""
    asked = parameters.model_dump(exclude={*files, *Executor.model_fields})
    read = {name: [table_name(file), file_digest(file)] for name, file in files.items()}
    code = import_closure(__name__)
    packages = imported_packages(file for file in code if file.parent.name in DECIDING)
    made_by: dict[str, object] = {"code": code_digest(code), "packages": package_versions(packages)}
    if cleaner.lemmas:
        made_by["wordnet"] = file_digest(clean.require_wordnet())
    return history.reuse_key({**asked, "files": read, "cleaner": cleaner.to_dict(), **made_by})


def _finished(key: str, cleaner: clean.Cleaner) -> tuple[Prepared | None, list[str]]:
    """Return the newest undamaged preprocessing with this key, and a line for each newer, damaged one."""
    damaged = list[str]()
    for run_id in history.finished_runs(key):
        try:
            return Prepared(run_id, history.report_of(run_id), cleaner).check(), damaged
        except UserError as why:
            damaged.append(f"{why}: it is not reused, and all is made anew")
    return None, damaged


def prepare_once(parameters: DataParameters) -> Prepared:
    """Preprocess for the active run; a continued run keeps its splits, even if the file has gone.

    Raises:
        UserError: the file is here and has changed since, or the splits have and cannot be made again.
    """
    finished = runs.tag_of_active_or_above(PREPARED)
    if finished is None:
        prepared = preprocess(parameters)
        runs.tag_active({PREPARED: prepared.run_id})
        return prepared
    cleaner = clean.Cleaner.create(parameters.cleaning, parameters.lemmas)
    try:
        prepared = Prepared(finished, history.report_of(finished), cleaner).check()
    except UserError as why:
        return _made_again(parameters, str(why))
    try:
        files = sources.locate_files(parameters)
    except UserError:
        return prepared
    for name, digest in _digests(files).items():
        if digest != prepared.report["digests"][name]:
            changed = "data" if name == "file" else name
            what = f"{changed} {getattr(parameters, changed)}"
            raise UserError(f"{what}: not the file that this run began with; start a new run")
    return prepared


def _made_again(parameters: DataParameters, why: str) -> Prepared:
    """Preprocess again for a continued run whose splits are lost.

    Args:
        why: what happened to them.

    Raises:
        UserError: the file is not here, or the run has learned from other splits than these.
    """
    try:
        sources.locate_files(parameters)
    except UserError as missing:
        raise UserError(f"{why}, and it cannot be made again ({missing}): start a new run") from None
    print(f"{why}: the splits are made again", flush=True)
    prepared = preprocess(parameters)
    for known in lineage.inputs_of_active():
        if prepared.report["digests"].get(known.context, known.digest) != known.digest:
            other = f"this code makes another {known.context} split than the run began with"
            raise UserError(f"{why}, and {other}: start a new run")
    runs.tag_active({PREPARED: prepared.run_id})
    return prepared


def _on_spark(parameters: DataParameters) -> TypeGuard[PreprocessParameters]:
    return isinstance(parameters, PreprocessParameters) and parameters.executor == "spark"


def _digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the digests of files by the parameters that name them; `data` is `file` in reports and runs."""
    return {"file" if name == "data" else name: file_digest(file) for name, file in files.items()}


def _preprocess(
    parameters: DataParameters, files: Mapping[str, Path], cleaner: clean.Cleaner
) -> dict[str, Any]:
    if _on_spark(parameters):
        raw, checked, facts = prepare_on_spark(parameters, files, cleaner)
    else:
        with runs.artifacts_of_run("splits") as folder:
            raw, checked, facts = prepare_here(parameters, files, cleaner, folder)
    counts: dict[str, list[int]] = dict(zip(SPLITS, facts.counts.tolist(), strict=True))
    lines = [*checked.lines(), script_line(facts.scripts)]
    for name, reviews in counts.items():
        shares = " / ".join(f"{rows / sum(reviews):.1%}" for rows in reviews)
        lines.append(f"{name}: {sum(reviews):,} reviews; shares of the ratings {shares}")
    scale = checked.scale.scale
    if absent := left_out(facts.counts.sum(axis=0), scale):
        lines.append(absent)
    digests = _digests(files) | dict(zip(SPLITS, map(digest_text, facts.digests), strict=True))
    report: dict[str, Any] = {"file": table_name(files["data"]), "lines": lines}
    report |= {
        "rows": checked.read,
        "dropped": checked.dropped,
        "counts": counts,
        "columns": asdict(checked.layout),
        "labels": scale.labels,
    }
    report["digests"] = digests
    summaries = {when: length_summary(lengths) for when, lengths in facts.lengths.items()}
    with runs.artifacts_of_run() as folder:
        write_json(folder / history.REPORT, {**report, "length_in_characters": summaries})
        runs.tag_active({history.REPORT_DIGEST: history.report_digest(folder / history.REPORT)})
        if checked.rejected.height:
            rejected_rows(checked, facts).write_csv(folder / "rejected_rows.csv")
        for when, lengths in facts.lengths.items():
            picture = figures.length_picture(lengths, f"Length of reviews {when} cleaning", scale)
            picture.save(folder / f"length_{when}_cleaning.png")
        figures.split_picture(counts, scale).save(folder / "rating_shares.png")
    for (name, file), (schema, rows) in zip(files.items(), raw, strict=True):
        context = "raw" if name == "data" else name
        lineage.log_dataset(schema, rows, table_name(file), file_digest(file), str(file), context)
    sizes = {f"reviews_{name}": sum(reviews) for name, reviews in counts.items()}
    runs.log_metrics({"reviews": sum(sizes.values()), **sizes})
    return report
