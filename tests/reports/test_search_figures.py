"""The picture of a search over time, read back from its parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from starcast.reports.search_figures import best_so_far_figure, worthy_range
from starcast.reports.style import COLOURS, MARKS
from starcast.reports.trial_table import TrialRecord, families, trial_table
from tests.reports.searches import record, searches

GOOD = [0.80, 0.82, 0.81, 0.83, 0.84, 0.82]
TABLE = trial_table(
    [
        record(1, "gru_1", "complete", 0.50),
        *(record(i + 2, ("gru_1", "lstm_2")[i % 2], "complete", value) for i, value in enumerate(GOOD)),
        record(8, "lstm_2", "pruned", 0.79),
        record(9, "gru_1", "pruned", 0.2),
        record(10, "gru_1", "failed", None),
    ]
)


def drawn(axes: Axes) -> dict[str, list]:
    return {str(dots.get_label()): np.asarray(dots.get_offsets()).tolist() for dots in axes.collections}


def test_every_trial_is_drawn_in_its_place() -> None:
    (axes,) = best_so_far_figure(TABLE, "val_auc", lower_is_better=False).axes
    dots = drawn(axes)
    assert dots["gru_1 (1 below)"] == [
        [1.0, 0.80],
        [2.0, 0.81],
        [3.0, 0.84],
    ]  # half a minute each, from the second trial on
    assert dots["lstm_2"] == [[1.5, 0.82], [2.5, 0.83], [3.5, 0.82]]
    assert dots["pruned, when stopped (1 below)"] == [[4.0, 0.79]]
    assert dots["failed"] == [[5.0, 0.0]]
    assert dots["best"] == [[3.0, 0.84]]
    edges = [place for label, places in dots.items() if label.startswith("_") for place in places]
    assert sorted(edges) == [[0.5, 0.03], [4.5, 0.03]]
    assert axes.get_xlabel() == "minutes since the search began"
    assert axes.get_title() == "Search: 7 complete, 2 pruned, 1 failed\nbest val_auc 0.8400: trial 6, gru_1"


def test_the_line_is_the_best_complete_trial_so_far_until_the_search_ends() -> None:
    (axes,) = best_so_far_figure(TABLE, "val_auc", lower_is_better=False).axes
    (line,) = axes.lines
    assert line.get_xdata().tolist() == [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 5]
    assert line.get_ydata().tolist() == [0.5, 0.8, 0.82, 0.82, 0.83, 0.84, 0.84, 0.84]
    assert line.get_drawstyle() == "steps-post"


@settings(max_examples=40)
@given(records=searches(), lower_is_better=st.booleans())
def test_of_any_search_the_line_is_monotone_and_of_complete_trials_and_all_trials_are_there(
    records: list[TrialRecord], lower_is_better: bool
) -> None:
    (axes,) = best_so_far_figure(trial_table(records), "val_auc", lower_is_better).axes
    complete = [one for one in records if one.outcome == "complete"]
    assert len(axes.lines) == bool(complete)
    for line in axes.lines:
        values = line.get_ydata()
        assert (np.diff(values) * (-1 if lower_is_better else 1) >= 0).all()
        assert (np.diff(line.get_xdata()) >= 0).all()
        assert set(values) <= {one.objective for one in complete}
        assert values[-1] == (min if lower_is_better else max)(one.objective for one in complete)
    dots = drawn(axes)
    dots.pop("best", None)
    assert sum(map(len, dots.values())) == len(records)


def test_a_family_tried_often_stays_in_the_picture() -> None:
    good = [record(i, "good", "complete", 0.9 + i / 1000) for i in range(20)]
    weak = [record(30 + i, "weak", "complete", 0.6 + i / 1000) for i in range(3)]
    (axes,) = best_so_far_figure(trial_table([*good, *weak]), "val_auc", lower_is_better=False).axes
    assert axes.get_ylim()[0] < 0.602 < 0.919 < axes.get_ylim()[1]
    (axes,) = best_so_far_figure(trial_table([*good, *weak[:2]]), "val_auc", lower_is_better=False).axes
    assert axes.get_ylim()[0] > 0.8


@pytest.mark.parametrize("sign", [1, -1])
def test_pruned_trials_take_at_most_half_of_the_picture(sign: int) -> None:
    complete = [record(i, "a", "complete", sign * (0.8 + i / 100)) for i in range(11)]
    pruned = [record(20 + i, "a", "pruned", sign * value) for i, value in enumerate((0.78, 0.1))]
    (near,) = best_so_far_figure(trial_table([*complete, pruned[0]]), "score", lower_is_better=sign < 0).axes
    assert sorted(np.abs(near.get_ylim())) == pytest.approx([0.78 - 0.06 * 0.12, 0.9 + 0.06 * 0.12])
    (far,) = best_so_far_figure(trial_table([*complete, *pruned]), "score", lower_is_better=sign < 0).axes
    assert sorted(np.abs(far.get_ylim())) == pytest.approx([0.7 - 0.06 * 0.2, 0.9 + 0.06 * 0.2])
    assert f"pruned, when stopped (1 {'below' if sign > 0 else 'above'})" in drawn(far)


def test_families_differ_in_colour_and_mark() -> None:
    names = [f"family_{i}" for i in range(6)]
    table = trial_table(record(i, name, "complete", 0.5 + i / 100) for i, name in enumerate(names))
    (axes,) = best_so_far_figure(table, "val_auc", lower_is_better=False).axes
    dots = [dots for dots in axes.collections if dots.get_label() in names]
    assert (
        len({tuple(one.get_facecolor()[0]) for one in dots})
        == len({one.get_paths()[0].vertices.tobytes() for one in dots})
        == 6
    )
    assert len(set(COLOURS)) == len(set(MARKS)) == 6
    assert to_rgba("black") not in {to_rgba(colour) for colour in COLOURS}
    assert families(table) == [one.get_label() for one in dots]


@pytest.mark.parametrize(("seconds", "unit"), [(90, "seconds"), (900, "minutes"), (20_000, "hours")])
def test_time_is_told_in_a_unit_of_its_size(seconds: float, unit: str) -> None:
    one = TrialRecord(1, "run", "gru_1", "complete", 0.5, 1, seconds, seconds, {})
    (axes,) = best_so_far_figure(trial_table([one]), "val_auc", lower_is_better=False).axes
    assert axes.get_xlabel() == f"{unit} since the search began"
    shown = {"seconds": seconds, "minutes": seconds / 60, "hours": seconds / 3600}[unit]
    assert drawn(axes)["best"] == [[pytest.approx(shown), 0.5]]


@pytest.mark.parametrize(
    ("values", "lower_is_better", "expected"),
    [
        ([0.5, 0.8, 0.82, 0.81, 0.84], False, (0.8, 0.84)),
        ([9.0, 0.8, 0.82, 0.81, 0.84], True, (0.8, 0.84)),
        ([0.5, 0.8], False, (0.5, 0.8)),
        ([0.7], False, (0.7, 0.7)),
        ([0.7, 0.7, 0.7, 0.7, 0.7, 0.1], False, (0.1, 0.7)),
        ([], False, (0, 1)),
    ],
)
def test_the_range_worth_room(
    values: list[float], lower_is_better: bool, expected: tuple[float, float]
) -> None:
    assert worthy_range(np.array(values), lower_is_better) == expected


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), lower_is_better=st.booleans())
def test_the_range_holds_the_best_and_three_quarters_of_the_trials(
    values: list[float], lower_is_better: bool
) -> None:
    low, high = worthy_range(np.array(values), lower_is_better)
    assert (low if lower_is_better else high) == (min if lower_is_better else max)(values)
    assert 4 * sum(low <= value <= high for value in values) >= 3 * len(values) - 3
