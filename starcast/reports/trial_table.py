"""All trials of a search as one table, one row each, and the best of them in Markdown."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from starcast.cli.progress import clock
from starcast.reports.table import Table

Value = bool | int | float | str
FIXED: dict[str, type[pl.DataType]] = {
    "trial": pl.Int64,
    "run_id": pl.String,
    "family": pl.String,
    "outcome": pl.String,
    "objective": pl.Float64,
    "epochs": pl.Float64,
    "seconds": pl.Float64,
    "ended": pl.Float64,
}
OUTCOMES = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class TrialRecord:
    """One trial."""

    trial: int
    run_id: str
    family: str
    outcome: str
    objective: float | None  # at the epoch kept or, if pruned, the last epoch reached
    epochs: float
    seconds: float
    ended: float  # seconds from the beginning of the search
    settings: Mapping[str, Value]


def trial_table(records: Iterable[TrialRecord]) -> pl.DataFrame:
    """Return a row per trial in their order: the columns of `FIXED`, then all settings by name.

    A setting that a family lacks is null, as is an objective that is not finite.
    """
    ordered = sorted(records, key=lambda record: record.trial)
    names = sorted({name for record in ordered for name in record.settings})
    columns = [
        pl.Series(name, [getattr(each, name) for each in ordered], kind) for name, kind in FIXED.items()
    ]
    for name in names:
        values = [record.settings.get(name) for record in ordered]
        kinds, column = {type(value) for value in values if value is not None}, column_of(name)
        if kinds <= {bool}:
            columns.append(pl.Series(column, values, pl.Boolean))
        elif kinds <= {int, float}:
            kind = pl.Int64 if kinds == {int} else pl.Float64
            columns.append(pl.Series(column, values, kind, strict=False))
        else:  # anything else, including mixed types, becomes text
            columns.append(pl.Series(column, [None if v is None else str(v) for v in values], pl.String))
    finite = pl.when(pl.col("objective").is_finite()).then("objective").alias("objective")
    return pl.DataFrame(columns).with_columns(finite)


def column_of(setting: str) -> str:
    """Return the column of a setting: its name or, as with a transformer's `epochs`, what sets it apart."""
    return f"{setting} (setting)" if setting in FIXED else setting


def families(table: pl.DataFrame) -> list[str]:
    """Return the families in the order of their first trials."""
    return table["family"].unique(maintain_order=True).to_list()


def settings_of(trials: pl.DataFrame) -> list[str]:
    """Return the settings that at least one of the trials has."""
    return [name for name in trials.columns if name not in FIXED and trials[name].count()]


def varying_settings(trials: pl.DataFrame) -> list[str]:
    """Return the settings that take at least two values in the trials."""
    return [name for name in settings_of(trials) if trials[name].drop_nulls().n_unique() > 1]


def scored_trials(table: pl.DataFrame, family: str) -> pl.DataFrame:
    """Return a family's complete and pruned trials that have an objective."""
    ended = (pl.col("outcome") != "failed") & pl.col("objective").is_not_null()
    return table.filter((pl.col("family") == family) & ended)


def ranked_trials(table: pl.DataFrame, lower_is_better: bool) -> pl.DataFrame:
    """Return the complete trials, best first; ties in the order of the trials."""
    complete = table.filter((pl.col("outcome") == "complete") & pl.col("objective").is_not_null())
    return complete.sort("objective", "trial", descending=[not lower_is_better, False])


def outcome_text(table: pl.DataFrame) -> str:
    """Return the number of trials by outcome in words."""
    counts = Counter(table["outcome"])
    return ", ".join(f"{counts[name]:,} {name}" for name in OUTCOMES if name == "complete" or counts[name])


def value_text(value: Value) -> str:
    """Return a setting's value as text."""
    return f"{value:g}" if type(value) is float and math.isfinite(value) else str(value)


def best_trials_markdown(table: pl.DataFrame, objective: str, lower_is_better: bool, shown: int = 5) -> str:
    """Return the best complete trials as a Markdown table under a line that counts all trials."""
    best = best_trials(table, objective, lower_is_better, shown)
    count = f"{table.height:,} trial{'' if table.height == 1 else 's'}: {outcome_text(table)}."
    return f"{count}\n\n{best.markdown()}" if best.rows else count


def leading_trials(table: pl.DataFrame, objective: str, lower_is_better: bool, shown: int = 5) -> Table:
    """Return a row for each of the best complete trials, with the settings in which its family's differ."""
    rows = []
    for row in ranked_trials(table, lower_is_better).head(shown).iter_rows(named=True):
        names = varying_settings(table.filter(pl.col("family") == row["family"]))
        given = [f"{name} {value_text(row[name])}" for name in names if row[name] is not None]
        told = str(row["trial"]), row["family"], f"{row['objective']:.4f}", clock(row["seconds"])
        rows.append((*told, ", ".join(given)))
    return Table(("trial", "family", objective, "time", "settings that differ"), tuple(rows))


def best_trials(
    table: pl.DataFrame,
    objective: str,
    lower_is_better: bool,
    shown: int,
    link: Callable[[str], str] = "`{}`".format,
) -> Table:
    """Return a row for each of the best complete trials.

    Args:
        link: returns what stands for the run of an id.
    """
    rows = []
    best = ranked_trials(table, lower_is_better).head(shown)
    for rank, row in enumerate(best.iter_rows(named=True), start=1):
        given = {name: value for name, value in row.items() if name not in FIXED and value is not None}
        settings = [f"{name} {value_text(value)}" for name, value in given.items()]
        score, seconds, run = f"{row['objective']:.4f}", f"{row['seconds']:,.0f}", link(row["run_id"])
        epochs = f"{row['epochs']:g}"
        cells = (rank, row["trial"], row["family"], score, epochs, seconds, ", ".join(settings), run)
        rows.append(tuple(map(str, cells)))
    return Table(("rank", "trial", "family", objective, "epochs", "seconds", "settings", "run"), tuple(rows))
