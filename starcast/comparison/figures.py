"""Pictures of a comparison: scores with their intervals, what they cost, how they grew over the epochs."""

from collections.abc import Callable
from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from starcast.comparison.ranking import Comparison, RankedSystem
from starcast.comparison.systems import System
from starcast.reports.style import COLOURS, MARKS, PALE, WIDTH, amount

CURVES = 6  # systems, as many as there are colours
NAMED = 45  # letters of a name


def score_figure(comparison: Comparison) -> Figure:
    """A dot with its 95% interval per system, the best on top, colours and marks by family."""
    placed = comparison.placed
    figure = Figure(figsize=(WIDTH, 1.2 + 0.26 * len(placed)), layout="constrained")
    axes = figure.subplots()
    for family, (colour, mark) in _looks(comparison).items():
        for i, each in enumerate(placed):
            if each.system.get("family") == family:
                axes.errorbar(
                    each.value, i, xerr=_reach(each), capsize=2, linestyle="", color=colour, marker=mark
                )
    axes.set_yticks(range(len(placed)), [_short(each.system.name) for each in placed])
    axes.set(ylim=(len(placed) - 0.4, -0.6), xlabel=f"{comparison.split} {comparison.metric}")
    _finish(figure, axes, comparison)
    return figure


def cost_figure(comparison: Comparison) -> Figure:
    """The score against the seconds of a fit and, where known, against the number of trained parameters."""
    sized = any(each.system.parameters for each in comparison.placed)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    panels = figure.subplots(1, 2 if sized else 1, sharey=True, squeeze=False)[0]
    _draw_cost(panels[0], comparison, lambda system: system.seconds, "seconds of a fit")
    if sized:
        _draw_cost(panels[1], comparison, lambda system: system.parameters, "trained parameters")
    panels[0].set_ylabel(f"{comparison.split} {comparison.metric}")
    _finish(figure, panels[0], comparison)
    return figure


def _draw_cost(
    axes: Axes, comparison: Comparison, cost: Callable[[System], float | None], label: str
) -> None:
    for family, (colour, mark) in _looks(comparison).items():
        for each in comparison.placed:
            paid = cost(each.system)
            if each.system.get("family") == family and paid:
                axes.errorbar(
                    paid, each.value, yerr=_reach(each), capsize=2, linestyle="", color=colour, marker=mark
                )
    axes.set(xscale="log", xlabel=label)
    low, high = axes.get_xlim()
    # Over less than two decades powers of ten alone leave an axis without numbers; over more, others would overlap.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.xaxis.set_major_formatter(lambda value, _: amount(value))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(color="black", alpha=PALE)


def curve_systems(comparison: Comparison) -> list[System]:
    """The best systems of which a fit had several epochs, at most `CURVES`."""
    return [each.system for each in comparison.placed if any(run.curve for run in each.system.runs)][:CURVES]


def curves_figure(comparison: Comparison) -> Figure:
    """The validation score after every epoch of the best systems that have epochs, a line per fit."""
    figure = Figure(figsize=(WIDTH, 4), layout="constrained")
    axes = figure.subplots()
    for system, colour, mark in zip(curve_systems(comparison), COLOURS, MARKS, strict=False):
        curves = [run.curve for run in system.runs if run.curve]
        for i, curve in enumerate(curves):
            label = "_" if i else _short(system.name)
            axes.plot(list(curve), list(curve.values()), color=colour, marker=mark, markersize=5, label=label)
    axes.set(xlabel="epoch", ylabel=f"val {comparison.metric}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color="black", alpha=PALE)
    figure.legend(loc="outside upper center", ncols=2, fontsize=9, frameon=False)
    return figure


def _looks(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Colour and mark of each family, in the order of their best systems."""
    families = dict.fromkeys(each.system.get("family") for each in comparison.placed)
    return dict(zip(families, cycle(zip(COLOURS, MARKS, strict=True)), strict=False))


def _reach(placed: RankedSystem) -> list[list[float]] | None:
    """How far the interval reaches below and above the score; a percentile interval need not hold the score itself."""
    if placed.interval is None:
        return None
    low, high = placed.interval
    return [[max(placed.value - low, 0.0)], [max(high - placed.value, 0.0)]]


def _finish(figure: Figure, axes: Axes, comparison: Comparison) -> None:
    """A pale grid, and a legend of the families where there are several."""
    axes.grid(color="black", alpha=PALE)
    axes.set_axisbelow(True)
    looks = _looks(comparison)
    if len(looks) > 1:
        marks = [
            axes.plot([], [], color=colour, marker=mark, linestyle="")[0] for colour, mark in looks.values()
        ]
        figure.legend(
            marks, list(looks), loc="outside upper center", ncols=len(looks), fontsize=9, frameon=False
        )


def _short(name: str) -> str:
    return name if len(name) <= NAMED else f"{name[: NAMED - 9]}...{name[-6:]}"
