"""Figures of learning curves: score against reviews with fitted power laws, and the cost of a fit."""

from collections.abc import Iterable, Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from starcast.experiments.learning_curves import Curve, LearningCurves
from starcast.experiments.power_law import BEYOND
from starcast.reports.style import COLOURS, MARKS, PALE, WIDTH, amount


def score_figure(found: LearningCurves) -> Figure:
    """Draw the score against reviews, a line per family with 95% confidence intervals.

    A thin line is the power law; beyond the most reviews it is dashed, with its 95% band, and marked as
    extrapolated.
    """
    figure = Figure(figsize=(WIDTH, 4.8), layout="constrained")
    axes = figure.subplots()
    for curve, colour, mark in _looks(found.curves):
        scores = [point.score for point in curve.points]
        values = np.array([score.value for score in scores])
        # A percentile interval need not contain the score itself.
        reach = np.maximum(
            [values - [score.low for score in scores], [score.high for score in scores] - values], 0
        )
        line = "" if curve.trend else "-"
        sizes, name = _sizes(curve), curve.family
        axes.errorbar(sizes, values, reach, capsize=3, label=name, color=colour, marker=mark, linestyle=line)
        _draw_trend(axes, curve, colour)
    axes.set(xscale="log", xlabel="training reviews", ylabel=f"test {found.metric}")
    if any(curve.trend and curve.trend.beyond for curve in found.curves):
        _mark_beyond(axes, found.curves[0].last.reviews)
    _finish([axes])
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9, frameon=False
    )
    return figure


def _draw_trend(axes: Axes, curve: Curve, colour: str) -> None:
    if curve.trend is None:
        return
    measured = np.geomspace(curve.points[0].reviews, curve.last.reviews, 100)
    axes.plot(measured, curve.trend.at(measured), color=colour, linewidth=1)
    if curve.trend.beyond:
        beyond = np.geomspace(curve.last.reviews, BEYOND * curve.last.reviews, 100)
        axes.plot(beyond, curve.trend.at(beyond), color=colour, linewidth=1.3, linestyle="--", alpha=0.6)
        axes.fill_between(beyond, *curve.trend.interval(beyond), color=colour, alpha=PALE, linewidth=0)


def _mark_beyond(axes: Axes, most: int) -> None:
    axes.axvline(most, color="black", alpha=0.3, linewidth=1, linestyle=":")
    axes.text(
        1.05 * most, 0.02, "extrapolated", transform=axes.get_xaxis_transform(), fontsize=9, style="italic"
    )


def cost_figure(found: LearningCurves) -> Figure:
    """Draw seconds and peak memory of a fit against reviews, a line per family, both axes logarithmic."""
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    panels = figure.subplots(1, 2, gridspec_kw={"wspace": 0.06})
    facts = {"seconds": "seconds of a fit", "peak_memory_mb": "peak memory of a fit, MB"}
    for axes, (fact, label) in zip(panels, facts.items(), strict=True):
        for curve, colour, mark in _looks(found.curves):
            means = [point.mean(fact) for point in curve.points]
            axes.plot(_sizes(curve), means, color=colour, marker=mark, label=curve.family)
        axes.set(xscale="log", yscale="log", xlabel="training reviews", ylabel=label)
        low, high = axes.get_ylim()
        axes.set_ylim(low / 1.5, high * 1.5)  # so that a cost that hardly changes looks flat
    _finish(panels)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=9, frameon=False
    )
    return figure


def _sizes(curve: Curve) -> list[int]:
    return [point.reviews for point in curve.points]


def _looks(curves: Iterable[Curve]) -> Iterator[tuple[Curve, str, str]]:
    """Yield each curve with its colour and mark."""
    for i, curve in enumerate(curves):
        yield curve, COLOURS[i % len(COLOURS)], MARKS[i % len(MARKS)]


def _finish(panels: Iterable[Axes]) -> None:
    """Add a pale grid and readable numbers on logarithmic axes."""
    for axes in panels:
        for axis in (axes.xaxis, axes.yaxis):
            if axis.get_scale() == "log":
                low, high = axis.get_view_interval()
                # Over less than two decades powers of ten alone leave an axis without numbers.
                axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
                axis.set_major_formatter(lambda value, _: amount(value))
                axis.set_minor_formatter(NullFormatter())
        axes.grid(color="black", alpha=PALE)
        axes.set_axisbelow(True)
