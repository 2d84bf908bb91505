"""Pictures of a data set: lengths of its reviews per rating, shares of the ratings per split."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from PIL import Image

from starcast.reports.drawing import Panel, new_picture, rating_bars, round_ticks

BINS = 30
WIDTH, HEIGHT = 290, 330  # of a histogram, in pixels
DASHES = ((2, 3), (7, 3), (7, 3, 2, 3))  # of the three quartiles


def length_picture(lengths: pl.DataFrame, title: str) -> Image.Image:
    """Return a histogram per rating of review lengths in characters, with lines at mean and quartiles.

    Args:
        lengths: how many `reviews` of each `rating` have how many `characters`.
    """
    picture, pen = new_picture(5 * WIDTH, HEIGHT)
    for place, rating in enumerate(range(1, 6)):
        rows = lengths.filter(pl.col("rating") == rating)
        values = np.repeat(rows["characters"].to_numpy(), rows["reviews"].to_numpy())
        counts, edges = np.histogram(values, BINS) if values.size else (np.zeros(BINS), np.arange(BINS + 1.0))
        box = (place * WIDTH + 50, 56, (place + 1) * WIDTH - 10, HEIGHT - 46)
        most = max(counts.max(), 1) * 1.05
        panel = Panel(picture, pen, box, (edges[0], edges[-1]), (0, most))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            panel.bar(low, high, count, "#9ecae1")
        if values.size:
            quartiles = zip(np.percentile(values, [25, 50, 75]), DASHES, strict=True)
            panel.reference_lines(
                [
                    (values.mean(), "#d62728", (), f"mean {values.mean():.0f}"),
                    *((value, "#1f4e79", dashes, f"quartile {value:.0f}") for value, dashes in quartiles),
                ]
            )
            x_ticks = {tick: f"{tick:,g}" for tick in round_ticks(edges[-1], 5) if tick >= edges[0]}
            y_ticks = {tick: f"{tick:,g}" for tick in round_ticks(most)}
        panel.axes(x_ticks if values.size else {}, y_ticks if values.size else {}, ("characters", ""))
        heading = f"{rating} star{'s' if rating > 1 else ''}: {values.size:,} reviews"
        panel.text((box[0] + box[2]) / 2, 44, heading, 13, "mm")
    panel.text(5 * WIDTH / 2, 16, title, 15, "mm")
    return picture


def split_picture(counts: Mapping[str, Sequence[int]]) -> Image.Image:
    """Return bars of the share of each rating in each split.

    Args:
        counts: split to its reviews per rating.
    """
    shares = {
        f"{name} ({sum(reviews):,})": np.array(reviews) / sum(reviews) for name, reviews in counts.items()
    }
    return rating_bars(
        shares, "{:.1%}".format, ("stars", "share of reviews"), "Shares of the ratings per split"
    )
