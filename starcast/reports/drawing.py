"""Draw simple charts with Pillow in milliseconds; importing Matplotlib alone takes over a CPU second."""

import importlib.util
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from starcast.evaluation.scale import STARS, Scale
from starcast.reports.style import COLOURS

INK, PAPER, GRID = "black", "white", "#e4e4e4"
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Ticks = Mapping[float, str]  # position to label
Line = tuple[
    float, str, tuple[int, ...], str
]  # value, colour, lengths of dashes and gaps (none: solid), text


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans, which Matplotlib ships and its figures use; the size is in pixels."""
    spec = importlib.util.find_spec("matplotlib")
    assert spec
    assert spec.origin
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf", size)


def new_picture(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return an empty picture and the object that draws on it."""
    picture = Image.new("RGB", (width, height), PAPER)
    return picture, ImageDraw.Draw(picture)


def round_ticks(high: float, most: int = 6) -> list[float]:
    """Return at most `most` round numbers from 0 up to `high`, which is positive."""
    power = 10 ** math.floor(math.log10(high / (most - 1)))
    step = next(step for factor in (1, 2, 5, 10) if high / (step := factor * power) <= most - 1)
    return [i * step for i in range(int(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Panel:
    """A pair of axes on a picture.

    Args:
        box: the area inside the axes.
        x_range, y_range: the values at its left and right, and at its bottom and top edges.
    """

    picture: Image.Image
    pen: ImageDraw.ImageDraw
    box: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Return the pixel column of a value."""
        low, high = self.x_range
        return self.box[0] + (value - low) / (high - low) * (self.box[2] - self.box[0])

    def y(self, value: float) -> float:
        """Return the pixel row of a value."""
        low, high = self.y_range
        return self.box[3] - (value - low) / (high - low) * (self.box[3] - self.box[1])

    def text(self, x: float, y: float, text: str, size: int, anchor: str, colour: str = INK) -> None:
        """Write at a pixel; `anchor` is Pillow's, e.g. `mm` for the text's middle."""
        self.pen.text((x, y), text, fill=colour, font=font(size), anchor=anchor, align="center")

    def axes(self, x_ticks: Ticks, y_ticks: Ticks, labels: tuple[str, str]) -> None:
        """Draw the frame, the ticks with their labels and the titles of both axes."""
        left, top, right, bottom = self.box
        self.pen.rectangle(self.box, outline=INK)
        for value, text in x_ticks.items():
            self.pen.line((self.x(value), bottom, self.x(value), bottom + 4), fill=INK)
            self.text(self.x(value), bottom + 7, text, 12, "mt")
        for value, text in y_ticks.items():
            self.pen.line((left - 4, self.y(value), left, self.y(value)), fill=INK)
            self.text(left - 7, self.y(value), text, 12, "rm")
        self.text((left + right) / 2, bottom + 25, labels[0], 13, "mt")
        if labels[1]:
            _, _, width, height = font(13).getbbox(labels[1])
            upright, pen = new_picture(round(width), round(height))
            pen.text((0, 0), labels[1], fill=INK, font=font(13))
            upright = upright.rotate(90, expand=True)
            widest = max((font(12).getlength(text) for text in y_ticks.values()), default=0)
            corner = int(left - 12 - widest - upright.width), (top + bottom - upright.height) // 2
            self.picture.paste(upright, corner)

    def bar(self, low: float, high: float, value: float, colour: str) -> None:
        """Draw a bar from the bottom up to a value, between two values of x."""
        left, right, top = round(self.x(low)), round(self.x(high)) - 1, round(self.y(value))
        if top < self.box[3]:
            self.pen.rectangle((left, top, max(left, right), self.box[3] - 1), fill=colour)

    def line(self, points: Sequence[tuple[float, float]], colour: str, dashes: tuple[int, ...] = ()) -> None:
        """Draw a line through points; dashes, if any, are those of a straight line."""
        places = [(self.x(x), self.y(y)) for x, y in points]
        if not dashes:
            self.pen.line(places, fill=colour, width=2)
            return
        (left, top), (right, bottom) = places
        length = math.hypot(right - left, bottom - top)
        for ends in dash_ends(0, round(length), dashes):
            along = [(left + (right - left) * at / length, top + (bottom - top) * at / length) for at in ends]
            self.pen.line(along, fill=colour)

    def marks(self, points: Iterable[tuple[float, float]], series: int) -> None:
        """Mark points with the colour and the shape of a series, counted from 0."""
        for x, y in points:
            self.mark(self.x(x), self.y(y), series)

    def mark(self, x: float, y: float, series: int) -> None:
        """Draw the mark of a series, counted from 0, at a pixel: a circle, a square, a diamond in turn."""
        if series % 3 == 0:
            self.pen.ellipse((x - 5, y - 5, x + 5, y + 5), fill=COLOURS[series], outline=PAPER)
        elif series % 3 == 1:
            self.pen.rectangle((x - 4, y - 4, x + 4, y + 4), fill=COLOURS[series], outline=PAPER)
        else:
            self.pen.polygon(((x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y)), COLOURS[series], PAPER)

    def legend(self, names: Sequence[str], top: int) -> None:
        """Write the names of series with their marks, one below the other, from a pixel row on."""
        left = (self.box[0] + self.box[2] - max(map(font(12).getlength, names)) - 34) / 2
        for i, name in enumerate(names):
            y = top + 18 * i
            self.pen.line((left, y, left + 26, y), fill=COLOURS[i], width=2)
            self.mark(left + 13, y, i)
            self.text(left + 34, y, name, 12, "lm")

    def reference_lines(self, lines: Sequence[Line]) -> None:
        """Draw vertical lines and, in the upper right corner, what they mean."""
        _, top, right, bottom = self.box
        for value, colour, dashes, _ in lines:
            x = round(self.x(value))
            for start, end in dash_ends(top + 1, bottom, dashes):
                self.pen.line((x, start, x, end), fill=colour, width=2)
        words = round(right - 10 - max(font(11).getlength(text) for *_, text in lines))
        self.pen.rectangle((words - 36, top + 3, right - 3, top + 8 + 15 * len(lines)), PAPER, GRID)
        for i, (_, colour, dashes, text) in enumerate(lines):
            y = top + 13 + 15 * i
            for low, high in dash_ends(words - 31, words - 6, dashes):
                self.pen.line((low, y, high, y), fill=colour, width=2)
            self.text(words, y, text, 11, "lm")


def dash_ends(start: int, end: int, dashes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first and last pixel of each dash of a line; without dashes the line is solid."""
    for i, length in enumerate(cycle(dashes or (end - start,))):
        if start >= end:
            return
        if i % 2 == 0:
            yield start, min(start + length, end) - 1
        start += length


def rating_bars(
    series: Mapping[str, Iterable[float]],
    form: Callable[[float], str],
    y_label: str,
    title: str,
    scale: Scale = STARS,
) -> Image.Image:
    """Return a picture with the bars of several series side by side for each rating.

    Args:
        series: name to values, one for each rating; at most six series.
        form: formats a value, above its bar and at the axis.
    """
    labels, right = len(scale), 745 * max(len(scale), 5) // 5
    picture, pen = new_picture(right + 15, 400)
    values = {name: list(heights) for name, heights in series.items()}
    most = (max(max(heights) for heights in values.values()) or 1) * 1.08
    ticks = {value: form(value) for value in round_ticks(most)}
    left = round(48 + max(font(12).getlength(text) for text in ticks.values()))
    panel = Panel(picture, pen, (left, 58, right, 350), (0.5, labels + 0.5), (0, most))
    panel.axes(dict(enumerate(scale.names, 1)), ticks, (scale.noun, y_label))
    panel.text((right + 15) // 2, 18, title, 14, "mm")
    width = 0.8 / len(values)
    place = (right + 15) // 2 - sum(font(12).getlength(name) + 38 for name in values) / 2
    for i, ((name, heights), colour) in enumerate(zip(values.items(), COLOURS, strict=False)):
        pen.rectangle((place, 36, place + 11, 47), fill=colour)
        panel.text(place + 17, 42, name, 12, "lm")
        place += font(12).getlength(name) + 38
        for rating, height in enumerate(heights, start=1):
            low = rating - 0.4 + i * width
            panel.bar(low, low + width, height, colour)
            panel.text(panel.x(low + width / 2), panel.y(height) - 3, form(height), 10, "md")
    return picture
