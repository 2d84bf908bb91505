"""Say whether new reviews, and what a registered model answers to them, are still like its test split."""

import polars as pl

from starcast.cli.errors import UserError
from starcast.monitoring import report
from starcast.monitoring.answering import RATING, answer, draw
from starcast.monitoring.checks import Part
from starcast.monitoring.drift import AnsweredReviews, Drift, find_drift
from starcast.monitoring.parameters import MonitorParameters
from starcast.monitoring.reading import NewReviews, doubt_of_scale, read_new
from starcast.monitoring.report import MonitoringNotes
from starcast.monitoring.words import known_words
from starcast.reports import files
from starcast.reports.table import plain
from starcast.reports.terminal_table import print_table
from starcast.reviews import sources
from starcast.reviews.parameters import SLICE
from starcast.reviews.remote import name_of
from starcast.reviews.unpack import table_name
from starcast.tracking import (
    commands,
    held_out,
    history,
    lineage,
    monitored,
    registry,
    resumption,
    runs,
    scoring,
    store,
)
from starcast.tracking.lineage import OF_RUN, Input
from starcast.tracking.registry import Version
from starcast.tracking.scoring import LoadedModel

FEWEST = 50  # reviews: of fewer nothing can be told
NO_TEXT = "no text"  # why preprocess dropped rows
MOST_SLICES = 20  # values of a column of slices


def monitor(parameters: MonitorParameters) -> Drift:
    """Compare a file with the model's test split; log the report, and a step on the version's own run.

    Raises:
        UserError: the file cannot be read or has too few reviews, there is no such model, or the splits that
            it learned from are gone.
    """
    with runs.step_run("monitor", parameters.as_text(), f"monitor {name_of(parameters.input)}") as run_id:
        resumption.close_abandoned(keep=run_id)
        version = registry.find(parameters.model)
        named = f"{version.name} version {version.version}"
        _say(version.said)
        file, trained = sources.locate(parameters.input, "input").resolve(), scoring.trained_on(version)
        splits = held_out.splits_of(version)
        tested = draw(held_out.chunks_of(splits["test"]), parameters.reviews, parameters.seed)
        new = read_new(file, parameters, trained, _slices(tested[0]))
        new, left_out = _unseen(new, splits)
        rated = new.reviews[RATING], tested[0][RATING].cast(pl.Int64) - 1
        told = [*new.lines, *left_out, *doubt_of_scale(*rated, trained.scale)]
        _say(*told)
        with scoring.opened(version, parameters.trust_model_code) as loaded:
            _say(*loaded.notes)
            sides = _answered(loaded, tested, new, splits)
        drift = find_drift(*sides, parameters.seed, trained.scale)
        digest, named_file = sources.file_digest(file), table_name(file)
        lineage.log_dataset(new.schema, new.rows, named_file, digest, str(file), "input")
        compared = {
            "model": f"{version.link}, run `{version.run_id}`",
            "new reviews": _drawn(drift.now, f"{named_file}, digest {digest}"),
            "test split": _drawn(drift.before, f"{splits['test'].source}, digest {splits['test'].digest}"),
        }
        notes = MonitoringNotes(named, named_file, compared, (*told, *loaded.notes))
        curves = _publish(drift, notes, version, run_id)
    print_table(report.check_table(drift).without(report.WHAT, report.LEAST_EFFECT))
    _say(report.SHOWN, plain(report.verdict_line(drift)))
    _say(f"over time: {store.address(store.page_within(curves))}")
    if drift.changed:
        again = commands.command_line("tune", data="FILE", model=version.name)
        _say(f"train a challenger on newer reviews: {again}")
    _say(*commands.where_to_look(run_id))
    return drift


def _slices(tested: pl.DataFrame) -> list[str]:
    """Return the columns of the test split by which its reviews can be told apart."""
    sliced = (column for column in tested if column.name.startswith(SLICE))
    return [column.name.removeprefix(SLICE) for column in sliced if column.n_unique() <= MOST_SLICES]


def _answered(
    loaded: LoadedModel, tested: tuple[pl.DataFrame, int], new: NewReviews, splits: dict[str, Input]
) -> tuple[AnsweredReviews, AnsweredReviews]:
    """Let the model answer the reviews of its test split and the new ones, read alike.

    Raises:
        UserError: the test split is too small.
    """
    if tested[1] < FEWEST:
        few = f"the test split of {loaded.version.uri} has {tested[1]} reviews"
        raise UserError(f"{few}: with fewer than {FEWEST} nothing can be compared; train it on more")
    known, rows = known_words(held_out.chunks_of(splits["train"])), pl.col(RATING).cast(pl.Int64) - 1
    before = tested[0].select(pl.exclude(RATING), rows).select(new.reviews.columns)
    model = loaded.predict, loaded.scale, known
    old = answer(before, *model, tested[1], "the test split", _blank_rows(splits["test"]))
    return old, answer(new.reviews, *model, new.rows, "the new reviews", new.blank)


def _blank_rows(test: Input) -> Part | None:
    """Return how many rows of the file that was split had no text; None if that is not known."""
    told = history.report_of(test.source.removeprefix(OF_RUN).partition("/")[0])
    dropped = told.get("dropped", {})
    # Reports of versions before 0.10 do not say how many rows there were: kept ones may be a sample.
    return (dropped[NO_TEXT], told["rows"]) if NO_TEXT in dropped and "rows" in told else None


def _unseen(new: NewReviews, splits: dict[str, Input]) -> tuple[NewReviews, list[str]]:
    """Return the new reviews without those that the model learned from or was tested on, and lines on these.

    Those that it was tested on stay where few others are left.

    Raises:
        UserError: too few are left.
    """
    seen, read = held_out.seen_reviews(new.reviews, splits), new.reviews.height
    trained = f"{int(seen.sum()):,} of {read:,} reviews read like ones that the model was trained on"
    if (left := int((~seen).sum())) < FEWEST:
        few = f"{trained}, " if seen.any() else ""
        more = "give a file of only new ones, or a higher reviews" if seen.any() else "add more"
        raise UserError(
            f"{few}{left:,} reviews with a text are left: {FEWEST} are needed to tell anything; {more}"
        )
    lines = [f"{trained}: left out"] if seen.any() else []
    tested = held_out.seen_reviews(new.reviews, splits, ["test"]) & ~seen
    if tested.any():
        lines.append(f"{int(tested.sum()):,} of {read:,} reviews read like the test split's own")
        if left - tested.sum() >= FEWEST:
            seen |= tested
            lines[-1] += ": left out"
    return new._replace(reviews=new.reviews.filter(~seen)), lines


def _drawn(side: AnsweredReviews, source: str) -> str:
    return f"{len(side.predicted):,} of {side.drawn_from:,} reviews: {source}"


def _publish(drift: Drift, notes: MonitoringNotes, version: Version, run_id: str) -> str:
    """Write everything to the active run and the version's own run; return the id of that."""
    with runs.artifacts_of_run() as folder:
        report.monitoring_report(drift, notes).save(folder, commands.origin_of_report())
        files.write_json(folder / "monitoring.json", report.drift_json(drift, notes))
    metrics, checks = report.drift_metrics(drift), report.check_table(drift).markdown()
    runs.log_metrics(metrics)
    said = "\n\n".join([*report.answer(drift, notes), checks])
    runs.describe(said, {"verdict": drift.verdict, "model_version": version.version})
    runs.rename_active(f"monitor v{version.version} on {notes.file}: {drift.verdict}")
    return monitored.log_monitoring(version, metrics, drift.verdict, run_id)


def _say(*lines: str) -> None:
    for line in lines:
        print(f"monitor: {line}", flush=True)
