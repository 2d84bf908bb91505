"""A picture of a candidate's accuracy on each slice of the test reviews."""

from collections.abc import Sequence

from PIL import Image

from starcast.evaluation.resampling import Estimate
from starcast.evaluation.slices import DECIDING, SliceScores
from starcast.reports.drawing import INK, Panel, font, new_picture
from starcast.reports.style import COLOURS
from starcast.reports.table import cut

ROW, TOP, RIGHT, LETTERS = 20, 74, 520, 44  # pixels, pixels, pixels of the axis, characters of a name
PERCENT = {value / 10: f"{value * 10}%" for value in range(0, 11, 2)}


def slice_picture(found: Sequence[SliceScores], whole: Estimate) -> Image.Image:
    """Return a row for each slice: its accuracy with the 95% interval, beside that of all test reviews.

    Orange squares mark slices that are significantly worse than the other reviews.
    """
    names = [f"{cut(f'{each.slice}: {each.value}', LETTERS)} ({each.reviews:,})" for each in found]
    left = round(24 + max(map(font(12).getlength, names)))
    bottom = TOP + ROW * len(found)
    picture, pen = new_picture(left + RIGHT + 24, bottom + 52)
    # Rows are counted downwards from 0.
    panel = Panel(picture, pen, (left, TOP, left + RIGHT, bottom), (0, 1), (len(found) - 0.5, -0.5))
    panel.text(
        picture.width / 2, 18, "Where does it do worse? Accuracy on slices of the test reviews", 14, "mm"
    )
    panel.line([(whole.value, -0.5), (whole.value, len(found) - 0.5)], INK, dashes=(5, 4))
    said = f"(reviews); dashed: all of them, {whole.value:.1%}; orange: significantly worse than the rest"
    panel.text(picture.width / 2, 42, said, 12, "mm")
    for row, each in enumerate(found):
        score, series = each.scores[DECIDING], int(each.worse)
        panel.line([(score.low, row), (score.high, row)], COLOURS[series])
        panel.marks([(score.value, row)], series)
    rows = {float(row): name for row, name in enumerate(names)}
    panel.axes(PERCENT, rows, ("accuracy: share of the reviews that are rated right, with 95% interval", ""))
    return picture
