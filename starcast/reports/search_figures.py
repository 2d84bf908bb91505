"""Draw a search over time: every trial's objective, and the best so far."""

from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from starcast.reports.style import COLOURS, GREY, MARKS, WIDTH
from starcast.reports.trial_table import families, outcome_text, ranked_trials

OFTEN = 3  # the picture includes the best trial of a family with at least this many complete ones
UNITS = (
    (180 * 60, "hours", 3600),
    (180, "minutes", 60),
    (0, "seconds", 1),
)  # from seconds, name, seconds in one


def worthy_range(values: np.ndarray, lower_is_better: bool) -> tuple[float, float]:
    """Return the range of objectives whose gap to the best is at most twice the third quartile of all gaps.

    With this range, a few trials that learned nothing do not squash the others into a line.
    """
    if not values.size:
        return 0.0, 1.0
    gaps = np.abs(values - (values.min() if lower_is_better else values.max()))
    kept = values[gaps <= (2 * np.quantile(gaps, 0.75) or np.inf)]
    return float(kept.min()), float(kept.max())


def best_so_far_figure(table: pl.DataFrame, objective: str, lower_is_better: bool) -> Figure:
    """Return every trial's objective against the time at which it ended, and the best so far as a line.

    Trials much worse than most are triangles at the edge, failed ones are ticks on the time axis.
    """
    figure = Figure(figsize=(WIDTH, 4.5), layout="constrained")
    axes = figure.subplots()
    longest = table["ended"].to_numpy().max(initial=0)
    unit, seconds = next((name, seconds) for least, name, seconds in UNITS if longest >= least)
    table = table.with_columns(ended=pl.col("ended") / seconds)
    ranked = ranked_trials(table, lower_is_better)
    limits = _limits(table, ranked, lower_is_better)
    axes.set(ylim=limits, xlabel=f"{unit} since the search began", ylabel=objective)
    title = f"Search: {outcome_text(table)}"
    if ranked.height:  # the best so far, from the first complete trial to the end of the search
        ended, values = ranked.sort("ended", "trial").select("ended", "objective").to_numpy().T
        best_so_far = np.minimum.accumulate(values) if lower_is_better else np.maximum.accumulate(values)
        times, best_so_far = np.append(ended, longest / seconds), np.append(best_so_far, best_so_far[-1])
        look: dict[str, Any] = {"color": "black", "linewidth": 1.2, "label": "best so far", "zorder": 2}
        axes.step(times, best_so_far, where="post", **look)
    _draw_outcomes(axes, table, lower_is_better)
    if ranked.height:
        best = ranked.row(0, named=True)
        ring: dict[str, Any] = {"s": 130, "facecolors": "none", "edgecolors": "black", "label": "best"}
        axes.scatter(best["ended"], best["objective"], zorder=5, **ring)
        title += f"\nbest {objective} {best['objective']:.4f}: trial {best['trial']}, {best['family']}"
    axes.set_title(title, fontsize=11)
    axes.set_xlim(left=0)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    if table.height:
        figure.legend(loc="outside lower center", fontsize=9, ncols=3, frameon=False)
    return figure


def _limits(table: pl.DataFrame, ranked: pl.DataFrame, lower_is_better: bool) -> tuple[float, float]:
    """Return limits around the worthy range, the best of families tried often, and most pruned trials."""
    low, high = worthy_range(ranked["objective"].to_numpy(), lower_is_better)
    best = ranked.group_by("family").agg(pl.len(), pl.first("objective"))
    often = best.filter(pl.col("len") >= OFTEN)["objective"]
    low, high = min([low, *often]), max([high, *often])
    pruned = table.filter(pl.col("outcome") == "pruned")["objective"].drop_nulls().to_numpy()
    if pruned.size:
        room = high - low
        low = low if lower_is_better else min(low, max(low - room, pruned.min()))
        high = max(high, min(high + room, pruned.max())) if lower_is_better else high
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def _draw_outcomes(axes: Axes, table: pl.DataFrame, lower_is_better: bool) -> None:
    scored = table.filter(pl.col("objective").is_not_null())
    size = 30 if table.height <= 100 else 20
    pruned = scored.filter(pl.col("outcome") == "pruned")
    cross = {"marker": "x", "color": GREY, "s": 0.8 * size, "linewidths": 1}
    _scatter(axes, pruned, lower_is_better, "pruned, when stopped", **cross)
    complete = scored.filter(pl.col("outcome") == "complete")
    for i, family in enumerate(families(table)):
        look = {"marker": MARKS[i % len(MARKS)], "color": COLOURS[i % len(COLOURS)], "s": size}
        look |= {"linewidths": 0, "zorder": 3}
        _scatter(axes, complete.filter(pl.col("family") == family), lower_is_better, family, **look)
    failed = table.filter(pl.col("outcome") == "failed")["ended"].to_numpy()
    if failed.size:
        tick: dict[str, Any] = {"marker": "|", "s": 150, "color": "black", "zorder": 4, "clip_on": False}
        foot = axes.get_xaxis_transform()
        axes.scatter(failed, np.zeros_like(failed), label="failed", transform=foot, **tick)


def _scatter(axes: Axes, trials: pl.DataFrame, lower_is_better: bool, label: str, **look: Any) -> None:
    """Draw marks within the axis, and the rest as triangles at its edge with their count in the legend."""
    if trials.is_empty():
        return
    ended, values = trials.select("ended", "objective").to_numpy().T
    low, high = axes.get_ylim()
    inside = values <= high if lower_is_better else values >= low
    outside = int((~inside).sum())
    place, mark, word = (0.97, "^", "above") if lower_is_better else (0.03, "v", "below")
    label = f"{label} ({outside} {word})" if outside else label
    axes.scatter(ended[inside], values[inside], label=label, **look)
    if outside:
        edge = {"marker": mark, "facecolors": "none", "edgecolors": look["color"], "s": look["s"]}
        axes.scatter(ended[~inside], np.full(outside, place), transform=axes.get_xaxis_transform(), **edge)
