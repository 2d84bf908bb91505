"""Pictures of a data set (review lengths, shares of the ratings), of confusion matrices and of sampling."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from PIL import Image

from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import matrix_scores
from starcast.reports.drawing import INK, PAPER, Line, Panel, font, new_picture, rating_bars, round_ticks

BINS = 30
DASHES = ((2, 3), (7, 3), (7, 3, 2, 3))  # for the three quartiles
HISTOGRAM = 290, 330  # width and height in pixels
IN_A_ROW = 5  # histograms
CELL, WIDTH, HEIGHT, LEFT, TOP = 76, 470, 500, 62, 60  # of a matrix, in pixels
DARK = 0.72  # share from which white text has more contrast with a cell's blue than black, at least 4.5:1
NAMES = {"train": "train", "val": "validation", "test": "test"}
# ColorBrewer's "Blues", for shares from 0 to 1.
BLUES = np.array(
    [
        *((247, 251, 255), (222, 235, 247), (198, 219, 239), (158, 202, 225), (107, 174, 214)),
        *((66, 146, 198), (33, 113, 181), (8, 81, 156), (8, 48, 107)),
    ]
)


def length_picture(lengths: pl.DataFrame, title: str, scale: Scale = STARS) -> Image.Image:
    """Return a histogram per rating of review lengths in characters, with lines at mean and quartiles.

    Args:
        lengths: how many `reviews` of each `rating` (rank from 1) have how many `characters`.
    """
    width, height = HISTOGRAM
    columns, rows_needed = min(len(scale), IN_A_ROW), -(-len(scale) // IN_A_ROW)
    picture, pen = new_picture(columns * width, rows_needed * height)
    for place in range(len(scale)):
        rows = lengths.filter(pl.col("rating") == place + 1)
        values = np.repeat(rows["characters"].to_numpy(), rows["reviews"].to_numpy())
        counts, edges = np.histogram(values, BINS) if values.size else (np.zeros(BINS), np.arange(BINS + 1.0))
        row, column = divmod(place, IN_A_ROW)
        top = row * height
        box = (column * width + 62, top + 56, (column + 1) * width - 10, top + height - 46)
        most = max(counts.max(), 1) * 1.05
        panel = Panel(picture, pen, box, (edges[0], edges[-1]), (0, most))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            panel.bar(low, high, count, "#9ecae1")
        x_ticks, y_ticks = {}, {}
        if values.size:
            lines: list[Line] = [(values.mean(), "#d62728", (), f"mean {values.mean():.0f}")]
            for value, dashes in zip(np.percentile(values, [25, 50, 75]), DASHES, strict=True):
                lines.append((value, "#1f4e79", dashes, f"quartile {value:.0f}"))
            panel.reference_lines(lines)
            x_ticks = {tick: f"{tick:,g}" for tick in round_ticks(edges[-1], 5) if tick >= edges[0]}
            y_ticks = {tick: f"{tick:,g}" for tick in round_ticks(most)}
        panel.axes(x_ticks, y_ticks, ("characters", "" if place % IN_A_ROW else "reviews"))
        heading = f"{scale.said(place)}: {values.size:,} reviews"
        panel.text((box[0] + box[2]) / 2, top + 44, heading, 13, "mm")
    panel.text(columns * width / 2, 16, title, 15, "mm")
    return picture


def split_picture(counts: Mapping[str, Sequence[int]], scale: Scale = STARS) -> Image.Image:
    """Return bars of the share of each rating in each split.

    Args:
        counts: split to its reviews per rating.
    """
    shares = {f"{name} ({sum(rows):,})": np.array(rows) / sum(rows) for name, rows in counts.items()}
    title = "Shares of the ratings per split"
    return rating_bars(shares, "{:.1%}".format, "share of reviews", title, scale)


def confusion_picture(matrices: Mapping[str, np.ndarray], scale: Scale = STARS) -> Image.Image:
    """Return a picture of confusion matrices side by side, e.g. one per split or model.

    Colour and first line of a cell are its share of the row, the second line is the count.

    Args:
        matrices: name to counts, shape (labels, labels), rows true, columns predicted.
    """
    side, ticks = len(scale) * CELL, {float(rank): name for rank, name in enumerate(scale.names, 1)}
    longest = max(map(font(12).getlength, scale.names))
    margin, wide = round(max(LEFT, 40 + longest)), round(max(CELL, longest + 12))
    breadth = len(scale) * wide
    width, height = max(WIDTH, margin + breadth + WIDTH - LEFT - 5 * CELL), HEIGHT + side - 5 * CELL
    ends = 0.5, len(scale) + 0.5
    picture, pen = new_picture(width * len(matrices), max(height, HEIGHT))
    for place, (name, matrix) in enumerate(matrices.items()):
        left = place * width + margin
        # The y axis runs downwards: the lowest rating on top.
        panel = Panel(picture, pen, (left, TOP, left + breadth, TOP + side), ends, ends[::-1])
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for (i, j), share in np.ndenumerate(shares):
            x, y = left + j * wide, TOP + i * CELL
            shade = [np.interp(share, np.linspace(0, 1, len(BLUES)), channel) for channel in BLUES.T]
            pen.rectangle((x, y, x + wide - 1, y + CELL - 1), fill=tuple(map(round, shade)))
            cell = f"{share:.0%}\n{matrix[i, j]:,}"
            panel.text(x + wide / 2, y + CELL / 2, cell, 12, "mm", PAPER if share > DARK else INK)
        panel.axes(ticks, ticks, (f"predicted {scale.noun}", f"true {scale.noun}"))
        scores = matrix_scores(matrix, scale)
        title = (
            f"{NAMES.get(name, name)}, {matrix.sum():,} reviews\nweighted F1 {scores['f1_weighted']:.3f}, "
            f"recall {scores['recall_weighted']:.3f}, precision {scores['precision_weighted']:.3f}"
        )
        panel.text(left + max(breadth, 5 * CELL) / 2, TOP / 2, title, 13, "mm")
    return picture


def share_picture(answers: Mapping[str, tuple[np.ndarray, np.ndarray]], scale: Scale = STARS) -> Image.Image:
    """Return bars of the share of each rating, true and predicted, per split.

    Args:
        answers: split to (true, predicted), as index from 0.
    """
    shares = {
        f"{NAMES[split]}, {kind}": np.bincount(values, minlength=len(scale)) / len(values)
        for split, pair in answers.items()
        for kind, values in zip(("true", "predicted"), pair, strict=True)
    }
    title = "Shares of the ratings, true and predicted"
    return rating_bars(shares, "{:.0%}".format, "share of reviews", title, scale)


def class_count_picture(before: np.ndarray, after: np.ndarray, scale: Scale = STARS) -> Image.Image:
    """Return bars of the training rows per rating, before and after sampling."""
    counts = {f"{when}: {rows.sum():,} rows": rows for when, rows in (("before", before), ("after", after))}
    title = "Training rows per rating, before and after sampling"
    return rating_bars(counts, "{:,.0f}".format, "rows", title, scale)
