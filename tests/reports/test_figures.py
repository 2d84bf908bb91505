"""What the pictures show, read back from their parts."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from starcast.reports.figures import confusion_figure, share_figure

MATRIX = np.array(
    [[6, 2, 0, 0, 0], [1, 3, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1_500, 500], [0, 0, 0, 0, 2_000]]
)


def test_confusion_matrices_stand_side_by_side_with_their_scores_in_the_title() -> None:
    figure = confusion_figure({"train": MATRIX, "val": np.diag([1, 1, 1, 1, 1])})
    assert len(figure.axes) == 2
    train, validation = (axes.get_title() for axes in figure.axes)
    assert train.startswith("train, 4,012 reviews\nweighted F1 0.8")
    assert validation == "validation, 5 reviews\nweighted F1 1.000, recall 1.000, precision 1.000"


def test_cells_say_the_share_of_their_row_and_the_count() -> None:
    (axes,) = confusion_figure({"test": MATRIX}).axes
    cells = {text.get_position(): text for text in axes.texts}
    assert len(cells) == 25
    assert cells[0, 0].get_text() == "75%\n6"  # (column, row): predicted 1, true 1
    assert cells[1, 0].get_text() == "25%\n2"
    assert cells[0, 1].get_text() == "25%\n1"
    assert cells[3, 3].get_text() == "75%\n1,500"
    assert cells[2, 2].get_text() == "0%\n0"  # a rating that is absent
    assert axes.images[0].get_array().sum(axis=1).tolist() == [1, 1, 0, 1, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "2", "3", "4", "5"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted stars", "true stars")


def test_a_cell_s_text_stands_out_from_its_colour() -> None:
    (axes,) = confusion_figure({"test": MATRIX}).axes
    colours = {text.get_position(): to_rgba(text.get_color()) for text in axes.texts}
    assert colours[4, 4] == to_rgba("white")
    assert colours[4, 0] == to_rgba("black")


def test_share_bars_show_true_and_predicted_of_each_split() -> None:
    true, predicted = np.array([0, 1, 4, 4]), np.array([4, 4, 4, 4])
    (axes,) = share_figure({"val": (true, predicted), "test": (predicted, true)}).axes
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in axes.containers}
    assert heights == {
        "validation, true": [0.25, 0.25, 0, 0, 0.5],
        "validation, predicted": [0, 0, 0, 0, 1],
        "test, true": [0, 0, 0, 0, 1],
        "test, predicted": [0.25, 0.25, 0, 0, 0.5],
    }
    assert "true and predicted" in axes.get_title()
    assert "50%" in [text.get_text() for text in axes.texts]


def test_share_bars_stand_around_their_rating_without_overlap() -> None:
    values = np.arange(5)
    (axes,) = share_figure({"val": (values, values), "test": (values, values)}).axes
    ends = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bars in axes.containers for bar in bars)
    assert all(left[1] <= right[0] + 1e-9 for left, right in pairwise(ends))
    assert np.mean(ends) == pytest.approx(3)
