"""Draw the new reviews, and what a model answers to them, beside those of its test split."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from starcast.monitoring.drift import Drift
from starcast.reports.style import COLOURS, PALE

BINS = 20
LONGEST = 0.99  # quantile of the lengths at which their axis ends


def drift_figure(drift: Drift) -> Figure:
    """Draw the shares of the predicted ratings, and how confidence, length and unknown words are spread."""
    before, now = drift.before, drift.now
    figure = Figure(figsize=(10, 7.2), layout="constrained")
    (shares, confidence), (length, unknown) = figure.subplots(2, 2)
    _draw_shares(shares, drift)
    _draw_spread(confidence, before.confidences, now.confidences, (0, 1))
    confidence.set(title="Confidence", xlabel="probability of the chosen rating, 0 to 1")
    longest = max(float(np.quantile(each.lengths, LONGEST)) for each in (before, now)) + 1
    _draw_spread(length, before.lengths, now.lengths, (0, longest))
    length.set(title="Length", xlabel="words of a review")
    known = [each.unknown[~np.isnan(each.unknown)] for each in (before, now)]  # of reviews with words
    most = max((float(np.quantile(values, LONGEST)) for values in known if values.size), default=0.0)
    _draw_spread(unknown, 100 * before.unknown, 100 * now.unknown, (0, 100 * max(most, 0.01)))
    unknown.set(title="Unknown words", xlabel="words that no training review has, % of a review's")
    figure.legend(*shares.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


def _draw_shares(axes: Axes, drift: Drift) -> None:
    places, width = np.arange(len(drift.scale)), 0.4
    for i, (name, side) in enumerate((("test split", drift.before), ("new reviews", drift.now))):
        counts = np.bincount(side.predicted, minlength=len(places))
        bars = 100 * counts / counts.sum()
        hatch = "" if i == 0 else "//"
        label = f"{name} ({counts.sum():,})"
        axes.bar(
            places + (i - 0.5) * width,
            bars,
            width,
            label=label,
            color=COLOURS[i],
            hatch=hatch,
            edgecolor="white",
        )
    axes.set_xticks(places, drift.scale.names)
    axes.set(title="Predicted ratings", xlabel=f"predicted {drift.scale.noun}", ylabel="% of the reviews")
    axes.grid(axis="y", color="black", alpha=PALE)
    axes.set_axisbelow(True)


def _draw_spread(axes: Axes, before: np.ndarray, now: np.ndarray, ends: tuple[float, float]) -> None:
    edges = np.linspace(*ends, BINS + 1)
    for values, colour, style in ((before, COLOURS[0], "-"), (now, COLOURS[1], "--")):
        kept = values[~np.isnan(values)]
        counts, _ = np.histogram(np.minimum(kept, ends[1]), edges)
        axes.stairs(100 * counts / max(len(kept), 1), edges, color=colour, linestyle=style, linewidth=2)
    axes.set_ylabel("% of the reviews")
    axes.set_xlim(*ends)
    axes.set_ylim(bottom=0)
    axes.grid(color="black", alpha=PALE)
