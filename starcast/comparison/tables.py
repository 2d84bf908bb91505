"""Tables of a comparison: for the report, for the terminal, and a file with all numbers."""

import math

import polars as pl

from starcast.comparison.ranking import Comparison
from starcast.comparison.systems import differing_settings
from starcast.evaluation.names import COMPARED, score_names
from starcast.reports.table import Table


def score_table(comparison: Comparison) -> Table:
    """Return a row per system: its description, scores and costs."""
    others = [name for name in (*COMPARED, "auc") if name != comparison.metric]
    rows = []
    for each in comparison.placed:
        system = each.system
        scores = (_number(system.score(name), ".3f") for name in others)
        cost = _number(system.seconds, ",.1f"), _number(system.parameters, ",.0f"), f"{each.reviews:,}"
        what = system.name, system.get("family"), system.get("sampling"), each.text
        runs = f"{len(system.runs):,}" if comparison.by else system.runs[0].link
        rows.append((*what, *scores, *cost, runs))
    head = ("name", "family", "sampling", f"{comparison.metric} (95% interval)", *others)
    last = "runs" if comparison.by else "run"
    return Table((*head, "fit seconds", "parameters", "reviews", last), tuple(rows))


def terminal_table(comparison: Comparison, shown: int) -> Table:
    """Return the first systems with the columns that fit on a line."""
    rows = []
    for each in comparison.placed[:shown]:
        runs = f"{len(each.system.runs):,}" if comparison.by else f"`{each.system.runs[0].run_id}`"
        rows.append((each.system.name, each.text, _number(each.system.seconds, ",.1f"), runs))
    last = "runs" if comparison.by else "run"
    return Table(("name", f"{comparison.split} {comparison.metric}", "seconds", last), tuple(rows))


def lead_table(comparison: Comparison) -> Table:
    """Return how much better the best is than each system that was paired with it."""
    rows = [
        (each.system.name, str(lead.estimate), f"{lead.p:.3f}", "yes" if lead.significant else "no")
        for each in comparison.placed
        if (lead := each.lead)
    ]
    head = ("name", f"the best is better by ({comparison.metric}, 95% interval)", "p", "significant")
    return Table(head, tuple(rows))


def settings_table(comparison: Comparison) -> Table:
    """Return the settings that are not the same in all systems."""
    systems = [each.system for each in comparison.placed]
    names = differing_settings(systems)
    rows = ((system.name, *(system.get(name) or "-" for name in names)) for system in systems)
    return Table(("name", *names), tuple(rows))


def number_table(comparison: Comparison) -> pl.DataFrame:
    """Return a row per system: all scores, interval, the best's lead, differing settings, run ids."""
    names = differing_settings([each.system for each in comparison.placed])
    rows = []
    for rank, each in enumerate(comparison.placed, start=1):
        system, lead = each.system, each.lead
        low, high = each.interval or (None, None)
        paired = (lead.estimate.value, lead.estimate.low, lead.estimate.high, lead.p) if lead else (None,) * 4
        row = {"rank": rank, "name": system.name, "runs": len(system.runs), "reviews": each.reviews}
        row |= {"metric": comparison.metric, "value": each.value, "low": low, "high": high}
        row |= dict(zip(("lead_of_best", "lead_low", "lead_high", "p"), paired, strict=True))
        row |= {name: system.score(name) for name in score_names(comparison.scale)}
        row |= {"fit_seconds": system.seconds, "parameters": system.parameters}
        row |= {"reviews_digest": system.reviews, **{f"setting_{name}": system.get(name) for name in names}}
        rows.append(row | {"run_ids": " ".join(run.run_id for run in system.runs)})
    return pl.DataFrame(rows, infer_schema_length=None)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or not math.isfinite(value) else format(value, form)
