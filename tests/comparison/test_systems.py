"""Systems ranked and paired: what is better, what cannot be compared."""

from dataclasses import replace

import numpy as np
import pytest

from starcast.comparison.ranking import rank
from starcast.comparison.report import answer, comparison_report, description
from starcast.comparison.systems import differing_settings, group_names, make_systems
from starcast.comparison.tables import number_table, score_table, settings_table, terminal_table
from starcast.reports.table import WIDTH
from starcast.tracking.scored_runs import Predictions
from tests.comparison.scored_runs import answers, scored

RUNS = [scored("weak", 0.3), scored("strong", 0.9, parameters=5_000), scored("middle", 0.6)]


def test_the_best_comes_first_also_where_lower_is_better() -> None:
    for metric in ("f1_macro", "mae", "auc", "loss"):
        compared = rank(make_systems(RUNS, ""), metric, "test", "")
        assert [each.system.name for each in compared.placed] == ["strong", "middle", "weak"]


@pytest.mark.parametrize("metric", ["f1_macro", "mae"])
def test_the_lead_of_the_best_is_positive_and_is_the_difference_of_the_scores(metric: str) -> None:
    best, *others = rank(make_systems(RUNS, ""), metric, "test", "").placed
    assert best.lead is None
    for each in others:
        assert each.lead is not None
        assert each.lead.estimate.value == pytest.approx(abs(best.value - each.value))
        assert 0 < each.lead.estimate.low < each.lead.estimate.value < each.lead.estimate.high
        assert each.lead.significant


def test_equal_systems_do_not_differ_significantly() -> None:
    compared = rank(
        make_systems([scored("a", given=answers(0.5)), scored("b", given=answers(0.5))], ""),
        "f1_macro",
        "test",
        "",
    )
    assert compared.second is not None
    assert compared.second.lead is not None
    assert not compared.second.lead.significant
    assert "better by 0.000 (0.000 to 0.000), not statistically significant" in answer(compared)[1]


def test_runs_on_other_reviews_have_intervals_but_no_difference_and_are_named() -> None:
    elsewhere = scored("elsewhere", given=answers(0.7, seed=9))
    fewer = scored("fewer", given=answers(0.5, reviews=90))
    compared = rank(make_systems([*RUNS, elsewhere, fewer], ""), "f1_macro", "test", "")
    unpaired = [each.system.name for each in compared.placed[1:] if each.lead is None]
    assert sorted(unpaired) == ["elsewhere", "fewer"]
    assert all(each.interval for each in compared.placed)
    assert any("scored on other reviews: 2 (elsewhere, fewer)" in line for line in answer(compared))


def test_the_same_reviews_with_another_true_rating_are_other_reviews() -> None:
    first = answers(0.5)
    changed = Predictions(first.review_ids, np.roll(first.ratings, 1), first.predicted, first.probabilities)
    assert first.reviews == answers(0.9, fit=3).reviews != changed.reviews


def test_matrices_alone_give_intervals_and_no_differences_and_the_report_says_so() -> None:
    runs = [scored("a", 0.8, predictions=False), scored("b", 0.4, predictions=False)]
    compared = rank(make_systems(runs, ""), "f1_macro", "val", "")
    assert compared.best.interval is not None
    assert compared.best.interval[0] < compared.best.value < compared.best.interval[1]
    assert compared.second is None
    assert (
        "The best kept only its confusion matrix: there are intervals, but no paired differences."
        in answer(compared)
    )
    assert "None: no other was scored on the same reviews" in comparison_report(compared, ()).markdown()


def test_a_score_of_probabilities_has_an_interval_and_a_paired_difference_where_these_were_kept() -> None:
    compared = rank(make_systems([*RUNS, scored("bare", 0.5, predictions=False)], ""), "loss", "test", "")
    placed = {each.system.name: each for each in compared.placed}
    assert (placed.pop("bare").interval, placed.pop("strong").lead) == (None, None), "strong is the best"
    assert all(each.interval and each.lead for each in placed.values())


def test_without_probabilities_a_score_of_them_has_no_interval_and_the_report_says_so() -> None:
    bare = [scored(f"bare {quality}", quality, predictions=False) for quality in (0.5, 0.7)]
    compared = rank(make_systems(bare, ""), "loss", "test", "")
    assert {each.interval for each in compared.placed} == {None}
    assert answer(compared)[-1].startswith("loss does not follow from the confusion matrix: no intervals")


def test_an_auc_has_an_interval_where_probabilities_were_kept_and_no_paired_difference() -> None:
    compared = rank(make_systems([*RUNS, scored("bare", 0.5, predictions=False)], ""), "auc", "test", "")
    intervals = {each.system.name: each.interval for each in compared.placed}
    assert intervals.pop("bare") is None
    for each in compared.placed:
        if each.interval:
            assert each.interval[0] < each.value < each.interval[1]
    assert None not in intervals.values()
    assert {each.lead for each in compared.placed} == {None}
    assert answer(compared)[-1].startswith("auc does not follow from the confusion matrix: intervals, but")


def test_the_smallest_has_the_fewest_parameters_and_is_the_faster_of_equals() -> None:
    compared = rank(
        make_systems([*RUNS, scored("tiny", 0.1, given=answers(0.1, seed=5), parameters=1)], ""),
        "f1_macro",
        "test",
        "",
    )
    assert compared.smallest is not None
    assert (
        compared.smallest.system.name == "weak"
    )  # as small as `middle` and faster; `tiny` answered other reviews
    assert any(
        line.startswith("Compared with the smallest (1,000 parameters), weak: better by")
        for line in answer(compared)
    )


def test_a_group_has_the_mean_of_its_fits_and_says_how_many() -> None:
    fits = [scored("a", 0.8), scored("b", 0.7), scored("c", 0.3, family="lstm_2")]
    compared = rank(make_systems(fits, "family"), "f1_macro", "test", "family")
    assert [each.system.name for each in compared.placed] == ["gru_1", "lstm_2"]
    assert compared.best.value == pytest.approx((fits[0].scores["f1_macro"] + fits[1].scores["f1_macro"]) / 2)
    assert "mean of 2 fits" in answer(compared)[0]
    assert compared.best.system.matrix.sum() == 2 * fits[0].matrix.sum()


def test_fits_of_a_group_on_other_reviews_are_a_system_of_their_own() -> None:
    other = answers(0.5, seed=7)
    systems = make_systems([scored("a"), scored("b"), scored("c", given=other)], "family")
    assert [len(system.runs) for system in systems] == [2, 1]
    assert systems[1].name == f"gru_1, reviews {other.reviews}"


def test_runs_without_the_value_are_in_no_group() -> None:
    (system,) = make_systems([scored("a", c="1"), scored("b")], "c")
    assert [run.run_id for run in system.runs] == ["a"]


def test_equal_names_are_told_apart_by_their_runs() -> None:
    systems = make_systems(
        [scored("123456789", name="train"), scored("abcdefghi", name="train"), scored("x", name="other")], ""
    )
    assert [system.name for system in systems] == ["train 123456", "train abcdef", "other"]


def test_only_what_differs_is_a_setting_that_differs_or_a_way_to_group() -> None:
    runs = [
        scored("a", c="1", seed="42"),
        scored("b", c="2", seed="42"),
        scored("d", seed="42", family="lstm_2"),
    ]
    assert differing_settings(make_systems(runs, "")) == ["c"]
    assert group_names(runs) == ["c", "family"]
    table = settings_table(rank(make_systems(runs, ""), "f1_macro", "test", ""))
    assert table.head == ("name", "c")
    assert ("d", "-") in table.rows


def test_a_tag_says_what_was_done_where_the_parameter_says_what_was_asked() -> None:
    assert scored("a", family="gru_1", **{"c": "1"}).get("family") == "gru_1"
    assert scored("a", c="1").get("c") == "1"
    assert scored("a").get("c") == ""


def test_tables_have_a_row_per_system_and_every_number() -> None:
    compared = rank(
        make_systems([*RUNS, scored("elsewhere", given=answers(0.1, seed=9), parameters=None)], ""),
        "f1_macro",
        "test",
        "",
    )
    table = score_table(compared)
    assert [row[0] for row in table.rows] == ["strong", "middle", "weak", "elsewhere"]
    assert table.rows[0][-1] == "[`strong`](#/runs/strong)"
    assert table.rows[3][table.head.index("parameters")] == "-"
    numbers = number_table(compared)
    assert numbers["rank"].to_list() == [1, 2, 3, 4]
    assert numbers["lead_of_best"].null_count() == 2  # of the best itself, and of what answered other reviews
    assert numbers["f1_macro"].to_list() == numbers["value"].to_list()


def test_lines_of_the_terminal_fit_and_keep_the_end_of_long_names() -> None:
    runs = [
        scored("f" * 32, 0.9, name="train logistic_regression " * 5),
        scored("e" * 32, 0.5, name="train logistic_regression " * 5),
    ]
    lines = (
        terminal_table(rank(make_systems(runs, ""), "precision_weighted", "test", ""), shown=10)
        .text()
        .splitlines()
    )
    assert len(lines) == 3
    assert max(map(len, lines)) <= WIDTH
    assert "ffffff  " in lines[1]
    assert lines[1].endswith("f" * 32)


def test_a_description_of_many_runs_fits_a_tag() -> None:
    runs = [scored(f"{i:032x}", 0.2 + i / 100, name="candidate logistic_regression") for i in range(50)]
    text = description(rank(make_systems(runs, ""), "f1_macro", "test", ""), ())
    assert len(text) < 8_000
    assert "35 more are in the report" in text


def test_one_run_alone_is_no_comparison() -> None:
    assert (
        answer(rank(make_systems(RUNS[:1], ""), "f1_macro", "test", ""))[-1]
        == "There is nothing to compare it with."
    )


def test_executions_of_a_trial_answered_the_same_reviews() -> None:
    once = scored("once", 0.5, predictions=False)
    thrice = replace(once, matrix=3 * once.matrix, settings={"executions": "3"})
    [one], [three] = (rank(make_systems([run], ""), "f1_macro", "val", "").placed for run in (once, thrice))
    assert (three.reviews, three.interval) == (one.reviews, one.interval) == (400, one.interval)
