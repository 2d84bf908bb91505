"""Study A's exploration figures: lengths of reviews per rating, shares of the ratings per split."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from starcast.reviews.check import RATINGS

BINS = 30


def length_figure(lengths: pl.DataFrame, title: str) -> Figure:
    """One histogram per rating of review lengths in characters, with lines at the mean and the three quartiles.

    Args:
        lengths: how many `reviews` of each `rating` have how many `characters`.
    """
    figure = Figure(figsize=(16, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, rating in zip(figure.subplots(1, len(RATINGS)), RATINGS, strict=True):
        _histogram(axes, _of_each_review(lengths.filter(pl.col("rating") == rating)), rating)
    return figure


def _of_each_review(lengths: pl.DataFrame) -> np.ndarray:
    return np.repeat(lengths["characters"].to_numpy(), lengths["reviews"].to_numpy())


def _histogram(axes: Axes, lengths: np.ndarray, rating: int) -> None:
    axes.set_title(f"{rating} star{'s' if rating > 1 else ''}: {lengths.size:,} reviews", fontsize=10)
    axes.set_xlabel("characters")
    if not lengths.size:
        return
    axes.hist(lengths, bins=BINS, color="#9ecae1")
    axes.axvline(lengths.mean(), color="#d62728", label=f"mean {lengths.mean():.0f}")
    for quartile, style in zip(np.percentile(lengths, [25, 50, 75]), (":", "--", "-."), strict=True):
        axes.axvline(quartile, color="#1f4e79", linestyle=style, label=f"quartile {quartile:.0f}")
    axes.legend(fontsize=7)


def share_figure(counts: Mapping[str, Sequence[int]]) -> Figure:
    """Bars of the share of each rating in each split, whose reviews per rating are given."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(counts)
    for i, (name, reviews) in enumerate(counts.items()):
        shares = np.array(reviews) / sum(reviews)
        bars = axes.bar(
            np.array(RATINGS) + (i - 1) * width, shares, width, label=f"{name} ({sum(reviews):,})"
        )
        axes.bar_label(bars, fmt=lambda share: f"{share:.1%}", fontsize=7)
    axes.set(xlabel="stars", ylabel="share of reviews", title="Shares of the ratings per split")
    axes.legend()
    return figure


def length_summary(lengths: pl.DataFrame) -> dict[str, float]:
    """Mean, standard deviation, extremes and quartiles of lengths in characters, counted as for `length_figure`."""
    values = _of_each_review(lengths).astype(float)
    names = ("min", "q1", "median", "q3", "max")
    ends = dict(zip(names, np.percentile(values, [0, 25, 50, 75, 100]).tolist(), strict=True))
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)), **ends}
