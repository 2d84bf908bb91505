"""Pictures of confusion matrices, of the shares of the ratings and of what sampling changed."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from starcast.evaluation.scores import matrix_scores
from starcast.reports.drawing import INK, PAPER, Panel, new_picture, rating_bars

STARS = {float(rating): str(rating) for rating in range(1, 6)}
NAMES = {"train": "train", "val": "validation", "test": "test"}
# ColorBrewer's "Blues", for shares from 0 to 1.
BLUES = np.array(
    [
        *((247, 251, 255), (222, 235, 247), (198, 219, 239), (158, 202, 225), (107, 174, 214)),
        *((66, 146, 198), (33, 113, 181), (8, 81, 156), (8, 48, 107)),
    ]
)
CELL, WIDTH, HEIGHT, LEFT, TOP = 76, 470, 500, 62, 60  # of a matrix, in pixels


def confusion_picture(matrices: Mapping[str, np.ndarray]) -> Image.Image:
    """Return a picture of confusion matrices side by side, e.g. one per split or model.

    Colour and first line of a cell are its share of the row, the second line is the count.

    Args:
        matrices: name to counts, shape (5, 5), rows true, columns predicted.
    """
    picture, pen = new_picture(WIDTH * len(matrices), HEIGHT)
    for place, (name, matrix) in enumerate(matrices.items()):
        left = place * WIDTH + LEFT
        # The y axis runs downwards: 1 star on top.
        panel = Panel(picture, pen, (left, TOP, left + 5 * CELL, TOP + 5 * CELL), (0.5, 5.5), (5.5, 0.5))
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for (i, j), share in np.ndenumerate(shares):
            x, y = left + j * CELL, TOP + i * CELL
            shade = [np.interp(share, np.linspace(0, 1, len(BLUES)), channel) for channel in BLUES.T]
            pen.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=tuple(map(round, shade)))
            cell = f"{share:.0%}\n{matrix[i, j]:,}"
            panel.text(x + CELL / 2, y + CELL / 2, cell, 12, "mm", PAPER if share > 0.5 else INK)
        panel.axes(STARS, STARS, ("predicted stars", "true stars"))
        scores = matrix_scores(matrix)
        title = (
            f"{NAMES.get(name, name)}, {matrix.sum():,} reviews\nweighted F1 {scores['f1_weighted']:.3f}, "
            f"recall {scores['recall_weighted']:.3f}, precision {scores['precision_weighted']:.3f}"
        )
        panel.text(left + 2.5 * CELL, TOP / 2, title, 13, "mm")
    return picture


def share_picture(answers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Image.Image:
    """Return bars of the share of each rating, true and predicted, per split.

    Args:
        answers: split to (true, predicted), as index 0-4.
    """
    shares = {
        f"{NAMES[split]}, {kind}": np.bincount(values, minlength=5) / len(values)
        for split, pair in answers.items()
        for kind, values in zip(("true", "predicted"), pair, strict=True)
    }
    title = "Shares of the ratings, true and predicted"
    return rating_bars(shares, "{:.0%}".format, ("stars", "share of reviews"), title)


def class_count_picture(before: np.ndarray, after: np.ndarray) -> Image.Image:
    """Return bars of the training rows per rating, before and after sampling."""
    counts = {f"{when}: {rows.sum():,} rows": rows for when, rows in (("before", before), ("after", after))}
    title = "Training rows per rating, before and after sampling"
    return rating_bars(counts, "{:,.0f}".format, ("stars", "rows"), title)
