"""Figures of learning curves: score against reviews with fitted power laws, and the cost of a fit."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from starcast.experiments.learning_curves import LearningCurves
from starcast.experiments.power_law import BEYOND
from starcast.reports.style import COLOURS, MARKS, PALE, WIDTH, amount


def score_figure(found: LearningCurves) -> Figure:
    """Draw the score against reviews, a line per family with 95% confidence intervals.

    The thin line is the power law; beyond the largest size it is dashed, with a 95% band, and marked as
    extrapolated.
    """
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    axes, most = figure.subplots(), found.curves[0].last.reviews
    for curve, colour, mark in zip(found.curves, cycle(COLOURS), cycle(MARKS), strict=False):
        trend, sizes = curve.trend, [point.reviews for point in curve.points]
        values, low, high = np.array([(p.score.value, p.score.low, p.score.high) for p in curve.points]).T
        reach = np.maximum([values - low, high - values], 0)  # an interval need not contain the score itself
        look: dict[str, Any] = {"color": colour, "marker": mark, "linestyle": "" if trend else "-"}
        axes.errorbar(sizes, values, reach, capsize=3, label=curve.family, **look)
        if trend:
            measured = np.geomspace(sizes[0], sizes[-1], 100)
            axes.plot(measured, trend.at(measured), color=colour, linewidth=1)
        if trend and trend.beyond:
            beyond = np.geomspace(sizes[-1], BEYOND * sizes[-1], 100)
            axes.plot(beyond, trend.at(beyond), color=colour, linewidth=1.3, linestyle="--", alpha=0.6)
            axes.fill_between(beyond, *trend.interval(beyond), color=colour, alpha=PALE, linewidth=0)
    axes.set(xscale="log", xlabel="training reviews", ylabel=f"test {found.metric}")
    if any(curve.trend and curve.trend.beyond for curve in found.curves):
        axes.axvline(most, color="black", alpha=0.3, linewidth=1, linestyle=":")
        foot = axes.get_xaxis_transform()
        axes.text(1.05 * most, 0.02, "extrapolated", transform=foot, fontsize=9, style="italic")
    _finish(figure, [axes])
    return figure


def cost_figure(found: LearningCurves) -> Figure:
    """Draw seconds and peak memory of a fit against reviews, a line per family, both axes logarithmic."""
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
    facts = {"seconds": "seconds of a fit", "peak_memory_mb": "peak memory of a fit, MB"}
    for axes, (fact, label) in zip(panels, facts.items(), strict=True):
        for curve, colour, mark in zip(found.curves, cycle(COLOURS), cycle(MARKS), strict=False):
            sizes, means = zip(*((point.reviews, point.mean(fact)) for point in curve.points), strict=True)
            axes.plot(sizes, means, color=colour, marker=mark, label=curve.family)
        axes.set(xscale="log", yscale="log", xlabel="training reviews", ylabel=label)
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.5, high * 1.5)  # so that a cost that hardly changes looks flat
    _finish(figure, panels)
    return figure


def _finish(figure: Figure, panels: Sequence[Axes]) -> None:
    """Add a legend, a pale grid and readable numbers on logarithmic axes."""
    for axes in panels:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                low, high = axis.get_view_interval()
                # Below two decades, ticks at powers of ten alone leave an axis without numbers.
                axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
                axis.set_major_formatter(lambda value, _: amount(value))
                axis.set_minor_formatter(NullFormatter())
        axes.grid(color="black", alpha=PALE)
        axes.set_axisbelow(True)
    names = panels[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside upper center", ncols=3, fontsize=9, frameon=False)
