"""Parallel coordinates, read back from their lines."""

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import rgb_to_hsv, to_rgb

from starcast.reports.parallel_coordinates import parallel_coordinates_figure, setting_axis
from starcast.reports.trial_table import TrialRecord, trial_table
from tests.reports.searches import record, searches

RECORDS = [
    record(1, "gru_1", "complete", 0.8, {"units": 32, "sampling": "none", "batch": 64}),
    record(2, "gru_1", "complete", 0.9, {"units": 64, "sampling": "class_weight", "batch": 64}),
    record(3, "gru_1", "complete", 0.85, {"units": 256, "sampling": "none", "batch": 64}),
    record(4, "gru_1", "pruned", 0.95, {"units": 32, "sampling": "none", "batch": 64}),
    record(5, "gru_1", "failed", None, {"units": 512, "sampling": "none", "batch": 64}),
    record(6, "lstm_2", "complete", 0.99, {"units": 512}),
    record(7, "lstm_2", "pruned", 0.5, {"units": 64}),
]

EQUAL = [
    record(1, "gru_1", "complete", 0.5, {"units": 32}),
    record(2, "gru_1", "complete", 0.5, {"units": 32}),
    record(3, "gru_1", "pruned", 0.5, {"units": 32}),
]


def lines(axes: Axes) -> dict[str, list[list[float]]]:
    """Label to heights, one list per line; that of a pruned trial is empty where no setting varies."""
    found = {
        str(one.get_label()): [part.reshape(-1, 2)[:, 1].tolist() for part in one.get_segments()]
        for one in axes.collections
    }
    return found | {"best": [line.get_ydata().tolist() for line in axes.lines if line.get_label() == "best"]}


def test_a_panel_shows_its_trials_on_the_axes_of_settings_that_vary() -> None:
    (axes,) = parallel_coordinates_figure(trial_table(RECORDS), "val_auc", lower_is_better=False).axes
    assert axes.get_title(loc="left") == "gru_1: 3 complete, 1 pruned"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["sampling", "units", "val_auc"]
    found = lines(axes)
    places = pytest.approx([0.25, 1 / 2, 1], abs=0.03), pytest.approx([0.75, 1 / 6, 0], abs=0.03)
    assert found["best"] == [places[0]]
    assert found["complete"] == [places[1], pytest.approx([0.75, 5 / 6, 0.5], abs=0.03)]
    assert found["pruned"] == [pytest.approx([0.75, 1 / 6], abs=0.03)]  # ends before the objective
    texts = {text.get_text() for text in axes.texts}
    assert {"none", "class_weight", "32", "64", "256", "0.8000", "0.9000"} <= texts
    assert "512" not in texts


@pytest.mark.parametrize(("lower_is_better", "best"), [(False, [0.25, 1 / 2, 1]), (True, [0.75, 1 / 6, 1])])
def test_the_best_is_on_top_whichever_way_is_better(lower_is_better: bool, best: list[float]) -> None:
    (axes,) = parallel_coordinates_figure(trial_table(RECORDS), "val_loss", lower_is_better).axes
    assert lines(axes)["best"] == [pytest.approx(best, abs=0.03)]


def test_better_trials_are_darker_and_pass_higher() -> None:
    trials = [record(i, "a", "complete", i / 10, {"units": i % 2}) for i in range(10)]
    (axes,) = parallel_coordinates_figure(trial_table(trials), "val_auc", lower_is_better=False).axes
    (collection,) = axes.collections
    darkness = [rgb_to_hsv(to_rgb(colour))[2] for colour in collection.get_colors()]
    assert darkness == sorted(darkness, reverse=True)
    even = [heights[0] for heights in lines(axes)["complete"][::2]]
    assert even == sorted(even)
    assert len(set(even)) == 5


def test_a_trial_far_below_the_others_stands_at_the_foot_that_says_so() -> None:
    values = [0.1, 0.80, 0.81, 0.82, 0.83, 0.84]
    trials = [record(i, "a", "complete", value, {"units": i}) for i, value in enumerate(values)]
    (axes,) = parallel_coordinates_figure(trial_table(trials), "val_auc", lower_is_better=False).axes
    ends = [heights[-1] for heights in lines(axes)["complete"]]
    assert ends == pytest.approx([0, 0, 0.25, 0.5, 0.75])
    assert "0.8000 or less" in [text.get_text() for text in axes.texts]


@settings(max_examples=25)
@given(records=searches(), lower_is_better=st.booleans())
@example(records=EQUAL, lower_is_better=False)
def test_any_search_has_a_panel_per_family_with_two_complete_trials(
    records: list[TrialRecord], lower_is_better: bool
) -> None:
    figure = parallel_coordinates_figure(trial_table(records), "val_auc", lower_is_better)
    complete = [one.family for one in records if one.outcome == "complete"]
    families = {family for family in complete if complete.count(family) >= 2}
    assert {axes.get_title(loc="left").split(":")[0] for axes in figure.axes} == families
    drawn = [lines(axes) for axes in figure.axes]
    assert sum(len(found["complete"]) + 1 for found in drawn) == sum(
        family in families for family in complete
    )
    heights = [height for found in drawn for part in found.values() for line in part for height in line]
    assert all(0 <= height <= 1 for height in heights)


def test_few_values_stand_at_equal_distances_and_missing_ones_below() -> None:
    heights, ticks = setting_axis(pl.Series([0.001, None, 0.1, 0.01]), np.full(4, 0.5))
    assert heights.tolist() == pytest.approx([3 / 8, 1 / 8, 7 / 8, 5 / 8])
    assert [text for _, text, _ in ticks] == ["none", "0.001", "0.01", "0.1"]
    assert [place for place, _, _ in ticks] == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8])


@pytest.mark.parametrize(
    ("low", "high", "middle", "text"),
    [(0.01, 100.0, 1.0, "1"), (0.0, 100.0, 50.0, "50"), (10.0, 900.0, 455.0, "455")],
)
def test_many_values_stand_on_a_scale_that_is_logarithmic_over_decades(
    low: float, high: float, middle: float, text: str
) -> None:
    values = pl.Series([low, middle, high, *np.linspace(max(low, 1), high / 2, 12)])
    heights, ticks = setting_axis(values, np.zeros(15))
    assert heights[:3].tolist() == pytest.approx([0, 0.5, 1])
    assert [tick[:2] for tick in ticks][2] == (0.5, text)


@given(values=st.lists(st.integers(0, 8), min_size=1, max_size=40), seed=st.integers(0, 9))
def test_lines_through_different_levels_never_mix(values: list[int], seed: int) -> None:
    heights, ticks = setting_axis(pl.Series(values), np.random.default_rng(seed).random(len(values)))
    for value, height in zip(values, heights, strict=True):
        nearest = min(ticks, key=lambda tick: abs(tick[0] - height))
        assert nearest[1] == str(value)
        assert abs(nearest[0] - height) <= nearest[2] / 2 + 1e-9
