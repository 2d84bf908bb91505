"""A run against its repetition.

What is equal, what is within noise, what is different, and which runs belong together.
"""

import json
import math
import re

import mlflow
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.evaluation.names import SCORES
from starcast.evaluation.resampling import bootstrap_intervals
from starcast.evaluation.scores import count_matrix, score
from starcast.reproduction.compare import (
    TOLERANCE,
    ComparedValue,
    Reproduction,
    compare_records,
    kind_of,
    split_of,
)
from starcast.reproduction.conditions import factor
from starcast.reproduction.report import (
    answer,
    main_table,
    reproduction_json,
    reproduction_report,
    short_table,
)
from starcast.tracking.repetition import RunRecord, read
from starcast.tracking.scored_runs import Predictions
from tests.comparison.scored_runs import answers

CHECKS = [factor("data file", "data", "abc", "abc"), factor("numpy", "packages", "2.0", "2.1")]


def fit(given: Predictions | None = None, key: str = "fit", **metrics: float) -> RunRecord:
    """What a candidate keeps of the test split; metrics given go before those of its predictions."""
    if given is None:
        return RunRecord(f"run-{key}", key, (key,), metrics)
    scored = score(given.ratings, given.probabilities, given.predicted)
    named = {**{f"test_{name}": value for name, value in scored.items()}, **metrics}
    matrix = count_matrix(given.ratings, given.predicted)
    return RunRecord(
        f"run-{key}", key, (key,), named, {}, {"test": matrix}, {"test": given}, link=f"`run-{key}`"
    )


def of(found: Reproduction, name: str) -> ComparedValue:
    return next(each for each in found.compared if each.name == name)


def test_of_the_candidates_of_a_search_with_more_trials_the_last_counts(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(tags={"step": "tune"}) as search:
        for value in (0.1, 0.2):
            with mlflow.start_run(nested=True, tags={"role": "candidate"}):
                mlflow.log_metric("test_f1_macro", value)
    [candidate] = read(search.info.run_id).below
    assert candidate.metrics == {"test_f1_macro": 0.2}


def test_the_same_again_is_equal_in_every_metric() -> None:
    found = compare_records(fit(answers(0.6)), fit(answers(0.6)))
    assert {each.verdict for each in found.compared} == {"equal"}
    assert len(found.compared) == len(SCORES)
    assert found.verdict == "equal"
    assert found.pairs[0].answered[0].changed == 0


def test_a_fit_that_answers_a_few_reviews_otherwise_is_within_noise_and_they_are_counted() -> None:
    then = answers(0.6)
    predicted = then.predicted.copy()
    predicted[:5] = (predicted[:5] + 1) % 5
    now = Predictions(then.review_ids, then.ratings, predicted, 0.1 + 0.5 * np.eye(5)[predicted])
    found = compare_records(fit(then), fit(now))
    assert found.verdict == "within noise"
    [answered] = found.pairs[0].answered
    assert answered.changed == 5
    assert answered.difference is not None
    assert answered.difference.estimate.value == pytest.approx(of(found, "test_f1_macro").difference)


def test_a_fit_that_learned_nothing_is_different_in_its_scores_and_their_losses() -> None:
    found = compare_records(fit(answers(0.9)), fit(answers(0.0)))
    assert found.verdict == "different"
    for name in ("test_f1_macro", "test_auc", "test_loss", "test_mae"):
        assert of(found, name).verdict == "different"


def test_noise_is_the_interval_of_the_run_itself() -> None:
    then = fit(answers(0.6))
    low, high = bootstrap_intervals(then.matrices["test"])["accuracy"]
    for value, verdict in (
        (low + 1e-6, "within noise"),
        (high - 1e-6, "within noise"),
        (high + 0.2, "different"),
    ):
        now = RunRecord("b", "b", ("fit",), {**then.metrics, "test_accuracy": value})
        assert of(compare_records(then, now), "test_accuracy").verdict == verdict
        assert of(compare_records(then, now), "test_accuracy").noise == (low, high)


def test_a_rating_that_was_never_found_may_now_be_found_once() -> None:
    """The interval of a recall of 0 is empty; that of one in thirty holds 0."""
    then, now = np.diag([0, 50, 50, 50, 50]), np.diag([1, 50, 50, 50, 50])
    then[0, 4], now[0, 4] = 30, 29
    sides = [RunRecord("r", "r", (), {"test_recall_1": m[0, 0] / 30}, {}, {"test": m}) for m in (then, now)]
    assert of(compare_records(*sides), "test_recall_1").verdict == "within noise"


@given(st.floats(0, 1), st.floats(-0.05, 0.05))
def test_a_score_without_an_interval_is_held_against_the_tolerance(value: float, moved: float) -> None:
    found = of(compare_records(fit(val_auc=value), fit(val_auc=value + moved)), "val_auc")
    if abs(moved) <= 1e-10:
        assert found.verdict == "equal"
    elif 1e-8 < abs(moved) < TOLERANCE - 1e-9:
        assert found.verdict == "within noise"
    elif abs(moved) > TOLERANCE + 1e-9:
        assert found.verdict == "different"


def test_not_a_number_again_is_equal() -> None:
    assert compare_records(fit(val_auc=math.nan), fit(val_auc=math.nan)).verdict == "equal"
    assert compare_records(fit(val_auc=math.nan), fit(val_auc=0.5)).verdict == "different"


def test_costs_are_not_judged_and_neither_is_what_one_side_has_alone() -> None:
    then = fit(fit_seconds=1.0, worker_memory_mb=300.0, old=1.0, **{"system/cpu": 3.0})
    found = compare_records(then, fit(fit_seconds=9.0, worker_memory_mb=1.0, new=1.0, **{"system/cpu": 99.0}))
    assert {each.verdict for each in found.compared} == {None}
    assert found.verdict == "equal"


def test_facts_alone_are_equal_or_different_beside_equal_scores_they_are_noise() -> None:
    assert compare_records(fit(reviews=300.0), fit(reviews=299.0)).verdict == "different"
    assert (
        compare_records(fit(val_auc=0.9, best_epoch=2.0), fit(val_auc=0.9, best_epoch=3.0)).verdict
        == "within noise"
    )
    assert (
        compare_records(fit(val_auc=0.9, best_epoch=2.0), fit(val_auc=0.5, best_epoch=2.0)).verdict
        == "different"
    )


def test_scores_of_test_decide_others_beside_them_are_noise() -> None:
    then = fit(test_auc=0.9, val_auc=0.9, train_auc=0.9)
    assert compare_records(then, fit(test_auc=0.9, val_auc=0.5, train_auc=0.1)).verdict == "within noise"
    assert compare_records(then, fit(test_auc=0.5, val_auc=0.9, train_auc=0.9)).verdict == "different"
    assert (
        compare_records(fit(val_auc=0.9, train_auc=0.9), fit(val_auc=0.5, train_auc=0.9)).verdict
        == "different"
    )


@pytest.mark.parametrize(
    ("metric", "kind", "parts"),
    [
        ("test_argmax_f1_macro", "score", ("test_argmax", "f1_macro")),
        ("val_recall_1", "score", ("val", "recall_1")),
        ("train_loss", "score", ("train", "loss")),
        ("tracking_cpu_seconds", "cost", None),
        ("peak_memory_mb_lstm_1", "cost", None),
        ("trials_complete", "fact", None),
        ("rows_used", "fact", None),
    ],
)
def test_metrics_are_told_apart_by_their_names(metric: str, kind: str, parts: tuple[str, str] | None) -> None:
    assert kind_of(metric) == kind
    assert split_of(metric) == parts


def search(*trials: RunRecord, best: float = 0.9) -> RunRecord:
    return RunRecord("search", "search", (), {"val_auc": best, "trials_complete": len(trials)}, below=trials)


def test_trials_are_paired_by_what_they_tried_whatever_their_order() -> None:
    a, b = fit(key="c=1", val_auc=0.9), fit(key="c=2", val_auc=0.8)
    assert compare_records(search(a, b), search(b, a)).verdict == "equal"
    twice = compare_records(search(a, a), search(a, a))
    assert (len(twice.pairs), twice.verdict) == (3, "equal")


def test_a_search_that_tried_other_settings_is_not_equal_though_what_it_shares_is() -> None:
    a, b, c = (fit(key=key, val_auc=0.9) for key in "abc")
    found = compare_records(search(a, b), search(a, c))
    assert [each.key for each in found.only_before] == [("b",)]
    assert [each.key for each in found.only_now] == [("c",)]
    assert found.verdict == "within noise"
    assert "1 runs then and 1 now have no counterpart" in answer(found, [])[0]


def test_the_scores_of_a_search_repeat_those_of_its_trials_and_are_not_judged_again() -> None:
    a = fit(key="a", val_auc=0.9)
    found = compare_records(search(a, best=0.9), search(a, best=0.5))
    assert (of(found, "val_auc").kind, found.verdict) == ("fact", "within noise")


def test_a_trial_that_was_pruned_elsewhere_is_not_judged_by_scores_of_another_epoch() -> None:
    then, now = (
        RunRecord("r", "r", (), {"epochs_run": float(n), "val_auc": 0.5 + n / 5}, {"outcome": "pruned"})
        for n in (1, 2)
    )
    assert {each.kind for each in compare_records(then, now).compared} == {"fact"}


def test_the_report_begins_with_the_verdict_and_the_likely_cause() -> None:
    found = compare_records(fit(answers(0.9)), fit(answers(0.1)))
    told = reproduction_report(found, CHECKS)
    assert told.answer[0].startswith("**Different**: fit, run `run-fit`; of 28 metrics and facts ")
    assert re.fullmatch(r"These differ: (test_\w+, ){3}test_\w+ and 23 more\.", told.answer[1])
    assert told.answer[2] == "**Likely cause: other versions** (numpy: 2.0, now 2.1)."
    assert "test reviews differently; f1_macro changed by -" in told.answer[3]
    assert told.answer[4] == "Next: install the original versions (numpy==2.0) and reproduce the run again."
    assert "| numpy | differs | 2.0 | 2.1 |" in told.markdown()


def test_every_pair_is_in_the_file_for_programs() -> None:
    a, b = fit(key="a", val_auc=0.9), fit(answers(0.6), key="b")
    written = json.loads(json.dumps(reproduction_json(compare_records(search(a, b), search(b, a)), CHECKS)))
    assert written["verdict"] == "equal"
    assert [each["name"] for each in written["runs"]] == ["search", "a", "b"]
    assert {
        "name": "val_auc",
        "kind": "score",
        "then": 0.9,
        "now": 0.9,
        "verdict": "equal",
        "noise": None,
    } in written["runs"][1]["metrics"]


def test_the_terminal_shows_each_fit_of_a_search_candidates_first() -> None:
    trials = [fit(key=f"trial {number}", val_auc=0.5 + number / 100) for number in range(30)]
    found = compare_records(search(*trials, fit(answers(0.6), key="candidate")), search(*trials))
    lines = short_table(found).text().splitlines()
    assert lines[0].split() == ["run", "metric", "then", "now", "difference", "verdict"]
    assert len(lines) == 13
    both = compare_records(
        search(*trials, fit(answers(0.6), key="candidate")),
        search(*trials, fit(answers(0.6), key="candidate")),
    )
    assert short_table(both).text().splitlines()[1].startswith("candidate")


def test_a_run_without_scores_shows_its_facts() -> None:
    then = RunRecord("p", "preprocess", (), {"reviews": 300.0}, {"digest of test": "abc"})
    table = main_table(
        compare_records(then, RunRecord("q", "preprocess", (), {"reviews": 300.0}, {"digest of test": "abd"}))
    )
    assert table.rows == (
        ("digest of test", "abc", "abd", "", "", "different"),
        ("reviews", "300", "300", "0", "", "equal"),
    )
