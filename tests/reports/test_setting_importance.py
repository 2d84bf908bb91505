"""What is said of how much a setting matters, and when nothing is."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.reports.setting_importance import SCHEMA, importance_figure, setting_importance, standings
from starcast.reports.trial_table import TrialRecord, trial_table
from tests.reports.searches import random_search, record, searches

PALE = (0.8, 0.8, 0.8, 1.0)


def shares(table: pl.DataFrame, lower_is_better: bool = False) -> dict[str, float]:
    importance, _ = setting_importance(table, lower_is_better)
    return dict(zip(importance["setting"], importance["importance"], strict=True))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lower_is_better", [False, True])
def test_the_only_setting_that_matters_gets_nearly_everything(seed: int, lower_is_better: bool) -> None:
    table = random_search(60, seed, noise=0.2)
    importance, _ = setting_importance(table, lower_is_better)
    assert importance["setting"][0] == "matters"
    assert importance["importance"][0] > 0.9
    assert importance["oob_r2"].unique().item() > 0.7
    assert importance["trials"].unique().item() == 60


def test_text_and_truth_values_count_as_numbers_do() -> None:
    table = random_search(60, noise=0.2)
    expected = shares(table)
    assert shares(table.with_columns(pl.col("matters").cast(pl.String))) == pytest.approx(expected)
    assert shares(table.with_columns(pl.col("matters") > 2))["matters"] > 0.8


@pytest.mark.parametrize("seed", range(3))
def test_that_a_setting_is_absent_is_the_effect_of_the_one_on_which_it_depends(seed: int) -> None:
    """More layers are better; a third layer's units, a range, do nothing."""
    random, records = np.random.default_rng(seed), []
    for trial in range(1, 61):
        layers = int(random.integers(1, 4))
        units = {"units_3": float(random.uniform(8, 512))} if layers == 3 else {}
        score = layers + 0.1 * random.normal()
        records.append(record(trial, "gru_1", "complete", score, {"layers": layers, **units}))
    assert shares(trial_table(records))["layers"] > 0.95


def test_pruned_trials_count() -> None:
    table = random_search(40, noise=0.2).with_columns(
        objective=pl.lit(0.5),
        epochs=pl.when(pl.col("matters") < 2).then(pl.col("matters") + 1).otherwise(5),
        outcome=pl.when(pl.col("matters") < 2).then(pl.lit("pruned")).otherwise(pl.lit("complete")),
    )
    assert shares(table)["matters"] > 0.95


def test_where_nothing_matters_the_quality_says_so() -> None:
    table = random_search(60)
    noise = np.random.default_rng(0).normal(size=60)
    importance, _ = setting_importance(table.with_columns(objective=pl.Series(noise)), lower_is_better=False)
    assert importance["oob_r2"].unique().item() < 0.1


def test_the_quality_is_of_trials_the_trees_have_not_seen() -> None:
    names = [f"setting_{i}" for i in range(6)]
    random = np.random.default_rng(1)
    table = trial_table(
        record(i, "a", "complete", random.normal(), dict.fromkeys(names, 0)) for i in range(30)
    )
    table = table.with_columns(
        **{name: pl.Series(random.normal(size=30)) for name in names}
    )  # a tree can learn each by heart
    assert setting_importance(table, lower_is_better=False)[0]["oob_r2"].unique().item() < 0.2


@settings(max_examples=8)
@given(trials=st.integers(8, 30), seed=st.integers(0, 99), noise=st.floats(0, 3))
def test_shares_sum_to_1_and_come_in_order(trials: int, seed: int, noise: float) -> None:
    importance, _ = setting_importance(random_search(trials, seed, noise), lower_is_better=False)
    assert importance["importance"].min() >= 0
    assert importance["importance"].sum() == pytest.approx(1) or importance["importance"].sum() == 0
    assert importance["importance"].is_sorted(descending=True)
    assert sorted(importance["setting"]) == ["first", "matters", "other"]


def test_the_same_trials_give_the_same_shares() -> None:
    table = random_search(20, noise=1)
    one, again, other = (setting_importance(table, False, seed)[0] for seed in (0, 0, 1))
    assert one.equals(again)
    assert not one.equals(other)


def test_pruned_trials_stand_below_all_complete_ones_by_epoch_then_objective() -> None:
    table = trial_table(
        [
            record(1, "a", "complete", 0.5),
            record(2, "a", "pruned", 0.9, epochs=2),
            record(3, "a", "complete", 0.7, epochs=1),
            record(4, "a", "pruned", 0.6, epochs=3),
            record(5, "a", "pruned", 0.8, epochs=2),
            record(6, "a", "complete", 0.5, epochs=9),
        ]
    )
    assert standings(table, lower_is_better=False).tolist() == [0.7, 0.2, 1, 0.4, 0, 0.7]
    assert standings(table, lower_is_better=True).tolist() == [0.9, 0, 0.6, 0.4, 0.2, 0.9]


def test_what_is_left_out_has_its_reason() -> None:
    few = [record(i, "few", "complete", i / 10, {"units": i}) for i in range(7)]
    failed = [record(10 + i, "few", "failed", None, {"units": i}) for i in range(7)]
    fixed = [record(20 + i, "fixed", "complete", i / 10, {"units": 3}) for i in range(8)]
    equal = [record(30 + i, "equal", "complete", 0.5, {"units": i}) for i in range(8)]
    partly = [record(40 + i, "partly", "complete", i / 10, {"units": i, "batch": 64}) for i in range(8)]
    table = trial_table([*few, *failed, *fixed, *equal, *partly])
    importance, left_out = setting_importance(table, lower_is_better=False)
    assert left_out == [
        "few: 7 complete or pruned trials, at least 8 are needed",
        "fixed: no setting takes two values",
        "equal: all trials score the same",
        "partly: only one value of batch",
    ]
    assert importance.select("family", "setting").rows() == [("partly", "units")]


@settings(max_examples=10)
@given(records=searches(), lower_is_better=st.booleans())
def test_any_search_has_a_table_and_a_figure(records: list[TrialRecord], lower_is_better: bool) -> None:
    table = trial_table(records)
    importance, missing = setting_importance(table, lower_is_better)
    assert dict(importance.schema) == SCHEMA
    named = {line.split(":")[0] for line in missing} | set(importance["family"])
    assert named == set(table["family"])
    figure = importance_figure(importance, missing)
    assert len(figure.axes) == importance["family"].n_unique()


def test_the_figure_shows_shares_quality_and_what_is_missing() -> None:
    columns = {
        "importance": [0.75, 0.25, 1.0, 1.0],
        "oob_r2": [0.5, 0.5, 0.19, 0.3],
        "trials": [20, 20, 40, 19],
    }
    importance = pl.DataFrame({"family": ["a", "a", "b", "c"], "setting": ["x", "y", "z", "z"], **columns})
    figure = importance_figure(importance, ["d: 3 complete or pruned trials, at least 8 are needed"])
    sure, weak, few = figure.axes
    assert sure.get_title(loc="left") == "a: 20 trials, out-of-bag R² 0.50"
    assert weak.get_title(loc="left") == "b: 40 trials, out-of-bag R² 0.19; too low: the shares mean little"
    assert few.get_title(loc="left") == "c: 19 trials, out-of-bag R² 0.30; few trials: a hint at best"
    assert [label.get_text() for label in sure.get_yticklabels()] == ["x", "y"]
    assert [bar.get_width() for bar in sure.patches] == [0.75, 0.25]
    assert [text.get_text() for text in sure.texts] == ["75%", "25%"]
    assert sure.yaxis_inverted()  # the first, largest, on top
    assert [axes.patches[0].get_facecolor() == PALE for axes in figure.axes] == [False, True, False]
    assert figure.get_supxlabel() == "Left out:\nd: 3 complete or pruned trials, at least 8 are needed"
