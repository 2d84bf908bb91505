"""The pictures of learning curves, read back from their parts."""

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D

from starcast.experiments.learning_curve_figures import cost_figure, score_figure
from starcast.experiments.learning_curves import LearningCurves
from starcast.reports.style import COLOURS, MARKS
from tests.experiments.measured import SIZES, curves, rises, rises_late

LINEAR, NETWORK = "logistic_regression", "lstm_1"


@pytest.fixture(scope="module")
def two() -> LearningCurves:
    """A family that leads, and one that rises late."""
    return curves({LINEAR: rises, NETWORK: rises_late})


def dashed(axes: Axes) -> list[Line2D]:
    return [line for line in axes.lines if line.get_linestyle() == "--"]


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_every_point_stands_with_its_interval(two: LearningCurves) -> None:
    (axes,) = score_figure(two).axes
    assert axes.get_xscale() == "log"
    assert axes.get_ylabel() == "test accuracy"
    assert [bars.get_label() for bars in axes.containers] == [LINEAR, NETWORK]
    for i, (bars, curve) in enumerate(zip(axes.containers, two.curves, strict=True)):
        marks, _, (reach,) = bars.lines
        np.testing.assert_allclose(marks.get_xydata(), [(p.reviews, p.score.value) for p in curve.points])
        ends = [segment[:, 1] for segment in reach.get_segments()]
        np.testing.assert_allclose(ends, [(p.score.low, p.score.high) for p in curve.points])
        assert (to_rgba(marks.get_color()), marks.get_marker()) == (to_rgba(COLOURS[i]), MARKS[i])


def test_beyond_the_most_reviews_a_curve_is_dashed_pale_and_called_extrapolated(two: LearningCurves) -> None:
    (axes,) = score_figure(two).axes
    assert words(axes) == ["extrapolated"]
    assert len(dashed(axes)) == 2
    for line, curve in zip(dashed(axes), two.curves, strict=True):
        reviews = np.asarray(line.get_xdata())
        assert (reviews[0], reviews[-1]) == pytest.approx((16_000, 160_000))
        assert curve.trend
        np.testing.assert_allclose(line.get_ydata(), curve.trend.at(reviews))
        assert line.get_alpha()
        assert line.get_alpha() < 1
    ends = [line.get_ydata()[-1] for line in dashed(axes)]
    for end, band in zip(ends, axes.collections[-1:], strict=False):
        low, high = band.get_datalim(axes.transData).intervaly
        assert low < end < high


def test_within_the_measured_range_the_law_is_a_thin_line(two: LearningCurves) -> None:
    (axes,) = score_figure(two).axes
    thin = [line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 100]
    assert [line.get_color() for line in thin] == list(COLOURS[:2])
    for line in thin:
        assert (line.get_xdata()[0], line.get_xdata()[-1]) == pytest.approx((SIZES[0], SIZES[-1]))
        assert line.get_linewidth() == 1


def test_without_a_law_points_are_joined_and_nothing_is_extrapolated() -> None:
    (axes,) = score_figure(curves({LINEAR: rises}, SIZES[-3:])).axes
    assert words(axes) == []
    assert dashed(axes) == []
    assert axes.containers[0].lines[0].get_linestyle() == "-"


def test_costs_are_lines_on_logarithmic_axes(two: LearningCurves) -> None:
    seconds, memory = cost_figure(two).axes
    for axes, cost in ((seconds, [1, 2, 4, 8, 16]), (memory, [310, 320, 340, 380, 460])):
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
        assert [line.get_label() for line in axes.lines] == [LINEAR, NETWORK]
        np.testing.assert_allclose(axes.lines[0].get_xdata(), SIZES)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), cost)
    assert (seconds.get_ylabel(), memory.get_ylabel()) == ("seconds of a fit", "peak memory of a fit, MB")


def test_a_single_size_can_be_drawn() -> None:
    found = curves({LINEAR: rises}, SIZES[:1], repeats=1)
    for figure in (score_figure(found), cost_figure(found)):
        figure.canvas.draw()
        assert figure.axes[0].get_xlim()[0] < SIZES[0] < figure.axes[0].get_xlim()[1]
