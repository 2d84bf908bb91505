"""Study B's figures: score per sampling with the baseline as a red line; precision and recall per rating."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from starcast.evaluation.paired import Estimate
from starcast.reports.style import COLOURS, MARKS

STARS = np.arange(1, 6)
RED = "#C1121F"
MORE_COLOURS = ("0.55", *COLOURS, "#F0E442", "#7F3C8D")  # grey: no sampling


def score_figure(
    families: Mapping[str, Mapping[str, Mapping[str, Estimate]]], metric: str, baseline: tuple[str, float]
) -> Figure:
    """Draw a panel per family: score against sampling, a line per decision, 95% confidence intervals.

    Args:
        families: family to decision to sampling to score.
        baseline: name and score of the red line.
    """
    figure = Figure(figsize=(max(8.4, 5.6 * len(families)), 5), layout="constrained")
    panels = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for axes, (family, decisions) in zip(panels, families.items(), strict=True):
        _draw_family(axes, decisions)
        axes.axhline(baseline[1], color=RED, linewidth=1.5, label=baseline[0], zorder=1)
        axes.set_title(family, fontsize=11)
    panels[0].set_ylabel(f"test {metric}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _draw_family(axes: Axes, decisions: Mapping[str, Mapping[str, Estimate]]) -> None:
    samplings = list(next(iter(decisions.values())))
    places = np.arange(len(samplings))
    for i, (decision, estimates) in enumerate(decisions.items()):
        found = [estimates[sampling] for sampling in samplings]
        values = np.array([estimate.value for estimate in found])
        ends = np.array([[e.value - e.low for e in found], [e.high - e.value for e in found]]).clip(min=0)
        shift = 0.12 * (i - (len(decisions) - 1) / 2)  # so that intervals do not overlap
        axes.errorbar(
            places + shift,
            values,
            ends,
            label=f"decision {decision}",
            color=COLOURS[i % len(COLOURS)],
            marker=MARKS[i % len(MARKS)],
            markersize=5,
            linewidth=1,
            capsize=2,
        )
    axes.set_xticks(places, samplings, rotation=30, ha="right")
    axes.grid(axis="y", color="black", alpha=0.1)
    axes.set_axisbelow(True)


def rating_figure(sides: Mapping[str, Mapping[str, np.ndarray]], title: str) -> Figure:
    """Draw bars of precision and recall per rating, a bar per sampling.

    Args:
        sides: sampling to scores by name, including `precision_1` to `recall_5`.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    width = 0.86 / len(sides)
    for axes, score in zip(panels, ("precision", "recall"), strict=True):
        for i, (sampling, scores) in enumerate(sides.items()):
            heights = [float(scores[f"{score}_{rating}"]) for rating in STARS]
            place = STARS + (i - (len(sides) - 1) / 2) * width
            axes.bar(place, heights, width, color=MORE_COLOURS[i % len(MORE_COLOURS)], label=sampling)
        axes.set(xlabel="true stars" if score == "recall" else "predicted stars", ylim=(0, 1), title=score)
        axes.grid(axis="y", color="black", alpha=0.1)
        axes.set_axisbelow(True)
    figure.suptitle(title, fontsize=11)
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(sides), fontsize=9
    )
    return figure
