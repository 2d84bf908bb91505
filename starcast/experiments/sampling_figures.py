"""Study B's figures: score per sampling with the baseline as a red line; precision and recall per rating."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from starcast.evaluation.scores import matrix_scores
from starcast.experiments.sampling_effects import NOTHING, SamplingScores
from starcast.reports.style import COLOURS, MARKS, WIDTH

BASELINE = ("logistic_regression", "class_weight", "argmax")  # study B's
RED = "#C1121F"
MORE_COLOURS = ("0.55", *COLOURS, "#F0E442", "#7F3C8D")  # grey: no sampling


def score_figure(scored: SamplingScores) -> Figure:
    """Draw a panel per family: score against sampling, a line per decision, 95% confidence intervals."""
    families, decisions = scored.families, scored.decisions
    nothing = scored.find(families[0], NOTHING, decisions[0])
    baseline = scored.find(*BASELINE) or nothing or scored.systems[0]
    name = f"baseline: {baseline.family}, {baseline.sampling}, {baseline.decision}"
    figure = Figure(figsize=(max(WIDTH, 4.6 * len(families)), 5), layout="constrained")
    panels = figure.subplots(1, len(families), sharey=True, squeeze=False)[0]
    for axes, family in zip(panels, families, strict=True):
        samplings = [system.sampling for system in scored.of(decisions[0], family)]
        places = np.arange(len(samplings))
        for i, decision in enumerate(decisions):
            found = [scored.score(system) for system in scored.of(decision, family)]
            values = [estimate.value for estimate in found]
            ends = np.array([[e.value - e.low for e in found], [e.high - e.value for e in found]]).clip(min=0)
            shift = 0.12 * (i - (len(decisions) - 1) / 2)  # so that intervals do not overlap
            look: dict[str, Any] = {"color": COLOURS[i % len(COLOURS)], "marker": MARKS[i % len(MARKS)]}
            look |= {"label": f"decision {decision}", "markersize": 5, "linewidth": 1, "capsize": 2}
            axes.errorbar(places + shift, values, ends, **look)
        axes.set_xticks(places, samplings, rotation=30, ha="right")
        axes.grid(axis="y", color="black", alpha=0.1)
        axes.set_axisbelow(True)
        axes.axhline(baseline.draws.values[scored.metric], color=RED, linewidth=1.5, label=name, zorder=1)
        axes.set_title(family, fontsize=11)
    panels[0].set_ylabel(f"test {scored.metric}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=9)
    return figure


def rating_figure(scored: SamplingScores, family: str) -> Figure:
    """Draw bars of a family's precision and recall per rating under the main decision, a bar per sampling."""
    systems, decision = scored.of(scored.decisions[0], family), scored.decisions[0]
    scale = scored.scale
    ranks = np.arange(1, len(scale) + 1)
    figure = Figure(figsize=(WIDTH * max(1, len(scale) / 10), 6.4), layout="constrained")
    panels = figure.subplots(2, 1)
    width = 0.86 / len(systems)
    for axes, score in zip(panels, ("precision", "recall"), strict=True):
        for i, system in enumerate(systems):
            scores = matrix_scores(system.matrix(scored.ratings), scale)
            heights = [float(scores.get(f"{score}_{rating}", np.nan)) for rating in scale.keys]
            place = ranks + (i - (len(systems) - 1) / 2) * width
            colour = MORE_COLOURS[i % len(MORE_COLOURS)]
            axes.bar(place, heights, width, color=colour, label=system.sampling)
        whose = "true" if score == "recall" else "predicted"
        axes.set(xlabel=f"{whose} {scale.noun}", ylim=(0, 1), ylabel=score)
        axes.set_xticks(ranks, scale.names)
        axes.grid(axis="y", color="black", alpha=0.1)
        axes.set_axisbelow(True)
    figure.suptitle(f"{family}, decision {decision}", fontsize=11)
    shown = panels[0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside lower center", ncols=4, fontsize=9)
    return figure
