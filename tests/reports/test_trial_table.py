"""The table of a search's trials and its Markdown."""

import random
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.reports.trial_table import (
    FIXED,
    TrialRecord,
    best_trials_markdown,
    families,
    outcome_text,
    ranked_trials,
    settings_of,
    trial_table,
    varying_settings,
)
from tests.reports.searches import record, searches

TABLE = trial_table(
    [
        record(2, "logistic_regression", "complete", 0.7, {"c": 1, "sampling": "none"}),
        record(1, "gru_1", "complete", 0.8, {"units_1": 64, "sampling": "none"}),
        record(3, "gru_1", "failed", None, {"units_1": 32, "sampling": "none"}),
        record(4, "logistic_regression", "complete", 0.8, {"c": 0.00001, "sampling": "none"}),
        record(5, "gru_1", "pruned", 0.9, {"units_1": 64, "sampling": "none"}),
    ]
)


def test_each_trial_is_a_row_and_each_setting_a_column_by_name() -> None:
    assert TABLE.columns == [*FIXED, "c", "sampling", "units_1"]
    assert TABLE["trial"].to_list() == [1, 2, 3, 4, 5]
    assert TABLE["c"].to_list() == [None, 1.0, None, 0.00001, None]
    assert TABLE["units_1"].to_list() == [64, None, 32, None, 64]
    assert TABLE["run_id"].to_list() == [f"run{i}" for i in range(1, 6)]
    assert TABLE["objective"].to_list() == [0.8, 0.7, None, 0.8, 0.9]


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ((True, False), pl.Boolean, [True, False]),
        ((1, 2), pl.Int64, [1, 2]),
        ((1, 0.5), pl.Float64, [1.0, 0.5]),
        ((True, 2), pl.String, ["True", "2"]),
        ((0.5, "auto"), pl.String, ["0.5", "auto"]),
    ],
)
def test_a_setting_keeps_its_kind_and_mixtures_become_text(
    values: tuple, kind: type[pl.DataType], expected: list
) -> None:
    table = trial_table(record(i, "gru_1", "failed", None, {"x": value}) for i, value in enumerate(values))
    assert (table["x"].dtype, table["x"].to_list()) == (kind, expected)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_an_objective_that_is_no_number_is_null(value: float) -> None:
    table = trial_table([record(1, "gru_1", "complete", value), record(2, "gru_1", "complete", 0.1)])
    assert table["objective"].to_list() == [None, 0.1]
    assert ranked_trials(table, lower_is_better=False)["trial"].to_list() == [2]


def test_a_setting_that_is_called_like_a_fixed_column_has_one_of_its_own() -> None:
    settings = [dict.fromkeys(FIXED, i) for i in (7, 8)]
    records = [record(i, "mine", "complete", 0.5, given) for i, given in enumerate(settings)]
    table = trial_table(records)
    assert table.select(*FIXED).equals(trial_table([replace(each, settings={}) for each in records]))
    assert table["epochs (setting)"].to_list() == [7, 8]
    assert settings_of(table) == varying_settings(table) == [f"{name} (setting)" for name in sorted(FIXED)]


@given(records=searches(), seed=st.integers(0, 9))
def test_the_table_holds_every_trial_once_in_any_order_of_arrival(
    records: list[TrialRecord], seed: int
) -> None:
    table = trial_table(records)
    assert table["trial"].to_list() == list(range(1, len(records) + 1))
    assert trial_table(random.Random(seed).sample(records, len(records))).equals(table)
    for row, given_record in zip(
        table.iter_rows(named=True), sorted(records, key=lambda r: r.trial), strict=True
    ):
        assert {
            name: value for name, value in row.items() if name not in FIXED and value is not None
        } == given_record.settings
        assert {name: row[name] for name in FIXED} == {name: getattr(given_record, name) for name in FIXED}


def test_settings_that_vary_within_a_family() -> None:
    assert families(TABLE) == ["gru_1", "logistic_regression"]
    gru = TABLE.filter(pl.col("family") == "gru_1")
    assert settings_of(gru) == ["sampling", "units_1"]
    assert varying_settings(gru) == ["units_1"]
    assert varying_settings(TABLE) == ["c", "units_1"]
    assert varying_settings(TABLE.head(3)) == ["units_1"]  # a value or none is no choice of values
    assert settings_of(trial_table([])) == varying_settings(trial_table([])) == []


@pytest.mark.parametrize(("lower_is_better", "order"), [(False, [1, 4, 2]), (True, [2, 1, 4])])
def test_only_complete_trials_are_ranked_the_earlier_of_equals_first(
    lower_is_better: bool, order: list[int]
) -> None:
    assert ranked_trials(TABLE, lower_is_better)["trial"].to_list() == order


def test_markdown_shows_the_best_complete_trials_under_the_counts() -> None:
    lines = best_trials_markdown(TABLE, "val_auc", lower_is_better=False, shown=2).splitlines()
    assert lines[:2] == ["5 trials: 3 complete, 1 pruned, 1 failed.", ""]
    assert lines[2] == "| rank | trial | family | val_auc | epochs | seconds | settings | run |"
    assert lines[4] == "| 1 | 1 | gru_1 | 0.8000 | 4 | 30 | sampling none, units_1 64 | `run1` |"
    assert lines[5] == "| 2 | 4 | logistic_regression | 0.8000 | 4 | 30 | c 1e-05, sampling none | `run4` |"
    assert len(lines) == 6
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_markdown_of_a_bar_in_a_setting_keeps_its_cells() -> None:
    table = trial_table([record(1, "gru_1", "complete", 0.5, {"activation": "a|b"})])
    assert r"activation a\|b" in best_trials_markdown(table, "val_auc", lower_is_better=False)


def test_without_a_complete_trial_there_are_only_the_counts() -> None:
    assert (
        best_trials_markdown(TABLE.filter(pl.col("trial") == 3), "auc", False)
        == "1 trial: 0 complete, 1 failed."
    )
    assert outcome_text(trial_table([])) == "0 complete"
