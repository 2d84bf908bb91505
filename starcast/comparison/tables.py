"""A comparison as tables: to read in the report and on a terminal, and with every number for a file."""

import math

import polars as pl

from starcast.comparison.ranking import Comparison, RankedSystem
from starcast.comparison.systems import differing_settings
from starcast.evaluation.names import SCORES
from starcast.reports.table import Table

SHOWN = ("f1_macro", "f1_weighted", "harmonic_recall", "mae", "quadratic_kappa", "within_one", "auc")
WIDTH = 120  # of a terminal


def score_table(comparison: Comparison) -> Table:
    """A row per system: what it is, its scores, what it cost."""
    others = [name for name in SHOWN if name != comparison.metric]
    head = [
        "name",
        "family",
        "sampling",
        f"{comparison.metric} (95% interval)",
        *others,
        "fit seconds",
        "parameters",
        "reviews",
    ]
    rows = []
    for each in comparison.placed:
        system = each.system
        scores = [_number(system.score(name), ".3f") for name in others]
        cost = [_number(system.seconds, ",.1f"), _number(system.parameters, ",.0f")]
        rows.append(
            [
                system.name,
                system.get("family"),
                system.get("sampling"),
                each.text,
                *scores,
                *cost,
                reviews_text(each),
            ]
        )
    return _with_runs(comparison, head, rows)


def reviews_text(placed: RankedSystem) -> str:
    """On how many reviews a system was scored."""
    return f"{placed.system.runs[0].matrix.sum():,}"


def _with_runs(comparison: Comparison, head: list[str], rows: list[list[str]]) -> Table:
    """The rows with one more column: the run, or of groups how many."""
    runs = [each.system.runs for each in comparison.placed]
    last = [f"{len(each):,}" if comparison.by else f"`{each[0].run_id}`" for each in runs]
    cells = ((*row, run) for row, run in zip(rows, last, strict=True))
    return Table((*head, "runs" if comparison.by else "run"), tuple(cells))


def lead_table(comparison: Comparison) -> Table:
    """How much better the best is than each system that was paired with it."""
    paired = [(each.system.name, each.lead) for each in comparison.placed if each.lead]
    rows = [
        (name, str(lead.estimate), f"{lead.p:.3f}", _yes(lead.significant)) for name, lead in paired
    ]
    return Table(
        ("name", f"the best is better by ({comparison.metric}, 95% interval)", "p", "beyond chance"),
        tuple(rows),
    )


def settings_table(comparison: Comparison) -> Table:
    """The settings that are not the same in all systems."""
    systems = [each.system for each in comparison.placed]
    names = differing_settings(systems)
    return Table(
        ("name", *names),
        tuple((system.name, *(system.get(name) or "-" for name in names)) for system in systems),
    )


def number_table(comparison: Comparison) -> pl.DataFrame:
    """A row per system with every score, the interval, the lead of the best, the settings that differ and the runs' ids."""
    names = differing_settings([each.system for each in comparison.placed])
    rows = []
    for rank, each in enumerate(comparison.placed, start=1):
        system, lead = each.system, each.lead
        low, high = each.interval or (None, None)
        paired = (lead.estimate.value, lead.estimate.low, lead.estimate.high, lead.p) if lead else (None,) * 4
        rows.append(
            {
                **{
                    "rank": rank,
                    "name": system.name,
                    "runs": len(system.runs),
                    "reviews": int(system.runs[0].matrix.sum()),
                },
                **{"metric": comparison.metric, "value": each.value, "low": low, "high": high},
                **dict(zip(("lead_of_best", "lead_low", "lead_high", "p"), paired, strict=True)),
                **{name: system.score(name) for name in SCORES},
                **{
                    "fit_seconds": system.seconds,
                    "parameters": system.parameters,
                    "reviews_digest": system.reviews,
                },
                **{f"setting_{name}": system.get(name) for name in names},
                "run_ids": " ".join(run.run_id for run in system.runs),
            }
        )
    return pl.DataFrame(rows, infer_schema_length=None)


def terminal_lines(comparison: Comparison, shown: int) -> list[str]:
    """The first systems under a head, in at most `WIDTH` columns."""
    rows = [[f"{comparison.split} {comparison.metric}", "seconds", "runs" if comparison.by else "run"]]
    for each in comparison.placed[:shown]:
        fits = each.system.runs
        rows.append(
            [
                each.text,
                _number(each.system.seconds, ",.1f"),
                str(len(fits)) if comparison.by else fits[0].run_id,
            ]
        )
    score, seconds, run = (max(len(row[column]) for row in rows) for column in range(3))
    room = WIDTH - (score + seconds + run + 6)
    names = [_cut(name, room) for name in ("name", *(each.system.name for each in comparison.placed[:shown]))]
    wide = max(len(name) for name in names)
    return [
        f"{name:<{wide}}  {s:<{score}}  {t:>{seconds}}  {r:<{run}}".rstrip()
        for name, (s, t, r) in zip(names, rows, strict=True)
    ]


def _cut(name: str, room: int) -> str:
    """A name in so many letters; its end, which may tell equal names apart, stays."""
    return name if len(name) <= room else f"{name[: room - 9]}...{name[-6:]}"


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or not math.isfinite(value) else format(value, form)
