"""Study A's exploration figures: lengths of reviews per rating, shares of the ratings per split."""

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from steps.reviews.check import RATINGS

BINS = 30


def length_figure(lengths: pl.Series, ratings: pl.Series, title: str) -> Figure:
    """One histogram per rating of review lengths in characters, with lines at the mean and the three quartiles."""
    figure = Figure(figsize=(16, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, rating in zip(figure.subplots(1, len(RATINGS)), RATINGS, strict=True):
        _histogram(axes, lengths.filter(ratings == rating).to_numpy(), rating)
    return figure


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


def share_figure(splits: dict[str, pl.DataFrame]) -> Figure:
    """Bars of the share of each rating in each split."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(splits)
    for i, (name, table) in enumerate(splits.items()):
        shares = [float((table["rating"] == rating).to_numpy().mean()) for rating in RATINGS]
        bars = axes.bar(np.array(RATINGS) + (i - 1) * width, shares, width, label=f"{name} ({table.height:,})")
        axes.bar_label(bars, fmt=lambda share: f"{share:.1%}", fontsize=7)
    axes.set(xlabel="stars", ylabel="share of reviews", title="Shares of the ratings per split")
    axes.legend()
    return figure


def length_summary(lengths: pl.Series) -> dict[str, float]:
    """Mean, standard deviation, extremes and quartiles of lengths in characters."""
    values = lengths.to_numpy().astype(float)
    names = ("min", "q1", "median", "q3", "max")
    ends = dict(zip(names, np.percentile(values, [0, 25, 50, 75, 100]).tolist(), strict=True))
    return {"mean": float(values.mean()), "std": float(values.std(ddof=1)), **ends}
