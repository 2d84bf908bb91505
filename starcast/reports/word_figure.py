"""A picture of the words that drive each rating."""

import polars as pl
from PIL import Image

from starcast.evaluation.scale import STARS, Scale
from starcast.reports.drawing import INK, font, new_picture
from starcast.reports.style import COLOURS
from starcast.reports.table import cut

SHOWN, LETTERS = 12, 22  # words of a rating, characters of a word
WIDTH, BAR, ROW, TOP, IN_A_ROW = 300, 110, 20, 84, 5  # pixels; panels


def word_picture(words: pl.DataFrame, scale: Scale = STARS) -> Image.Image:
    """Return a panel for each rating with the words that add most to its score, and bars of how much.

    Args:
        words: `rating` (a label), `word`, `weight`, the largest of each rating first.
    """
    columns, lines = min(len(scale), IN_A_ROW), -(-len(scale) // IN_A_ROW)
    height = TOP + ROW * SHOWN
    picture, pen = new_picture(columns * WIDTH + 16, lines * height + 20)
    middle = picture.width / 2
    pen.text((middle, 18), "Which words drive each rating?", fill=INK, font=font(14), anchor="mm")
    unit = "bars: what a word adds to the rating's score (log odds), beyond what it adds in the mean review"
    pen.text((middle, 40), unit, fill=INK, font=font(12), anchor="mm")
    most = max(words["weight"].max() or 0.0, 1e-9)
    for place, label in enumerate(scale.labels):
        line, column = divmod(place, IN_A_ROW)
        left, top = 16 + column * WIDTH, line * height + TOP
        pen.text((left, top - 16), scale.said(place), fill=INK, font=font(13), anchor="lm")
        mine = words.filter(pl.col("rating") == label).head(SHOWN)
        for row, (word, weight) in enumerate(mine.select("word", "weight").iter_rows()):
            y, bar = top + ROW * row + ROW / 2, left + 130
            pen.text((bar - 6, y), cut(word, LETTERS), fill=INK, font=font(11), anchor="rm")
            pen.rectangle((bar, y - 6, bar + max(1, BAR * weight / most), y + 6), fill=COLOURS[0])
            value = (bar + BAR * weight / most + 4, y)
            pen.text(value, f"{weight:.3f}", fill=INK, font=font(10), anchor="lm")
    return picture
