"""What the pictures show, read back from their pixels."""

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from starcast.evaluation.scale import Scale
from starcast.reports import drawing
from starcast.reports.drawing import Panel, dash_ends, new_picture, rating_bars, round_ticks
from starcast.reports.figures import (
    CELL,
    HEIGHT,
    LEFT,
    TOP,
    WIDTH,
    class_count_picture,
    confusion_picture,
    length_picture,
    share_picture,
)
from starcast.reports.style import COLOURS

MATRIX = np.array(
    [[6, 2, 0, 0, 0], [1, 3, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1_500, 500], [0, 0, 0, 0, 2_000]]
)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[int, int], str]:
    """Texts by the pixel at which they were written."""
    texts: dict[tuple[int, int], str] = {}
    original = Panel.text

    def text(panel: Panel, x: float, y: float, text: str, *rest: str) -> None:
        texts[round(x), round(y)] = text
        original(panel, x, y, text, *rest)

    monkeypatch.setattr(drawing.Panel, "text", text)
    return texts


def cell(row: int, column: int) -> tuple[int, int]:
    """The middle of a cell."""
    return LEFT + column * CELL + CELL // 2, TOP + row * CELL + CELL // 2


def pixels(picture: Image.Image, colour: str) -> np.ndarray:
    """Where a picture has a colour, shape (height, width)."""
    wanted = np.array(Image.new("RGB", (1, 1), colour))[0, 0]
    return (np.array(picture) == wanted).all(axis=2)


def test_matrices_stand_side_by_side_with_their_scores_above(written: dict[tuple[int, int], str]) -> None:
    picture = confusion_picture({"train": MATRIX, "val": np.diag([1, 1, 1, 1, 1])})
    assert picture.size == (2 * WIDTH, HEIGHT)
    titles = [text for _, text in sorted(written.items()) if "weighted F1" in text]
    assert titles[0].startswith("train, 4,012 reviews\nweighted F1 0.8")
    assert titles[1] == "validation, 5 reviews\nweighted F1 1.000, recall 1.000, precision 1.000"


def test_cells_say_the_share_of_their_row_and_the_count(written: dict[tuple[int, int], str]) -> None:
    confusion_picture({"test": MATRIX})
    assert sum("%" in text for text in written.values()) == 25
    assert written[cell(0, 0)] == "75%\n6"  # true 1, predicted 1
    assert written[cell(0, 1)] == "25%\n2"
    assert written[cell(1, 0)] == "25%\n1"
    assert written[cell(3, 3)] == "75%\n1,500"
    assert written[cell(2, 2)] == "0%\n0"  # a rating that is absent
    assert {"predicted stars"} <= set(written.values())


def test_cells_are_darker_the_larger_their_share_and_their_text_stands_out() -> None:
    picture = np.array(confusion_picture({"test": MATRIX}).convert("L")).astype(int)

    def look(row: int, column: int) -> tuple[int, int, int]:
        x, y = cell(row, column)
        inside = picture[y - CELL // 2 + 2 : y + CELL // 2 - 2, x - CELL // 2 + 2 : x + CELL // 2 - 2]
        return int(np.median(inside)), inside.min(), inside.max()

    dark, middle, pale = look(4, 4), look(1, 0), look(4, 0)
    assert dark[0] < middle[0] < pale[0]
    assert dark[2] == 255  # white text
    assert pale[1] == 0  # black text


def test_share_bars_are_as_high_as_the_shares_of_each_split() -> None:
    true, predicted = np.array([0, 1, 4, 4]), np.array([4, 4, 4, 4])
    picture = share_picture({"val": (true, predicted), "test": (predicted, true)})
    heights = [pixels(picture, colour)[60:].any(axis=1).sum() for colour in COLOURS[:4]]
    assert heights == pytest.approx([heights[1] / 2, heights[1], heights[1], heights[1] / 2], abs=2)
    assert heights[1] > 200


def test_bars_stand_side_by_side_around_their_rating(written: dict[tuple[int, int], str]) -> None:
    picture = rating_bars({"a": [1] * 5, "b": [1] * 5}, "{:.0f}".format, "rows", "title")
    first, second = (np.flatnonzero(pixels(picture, colour)[340]) for colour in COLOURS[:2])
    assert not {*first} & {*second}
    stars = [x for (x, y), text in written.items() if text in "12345" and y > 340]
    assert len(stars) == 5
    for star in stars:
        assert star - 1 in first
        assert star + 1 in second
    assert {"title", "stars", "a", "b"} <= set(written.values())


def test_rows_before_and_after_are_counted_in_the_legend(written: dict[tuple[int, int], str]) -> None:
    class_count_picture(np.array([800, 900, 1_000, 2_000, 54_321]), np.full(5, 54_321))
    assert {"before: 59,021 rows", "after: 271,605 rows", "54,321", "800"} <= set(written.values())


@pytest.mark.parametrize(
    ("high", "ticks"),
    [
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.6, [0, 0.2, 0.4, 0.6]),
        (54_321, [0, 20_000, 40_000]),
        (5, range(6)),
    ],
)
def test_ticks_are_round_numbers(high: float, ticks: list[float]) -> None:
    assert round_ticks(high) == pytest.approx(list(ticks))


def test_there_are_few_ticks_and_always_two() -> None:
    assert {len(round_ticks(high)) for high in np.geomspace(1e-3, 1e9, 500)} <= {3, 4, 5, 6}


def test_a_dashed_line_has_gaps_and_a_solid_one_none() -> None:
    assert list(dash_ends(0, 10, (3, 2))) == [(0, 2), (5, 7)]
    assert list(dash_ends(0, 10, (7, 2))) == [(0, 6), (9, 9)]
    assert list(dash_ends(4, 10, ())) == [(4, 9)]


def test_names_of_any_script_are_drawn() -> None:
    _, pen = new_picture(10, 10)
    boxes = {pen.textbbox((0, 0), text, font=drawing.font(12)) for text in ("\u00e9", "\u0416w")}
    assert len(boxes) == 2
    assert isinstance(pen, ImageDraw.ImageDraw)


def test_names_of_ratings_have_room_and_many_histograms_stand_in_rows() -> None:
    words = Scale(("very dissatisfied", "dissatisfied", "satisfied", "very satisfied"))
    matrix = np.ones((4, 4), int)
    short, long = (confusion_picture({"val": matrix}, scale) for scale in (Scale((1, 2, 3, 4)), words))
    assert long.width - short.width > 4 * 20
    assert long.height == short.height
    lengths = pl.DataFrame({"rating": [1, 10], "characters": [5, 9], "reviews": [2, 3]})
    ten, five = (length_picture(lengths, "lengths", Scale(tuple(range(1, k + 1)))) for k in (10, 5))
    assert (ten.width, ten.height) == (five.width, 2 * five.height)
