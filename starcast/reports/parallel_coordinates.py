"""Draw which settings the good trials of a search share: one axis per setting, one line per trial."""

from typing import Any

import numpy as np
import polars as pl
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from starcast.reports.search_figures import worthy_range
from starcast.reports.trial_table import families, ranked_trials, scored_trials, value_text, varying_settings

MOST_LEVELS = 10  # a number with more values than that gets a scale instead of a place per value
DECADES = 100  # a scale whose ends are that many times apart is logarithmic
# The lines through a level take at most: this share of its room, of the axis, and of the axis per trial.
SPREAD = (0.7, 0.2, 0.01)
Ticks = list[tuple[float, str, float]]  # where, what, over how much of the axis


def parallel_coordinates_figure(table: pl.DataFrame, objective: str, lower_is_better: bool) -> Figure:
    """Return a panel per family with two complete trials: an axis per varying setting, the objective last.

    The better a trial, the darker its line and the higher it passes through a level it shares with others;
    the best is bold. Pruned trials are pale and stop before the objective, as theirs is of an earlier epoch.
    """
    scored = {family: scored_trials(table, family) for family in families(table)}
    shown = {name: part for name, part in scored.items() if (part["outcome"] == "complete").sum() >= 2}
    most = max((len(varying_settings(trials)) for trials in shown.values()), default=0)
    figure = Figure(figsize=(max(7.5, 1.15 * most + 2), 0.4 + 3 * max(len(shown), 1)), layout="constrained")
    if not shown:
        figure.suptitle("No family has two complete trials")
        return figure
    title = f"Settings of the trials; the darker, the better {objective}; black: the best, pale: pruned"
    figure.suptitle(title, fontsize=11)
    panels = figure.subplots(len(shown), squeeze=False).ravel()
    for axes, (family, trials) in zip(panels, shown.items(), strict=True):
        _draw_panel(axes, trials, objective, lower_is_better)
        pruned = (trials["outcome"] == "pruned").sum()
        title = f"{family}: {trials.height - pruned} complete, {pruned} pruned"
        axes.set_title(title, fontsize=11, loc="left")
    return figure


def _draw_panel(axes: Axes, trials: pl.DataFrame, objective: str, lower_is_better: bool) -> None:
    """Draw one line per trial, the best last, and the axes."""
    ranked = ranked_trials(trials, lower_is_better)[::-1]
    pruned = trials.filter(pl.col("outcome") == "pruned")
    heights, goal_ticks = _objective_axis(ranked["objective"].to_numpy(), lower_is_better)
    places = np.concatenate([np.zeros(pruned.height), np.linspace(0.1, 1, ranked.height)])
    names = varying_settings(trials)
    placed = [setting_axis(pl.concat([pruned[name], ranked[name]]), places) for name in names]
    points = np.column_stack([*(column for column, _ in placed), [*np.zeros(pruned.height), *heights]])
    complete = points[pruned.height :]
    colours = colormaps["viridis_r"](0.1 + 0.9 * heights[:-1])
    pale: dict[str, Any] = {"colors": "0.86", "linewidths": 0.7, "label": "pruned"}
    dark: dict[str, Any] = {"colors": colours, "linewidths": 1, "alpha": 0.8, "label": "complete"}
    for rows, look in ((points[: pruned.height, :-1], pale), (complete[:-1], dark)):
        if len(rows) or look is dark:
            lines = [np.column_stack([np.arange(len(row)), row]) for row in rows]
            axes.add_collection(LineCollection(lines, **look))
    axes.plot(complete[-1], color="black", linewidth=2.8, label="best", zorder=4)
    _draw_axes(axes, [*names, objective], [*(ticks for _, ticks in placed), goal_ticks])


def setting_axis(values: pl.Series, places: np.ndarray) -> tuple[np.ndarray, Ticks]:
    """Return where on an axis from 0 to 1 the values stand, and its ticks.

    Args:
        places: where in the width of a level each value passes, 0 to 1.
    """
    levels = values.drop_nulls().unique().sort()
    if values.dtype.is_numeric() and len(levels) > MOST_LEVELS:  # a scale; missing values stand at its foot
        scaled = values.to_numpy().astype(float)
        low, high = np.nanmin(scaled), np.nanmax(scaled)
        logarithmic = low > 0 and high / low >= DECADES
        low, high, scaled = (np.log10(x) if logarithmic else x for x in (low, high, scaled))
        marks = np.linspace(low, high, 5)
        ticks = [(i / 4, f"{10**mark if logarithmic else mark:.3g}", 0.0) for i, mark in enumerate(marks)]
        return np.nan_to_num((scaled - low) / (high - low)), ticks
    shown = [(None, "none")] if values.null_count() else []
    shown += [(level, value_text(level)) for level in levels]
    width = min(SPREAD[0] / len(shown), SPREAD[1], SPREAD[2] * len(values))
    middles = {level: (i + 0.5) / len(shown) for i, (level, _) in enumerate(shown)}
    heights = np.array([middles[value] for value in values]) + (places - 0.5) * width
    return heights, [(middles[level], text, width) for level, text in shown]


def _objective_axis(values: np.ndarray, lower_is_better: bool) -> tuple[np.ndarray, Ticks]:
    """Return heights, higher for better, and ticks; what is far worse than most stands at the foot."""
    low, high = worthy_range(values, lower_is_better)
    worst, best = (high, low) if lower_is_better else (low, high)
    if worst == best:
        return np.full(len(values), 0.5), [(0.5, f"{best:.4f}", 0)]
    heights = (values - worst) / (best - worst)
    ticks = [(share, f"{worst + share * (best - worst):.4f}", 0.0) for share in (0, 0.25, 0.5, 0.75, 1)]
    if (heights < 0).any():
        ticks[0] = (0, ticks[0][1] + (" or more" if lower_is_better else " or less"), 0)
    return np.maximum(heights, 0), ticks


def _draw_axes(axes: Axes, names: list[str], ticks: list[Ticks]) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8}
    for i, marks in enumerate(ticks):
        axes.axvline(i, color="0.3", linewidth=0.8, zorder=3)
        for height, text, width in marks:
            ends = [height - width / 2, height + width / 2]
            axes.plot([i, i], ends, color="0.3", linewidth=4, zorder=3, solid_capstyle="butt")
            axes.text(i + 0.04, height, text, fontsize=8, va="center", bbox=box, zorder=5)
    axes.set(xlim=(-0.1, len(names) - 0.4), ylim=(-0.05, 1.05), yticks=[], xticks=range(len(names)))
    axes.set_xticklabels(names, fontsize=9)
    axes.tick_params(axis="x", length=0)
    axes.spines[:].set_visible(False)
