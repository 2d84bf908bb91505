"""Study A's pictures: confusion matrices and shares of the ratings."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from starcast.evaluation.scores import matrix_scores

STARS = np.arange(1, 6)
NAMES = {"train": "train", "val": "validation", "test": "test"}


def confusion_figure(matrices: dict[str, np.ndarray]) -> Figure:
    """Confusion matrices side by side, one per split or model: colour and first line the share of the row, second line counts."""
    figure = Figure(figsize=(5.2 * len(matrices), 5), layout="constrained")
    axes = figure.subplots(1, len(matrices), squeeze=False)[0]
    for ax, (split, matrix) in zip(axes, matrices.items(), strict=True):
        _draw_matrix(ax, matrix, NAMES.get(split, split))
    return figure


def _draw_matrix(axes: Axes, matrix: np.ndarray, name: str) -> None:
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(5):
        for j in range(5):
            colour = "white" if shares[i, j] > 0.5 else "black"
            cell = f"{shares[i, j]:.0%}\n{matrix[i, j]:,}"
            axes.text(j, i, cell, ha="center", va="center", color=colour, fontsize=9)
    scores = {key: float(value) for key, value in matrix_scores(matrix).items()}
    axes.set_title(
        f"{name}, {matrix.sum():,} reviews\nweighted F1 {scores['f1_weighted']:.3f}, "
        f"recall {scores['recall_weighted']:.3f}, precision {scores['precision_weighted']:.3f}",
        fontsize=10,
    )
    axes.set(xlabel="predicted stars", ylabel="true stars", xticks=range(5), yticks=range(5))
    axes.set_xticklabels(STARS)
    axes.set_yticklabels(STARS)


def share_figure(answers: dict[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Bars of the share of each rating, true and predicted, per split.

    Args:
        answers: split to (true, predicted), as index 0-4.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    bars = [
        (f"{NAMES[split]}, {kind}", values)
        for split, pair in answers.items()
        for kind, values in zip(("true", "predicted"), pair, strict=True)
    ]
    width = 0.8 / len(bars)
    for i, (label, values) in enumerate(bars):
        shares = np.bincount(values, minlength=5) / len(values)
        drawn = axes.bar(STARS + (i - (len(bars) - 1) / 2) * width, shares, width, label=label)
        axes.bar_label(drawn, fmt=lambda share: f"{share:.0%}", fontsize=7)
    axes.set(xlabel="stars", ylabel="share of reviews", title="Shares of the ratings, true and predicted")
    axes.legend()
    return figure


def class_count_figure(before: np.ndarray, after: np.ndarray) -> Figure:
    """Bars of the training rows per rating, before and after sampling."""
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for side, (name, counts) in zip((-1, 1), (("before", before), ("after", after)), strict=True):
        drawn = axes.bar(STARS + side * 0.2, counts, 0.4, label=f"{name}: {counts.sum():,} rows")
        axes.bar_label(drawn, labels=[f"{count:,}" for count in counts], fontsize=7)
    axes.set(xlabel="stars", ylabel="rows", title="Training rows per rating, before and after sampling")
    axes.legend()
    return figure
