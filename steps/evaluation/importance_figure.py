"""A picture of how much each setting matters, with what one needs to know before believing it."""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, PALE = "#0072B2", "0.8"
# With settings and objectives drawn at random, R² passes 0.2 in about one family of twenty with 8 to 12 trials, hardly with 40.
WEAK_R2 = 0.2
FEW_TRIALS = 20
HEAD = (
    "How much each setting matters: shares of what a random forest has learned\n"
    "R²: how well it tells the standing of trials it has not seen; 1: exactly, 0 or less: not at all"
)


def importance_figure(importance: pl.DataFrame, left_out: list[str]) -> Figure:
    """Bars of each setting's share per family, pale where the forest tells little; below them, what is missing and why.

    Args:
        importance: of `setting_importance`.
        left_out: of `left_out`.
    """
    parts = importance.partition_by("family", maintain_order=True)
    heights = [0.9 + 0.24 * part.height for part in parts]
    figure = Figure(figsize=(7.5, 0.8 + sum(heights) + 0.17 * (len(left_out) + 1)), layout="constrained")
    figure.suptitle(HEAD if parts else "How much each setting matters: no family has enough trials to tell", fontsize=10)
    if parts:
        panels = figure.subplots(len(parts), squeeze=False, height_ratios=heights, sharex=True).ravel()
        for axes, part in zip(panels, parts, strict=True):
            _draw_bars(axes, part)
    if left_out:
        figure.supxlabel("\n".join(["Left out:", *left_out]), fontsize=9, x=0.01, ha="left")
    return figure


def _draw_bars(axes: Axes, part: pl.DataFrame) -> None:
    family, quality, trials = part.select("family", "oob_r2", "trials").row(0)
    weak = quality < WEAK_R2 or not part["importance"].sum()
    bars = axes.barh(part["setting"].to_list(), part["importance"].to_list(), color=PALE if weak else BLUE)
    axes.bar_label(bars, fmt=lambda share: f"{share:.0%}", fontsize=8, padding=2)
    axes.set(xlim=(0, 1.08), ylim=(part.height - 0.4, -0.6), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    hint = "; few trials: a hint at best" if trials < FEW_TRIALS else ""
    warning = "; too low: the shares mean little" if weak else hint
    axes.set_title(f"{family}: {trials} trials, out-of-bag R² {quality:z.2f}{warning}", fontsize=10, loc="left")
