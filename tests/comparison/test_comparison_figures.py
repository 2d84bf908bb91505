"""Pictures of a comparison, read back from their parts."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from starcast.comparison.figures import CURVES, cost_figure, curve_systems, curves_figure, score_figure
from starcast.comparison.ranking import Comparison, rank
from starcast.comparison.report import comparison_report
from starcast.comparison.systems import make_systems
from starcast.reports.page import Picture
from starcast.reports.style import COLOURS, amount
from tests.comparison.scored_runs import scored

RUNS = [
    scored("weak", 0.3, family="logistic_regression"),
    scored("strong", 0.9, parameters=50_000, curve={1: 0.2, 2: 0.4, 3: 0.3}),
    scored("middle", 0.6, curve={1: 0.1, 2: 0.2}),
]


def comparison(metric: str = "f1_macro") -> Comparison:
    return rank(make_systems(RUNS, ""), metric, "test", "")


def dots(axes: Axes) -> list[tuple[float, float, str]]:
    """Where systems are drawn, and in which colour."""
    found = []
    for container in axes.containers:
        line = container[0]
        found.append(
            (float(line.get_xdata()[0]), float(line.get_ydata()[0]), to_hex(line.get_color()).upper())
        )
    return found


def test_every_system_is_drawn_at_its_score_best_on_top_in_its_family_s_colour() -> None:
    compared = comparison()
    (axes,) = score_figure(compared).axes
    values = [each.value for each in compared.placed]
    assert sorted(dots(axes), key=lambda dot: dot[1]) == [
        (values[0], 0.0, COLOURS[0]),
        (values[1], 1.0, COLOURS[0]),
        (values[2], 2.0, COLOURS[1]),
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["strong", "middle", "weak"]
    bottom, top = axes.get_ylim()
    assert bottom > top


def test_intervals_reach_from_low_to_high() -> None:
    compared = comparison()
    (axes,) = score_figure(compared).axes
    drawn = sorted(
        tuple(segment[:, 0]) for container in axes.containers for segment in container[2][0].get_segments()
    )
    assert np.allclose(drawn, sorted(each.interval for each in compared.placed if each.interval))


def test_a_score_without_intervals_is_drawn_all_the_same() -> None:
    (axes,) = score_figure(comparison("loss")).axes
    assert len(dots(axes)) == 3


def test_cost_is_seconds_and_where_known_parameters() -> None:
    compared = comparison()
    seconds, parameters = cost_figure(compared).axes
    assert {x for x, _, _ in dots(seconds)} == {9.0, 6.0, 3.0}
    assert {x for x, _, _ in dots(parameters)} == {50_000.0, 1_000.0}
    assert seconds.get_xscale() == "log"
    unsized = rank(
        make_systems([scored("a", parameters=None), scored("b", parameters=None)], ""), "f1_macro", "test", ""
    )
    assert len(cost_figure(unsized).axes) == 1


@pytest.mark.parametrize(("low", "high"), [(9_000, 21_000), (2_000, 3_000), (10, 5_000_000)])
def test_a_cost_axis_has_few_numbers_and_at_least_one(low: float, high: float) -> None:
    compared = rank(
        make_systems([scored("a", parameters=low), scored("b", parameters=high)], ""), "f1_macro", "test", ""
    )
    figure = cost_figure(compared)
    figure.draw_without_rendering()
    axes = figure.axes[1]
    left, right = axes.get_xlim()
    shown = [
        label
        for label in axes.get_xticklabels()
        if label.get_text() and left <= label.get_position()[0] <= right
    ]
    assert 1 <= len(shown) <= 8
    boxes = [label.get_window_extent() for label in shown]
    assert all(first.x1 < second.x0 for first, second in pairwise(boxes))


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (200, "200"), (5_000, "5000"), (20_000, "20k"), (1_500_000, "1.5M")]
)
def test_amounts_are_short(value: float, text: str) -> None:
    assert amount(value) == text


def test_curves_are_of_the_systems_with_epochs_best_first() -> None:
    compared = comparison()
    assert [system.name for system in curve_systems(compared)] == ["strong", "middle"]
    (axes,) = curves_figure(compared).axes
    first, second = axes.get_lines()
    assert (list(first.get_xdata()), list(first.get_ydata())) == ([1, 2, 3], [0.2, 0.4, 0.3])
    assert second.get_label() == "middle"
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_a_report_within_an_epoch_stands_within_it() -> None:
    run = scored("fine", family="transformer", curve={step: 0.1 * step for step in range(1, 9)})
    (axes,) = curves_figure(rank(make_systems([run], ""), "f1_macro", "test", "")).axes
    (line,) = axes.get_lines()
    assert list(line.get_xdata()) == [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]


def test_every_fit_of_a_group_is_a_line_and_the_group_one_entry_of_the_legend() -> None:
    compared = rank(make_systems(RUNS, "family"), "f1_macro", "test", "family")
    figure = curves_figure(compared)
    (axes,) = figure.axes
    assert len(axes.get_lines()) == 2
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["gru_1"]


def test_there_are_no_more_curves_than_colours() -> None:
    runs = [scored(f"run {i}", i / 20, curve={1: 0.1, 2: 0.2}) for i in range(12)]
    assert len(curve_systems(rank(make_systems(runs, ""), "f1_macro", "test", ""))) == CURVES == len(COLOURS)


def test_without_epochs_the_report_has_no_curves() -> None:
    report = comparison_report(rank(make_systems(RUNS[:1], ""), "f1_macro", "test", ""), ())
    pictures = [
        block.name for section in report.sections for block in section.blocks if isinstance(block, Picture)
    ]
    assert pictures == ["scores", "cost"]
    assert "No fit was scored while it was trained." in report.markdown()
