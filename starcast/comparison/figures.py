"""Figures of a comparison: scores with their intervals, costs, and learning curves over the epochs."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from starcast.comparison.ranking import Comparison, RankedSystem
from starcast.comparison.systems import System
from starcast.models.catalogue import reports_of
from starcast.reports.style import COLOURS, MARKS, PALE, WIDTH, amount
from starcast.reports.table import cut_apart

CURVES = 6  # systems, as many as there are colours
NAMED = 45  # characters of a name


def score_figure(comparison: Comparison) -> Figure:
    """Draw a dot with its 95% interval per system, the best on top, with colours and markers by family."""
    placed, looks = comparison.placed, _looks(comparison)
    figure = Figure(figsize=(WIDTH, 1.2 + 0.26 * len(placed)), layout="constrained")
    axes = figure.subplots()
    for i, each in enumerate(placed):
        axes.errorbar(each.value, i, xerr=_reach(each), capsize=2, **looks[each.system.get("family")])
    axes.set_yticks(range(len(placed)), cut_apart([each.system.name for each in placed], NAMED))
    axes.set(ylim=(len(placed) - 0.4, -0.6), xlabel=f"{comparison.split} {comparison.metric}")
    _finish(figure, axes, looks)
    return figure


def cost_figure(comparison: Comparison) -> Figure:
    """Plot the score against the seconds of a fit and, if known, against the number of parameters."""
    costs = {"seconds of a fit": [each.system.seconds for each in comparison.placed]}
    if any(each.system.parameters for each in comparison.placed):
        costs["trained parameters"] = [each.system.parameters or 0.0 for each in comparison.placed]
    figure, looks = Figure(figsize=(WIDTH, 3.6), layout="constrained"), _looks(comparison)
    panels = figure.subplots(1, len(costs), sharey=True, squeeze=False)[0]
    for axes, (label, paid) in zip(panels, costs.items(), strict=True):
        for cost, each in zip(paid, comparison.placed, strict=True):
            if cost:
                look = looks[each.system.get("family")]
                axes.errorbar(cost, each.value, yerr=_reach(each), capsize=2, **look)
        axes.set(xscale="log", xlabel=label)
        low, high = axes.get_xlim()
        # Below two decades, powers of ten alone leave an axis without numbers; above, more ticks overlap.
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
        axes.xaxis.set_major_formatter(lambda value, _: amount(value))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(color="black", alpha=PALE)
    panels[0].set_ylabel(f"{comparison.split} {comparison.metric}")
    _finish(figure, panels[0], looks)
    return figure


def curve_systems(comparison: Comparison) -> list[System]:
    """Return the best systems with a fit that was scored several times, at most `CURVES`."""
    return [each.system for each in comparison.placed if any(run.curve for run in each.system.runs)][:CURVES]


def curves_figure(comparison: Comparison) -> Figure:
    """Plot the validation scores by epoch of the best systems with several, a line per fit.

    A transformer has several scores in an epoch.
    """
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    systems = curve_systems(comparison)
    names = cut_apart([system.name for system in systems], NAMED)
    for system, name, colour, mark in zip(systems, names, COLOURS, MARKS, strict=False):
        curves = [run.curve for run in system.runs if run.curve]
        reports = reports_of(system.get("family"))
        for i, curve in enumerate(curves):
            label, epochs = "_" if i else name, np.array(list(curve)) / reports
            axes.plot(epochs, list(curve.values()), color=colour, marker=mark, markersize=5, label=label)
    axes.set(xlabel="epoch", ylabel=f"val {comparison.metric}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="black", alpha=PALE)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure


def _looks(comparison: Comparison) -> dict[str, dict[str, Any]]:
    """Return the colour and marker of each family, in the order of their best systems."""
    families = dict.fromkeys(each.system.get("family") for each in comparison.placed)
    looks = ({"color": c, "marker": m, "linestyle": ""} for c, m in zip(COLOURS, MARKS, strict=True))
    return dict(zip(families, cycle(looks), strict=False))


def _reach(placed: RankedSystem) -> list[list[float]] | None:
    """Return how far the interval reaches below and above the score, which may lie outside it."""
    if placed.interval is None:
        return None
    low, high = placed.interval
    return [[max(placed.value - low, 0.0)], [max(high - placed.value, 0.0)]]


def _finish(figure: Figure, axes: Axes, looks: Mapping[str, dict[str, Any]]) -> None:
    """Draw a pale grid, and a legend if there are several families."""
    axes.grid(color="black", alpha=PALE)
    axes.set_axisbelow(True)
    if len(looks) > 1:
        marks = [axes.plot([], [], **look)[0] for look in looks.values()]
        columns: dict[str, Any] = {"loc": "outside upper center", "ncols": len(looks)}
        figure.legend(marks, list(looks), fontsize=9, frameon=False, **columns)
