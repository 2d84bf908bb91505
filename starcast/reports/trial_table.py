"""All trials of a search as one table, one row each, and the best of them as Markdown."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

Value = bool | int | float | str
FIXED: dict[str, type[pl.DataType]] = {
    "trial": pl.Int64,
    "run_id": pl.String,
    "family": pl.String,
    "outcome": pl.String,
    "objective": pl.Float64,
    "epochs": pl.Int64,
    "seconds": pl.Float64,
    "ended": pl.Float64,
}
OUTCOMES = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class TrialRecord:
    """One trial: `objective` at the last epoch kept, or reached if pruned; `ended` in seconds since the search began."""

    trial: int
    run_id: str
    family: str
    outcome: str
    objective: float | None
    epochs: int
    seconds: float
    ended: float
    settings: Mapping[str, Value]


def trial_table(records: Iterable[TrialRecord]) -> pl.DataFrame:
    """One row per record in the order of the trials: `FIXED`, then a column per setting of any family, by name.

    A setting that a family lacks is null; an objective that is no finite number is null too.

    Raises:
        ValueError: a setting has the name of a fixed column.
    """
    ordered = sorted(records, key=lambda record: record.trial)
    names = sorted({name for record in ordered for name in record.settings})
    if taken := FIXED.keys() & set(names):
        raise ValueError(f"settings may not be called {', '.join(sorted(taken))}: columns of the table are")
    fixed = [
        pl.Series(name, [getattr(record, name) for record in ordered], dtype) for name, dtype in FIXED.items()
    ]
    settings = [_setting_column(name, [record.settings.get(name) for record in ordered]) for name in names]
    finite = pl.when(pl.col("objective").is_finite()).then("objective").alias("objective")
    return pl.DataFrame([*fixed, *settings]).with_columns(finite)


def _setting_column(name: str, values: list[Value | None]) -> pl.Series:
    """Truth values, whole numbers and numbers keep their kind; anything else, mixtures included, becomes text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds <= {int, float}:
        return pl.Series(name, values, pl.Int64 if kinds == {int} else pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], pl.String)


def families(table: pl.DataFrame) -> list[str]:
    """The families of a table of trials, in the order of their first trials."""
    return table["family"].unique(maintain_order=True).to_list()


def settings_of(trials: pl.DataFrame) -> list[str]:
    """The settings that at least one of the trials has."""
    return [name for name in trials.columns if name not in FIXED and trials[name].count()]


def varying_settings(trials: pl.DataFrame) -> list[str]:
    """The settings that take at least two values in the trials."""
    return [name for name in settings_of(trials) if trials[name].drop_nulls().n_unique() > 1]


def ranked_trials(table: pl.DataFrame, lower_is_better: bool) -> pl.DataFrame:
    """The complete trials, best first, the earlier of equals first."""
    complete = table.filter((pl.col("outcome") == "complete") & pl.col("objective").is_not_null())
    return complete.sort("objective", "trial", descending=[not lower_is_better, False])


def outcome_text(table: pl.DataFrame) -> str:
    """How many trials had which outcome, as people read it."""
    counts = Counter(table["outcome"])
    return ", ".join(
        f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if outcome == "complete" or counts[outcome]
    )


def value_text(value: Value) -> str:
    """A setting's value as people read it."""
    return f"{value:g}" if type(value) is float and math.isfinite(value) else str(value)


def best_trials_markdown(table: pl.DataFrame, objective: str, lower_is_better: bool, shown: int = 5) -> str:
    """The best complete trials as a Markdown table, under a line that counts all trials."""
    ranked = ranked_trials(table, lower_is_better)
    count = f"{table.height:,} trial{'' if table.height == 1 else 's'}: {outcome_text(table)}."
    if ranked.is_empty():
        return count
    head = f"| rank | trial | family | {objective} | epochs | seconds | settings | run |\n|--:|--:|---|--:|--:|--:|---|---|"
    best = ranked.head(shown).iter_rows(named=True)
    return "\n".join(
        [f"{count}\n", head, *(_markdown_row(rank, row) for rank, row in enumerate(best, start=1))]
    )


def _markdown_row(rank: int, row: dict) -> str:
    settings = ", ".join(
        f"{name} {value_text(value)}"
        for name, value in row.items()
        if name not in FIXED and value is not None
    )
    score, seconds = f"{row['objective']:.4f}", f"{row['seconds']:,.0f}"
    cells = [rank, row["trial"], row["family"], score, row["epochs"], seconds, settings, f"`{row['run_id']}`"]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
