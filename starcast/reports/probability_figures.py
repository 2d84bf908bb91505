"""Pictures of probabilities: whether they mean what they say, and what sure answers alone would be worth."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from starcast.evaluation.confidence import BINS, Coverage, Reliability, Threshold
from starcast.reports.drawing import INK, Panel, new_picture, round_ticks
from starcast.reports.style import COLOURS

WIDTH, HEIGHT = 560, 600
PERCENT = {value / 10: f"{value * 10}%" for value in range(0, 11, 2)}


def reliability_picture(reliabilities: Mapping[str, Reliability], title: str) -> Image.Image:
    """Return a reliability diagram with 95% intervals over a histogram of confidence.

    Args:
        reliabilities: of the same chosen ratings, by name, such as before and after calibration.
    """
    picture, pen = new_picture(WIDTH, HEIGHT)
    panel = Panel(picture, pen, (78, 92, WIDTH - 22, 412), (0, 1), (0, 1))
    panel.text(WIDTH / 2, 18, title, 14, "mm")
    panel.line([(0, 0), (1, 1)], INK, dashes=(5, 4))
    names = [f"{name}: calibration error {each.error:.3f}" for name, each in reliabilities.items()]
    panel.legend(names, 42)
    for i, each in enumerate(reliabilities.values()):
        points = list(zip(each.confidences.tolist(), each.accuracies.tolist(), strict=True))
        for x, *ends in zip(each.confidences.tolist(), *each.intervals, strict=True):
            panel.line([(x, float(ends[0])), (x, float(ends[1]))], COLOURS[i])
        panel.marks(points, i)
    panel.axes({}, PERCENT, ("", "share that is right"))
    most = max(float(each.counts.max() / each.counts.sum()) for each in reliabilities.values()) * 1.1
    below = Panel(picture, pen, (78, 436, WIDTH - 22, HEIGHT - 52), (0, 1), (0, most))
    width = 1 / BINS / (len(reliabilities) + 0.5)
    for i, each in enumerate(reliabilities.values()):
        lows = np.minimum((each.confidences * BINS).astype(int), BINS - 1) / BINS + i * width
        for low, share in zip(lows.tolist(), (each.counts / each.counts.sum()).tolist(), strict=True):
            below.bar(low, low + width, share, COLOURS[i])
    ticks = {tick: f"{tick:.0%}" for tick in round_ticks(most, 4)}
    below.axes(PERCENT, ticks, ("confidence: the probability of the chosen rating", "reviews"))
    return picture


def coverage_picture(curves: Mapping[str, Coverage], threshold: Threshold, title: str) -> Image.Image:
    """Return the accuracy of the surest ratings by their share of all, and where the threshold lies.

    Args:
        curves: by split, the one first on which the threshold was fitted.
    """
    picture, pen = new_picture(WIDTH, HEIGHT - 120)
    low = min(float(each.accuracies.min()) for each in curves.values())
    bottom = np.floor(min(low, threshold.accuracy) * 10) / 10
    panel = Panel(picture, pen, (78, 92, WIDTH - 22, HEIGHT - 172), (0, 1), (bottom, 1))
    panel.text(WIDTH / 2, 18, title, 14, "mm")
    panel.legend(list(curves), 42)
    panel.line([(0, threshold.accuracy), (1, threshold.accuracy)], INK, dashes=(5, 4))
    for i, each in enumerate(curves.values()):
        panel.line(list(zip(each.shares.tolist(), each.accuracies.tolist(), strict=True)), COLOURS[i])
        kept = np.flatnonzero(~threshold.below(each.confidences))
        if len(kept):
            panel.marks([(float(each.shares[kept[-1]]), float(each.accuracies[kept[-1]]))], i)
    ticks = {value: f"{value:.0%}" for value in np.arange(round(bottom * 10), 11) / 10}
    panel.axes(PERCENT, ticks, ("share of reviews that need no review", "share of these that are right"))
    return picture
