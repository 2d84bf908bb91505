"""Drift of answered reviews: planted shifts are found, and named; without one, nothing is."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from starcast.evaluation.scale import STARS
from starcast.monitoring import answering
from starcast.monitoring.answering import answer, draw
from starcast.monitoring.drift import AnsweredReviews, Drift, find_drift, score_changes
from starcast.monitoring.report import MonitoringNotes, drift_json, drift_metrics, monitoring_report
from starcast.reports.origin import ReportOrigin
from starcast.reviews.parameters import SLICE
from tests.conftest import make_reviews

KNOWN = pl.Series(["lovely", "awful"])
NOTES = MonitoringNotes("m version 1", "new.csv", {"model": "m"})


def predicted(asked: pl.DataFrame) -> pl.DataFrame:
    """Answers that follow from the number of good words: as a model gives them."""
    good = asked["text"].str.count_matches("lovely|perfect|gorgeous|soft|great").to_numpy()
    bad = asked["text"].str.count_matches("awful|cheap|returned|terrible|itchy").to_numpy()
    centre = 3.5 + 0.8 * (good.astype(float) - bad)
    weights = np.exp(-0.7 * np.abs(np.arange(1, 6) - centre[:, None]))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    columns = {name: probabilities[:, i] for i, name in enumerate(STARS.probabilities)}
    unsure = probabilities.max(axis=1) < 0.5
    return pl.DataFrame({"rating": probabilities.argmax(axis=1) + 1, **columns, "needs_review": unsure})


def answered(rows: int, seed: int, **columns: pl.Expr | pl.Series) -> AnsweredReviews:
    """Answered reviews, some of whose columns are replaced."""
    read = make_reviews(rows, seed).select(pl.col("text").str.replace(r" n\d+$", ""), pl.col("rating") - 1)
    reviews = read.with_columns(**columns)
    return answer(reviews, predicted, STARS, KNOWN, rows, "reviews", (rows // 20, rows))


BEFORE = answered(1_000, 1)


def found(now: AnsweredReviews) -> list[str]:
    return [check.key for check in find_drift(BEFORE, now, 0).changed]


def test_without_a_shift_it_is_as_before() -> None:
    drift = find_drift(BEFORE, answered(500, 2), 0)
    assert drift.verdict == "as before"
    keys = [check.key for check in drift.checks]
    assert len(set(keys)) == len(keys) == 12


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"rating": pl.lit(-1)}, []),
        (
            {"rating": (pl.col("rating") - 1).clip(0)},
            ["true ratings", "error", "f1_macro", "quadratic_kappa"],
        ),
        ({"text": pl.lit("una prenda preciosa")}, ["unknown words", "single words"]),
        ({"text": pl.lit("красивое платье")}, ["unknown words", "script", "single words"]),
        ({"text": pl.col("text") + " " + pl.col("text")}, ["predicted ratings", "length"]),
    ],
)
def test_a_planted_shift_is_found_by_the_checks_that_look_there(
    columns: dict[str, pl.Expr], expected: list[str]
) -> None:
    keys = found(answered(500, 2, **columns))
    assert set(expected) <= set(keys)
    assert bool(keys) is bool(expected)


def test_a_slice_that_is_gone_is_named() -> None:
    departments = pl.DataFrame({"slice_department": ["tops", "dresses"] * 500})
    before, now = replace(BEFORE, slices=departments), answered(500, 2)
    same = replace(now, slices=departments[:500])
    gone = replace(now, slices=departments[:500].with_columns(slice_department=pl.lit("tops")))
    assert find_drift(before, same, 0).verdict == "as before"
    assert find_drift(before, gone, 0).verdict == "changed: slices by department"


def test_more_rows_without_a_text_are_noticed_where_the_share_is_known() -> None:
    now = replace(answered(500, 2), blank=(100, 600))
    assert found(now) == ["no text"]
    keys = [check.key for check in find_drift(replace(BEFORE, blank=None), now, 0).checks]
    assert "no text" not in keys


def test_scores_that_did_not_change_have_intervals_around_zero() -> None:
    changes = score_changes(BEFORE, answered(500, 2), 0)
    assert list(changes) == ["f1_macro", "quadratic_kappa", "accuracy", "mae"]
    for change in changes.values():
        assert change.difference.low < 0 < change.difference.high
        assert change.difference.value == pytest.approx(change.now.value - change.before.value)
    assert score_changes(BEFORE, answered(90, 2), 0) == {}


@settings(max_examples=30)
@given(sizes=st.lists(st.integers(0, 30), min_size=1, max_size=8), most=st.integers(1, 60))
def test_what_is_drawn_does_not_depend_on_the_chunks(sizes: list[int], most: int) -> None:
    rows = sum(sizes)
    whole = pl.DataFrame({"n": range(rows)}, schema={"n": pl.Int64})
    ends = [0, *np.cumsum(sizes).tolist()]
    chunks = [whole[start:end] for start, end in pairwise(ends)]
    drawn, count = draw(chunks, most, 1)
    assert count == rows
    assert drawn["n"].to_list() == draw([whole], most, 1)[0]["n"].to_list()
    assert drawn["n"].is_sorted()
    assert drawn["n"].n_unique() == min(rows, most)


def test_answers_are_those_of_each_review_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "CHUNK", 7)
    again = answered(1_000, 1)
    assert (again.probabilities == BEFORE.probabilities).all()
    assert (again.predicted == BEFORE.predicted).all()


def shifted() -> Drift:
    """Reviews of another language, with stars."""
    return find_drift(BEFORE, answered(500, 2, text=pl.lit("una **prenda** | preciosa")), 0)


def test_the_report_begins_with_the_verdict_and_shows_every_check(tmp_path: Path) -> None:
    drift = shifted()
    monitoring_report(drift, NOTES).save(
        tmp_path, ReportOrigin("2026-01-31", "monitor", (), "http://localhost")
    )
    markdown = (tmp_path / "report.md").read_text()
    assert markdown.splitlines()[2].startswith("**Changed: ")
    for heading in ("Checks", "Answers and texts", "Words that changed", "Scores", "What was compared"):
        assert f"## {heading}" in markdown
    assert all(f"| {check.key} |" in markdown for check in drift.checks)
    assert re.search(r"^\| prenda \|.* una .*prenda.* preciosa \|$", markdown, re.M)
    assert (tmp_path / "answers_and_texts.png").stat().st_size > 5_000


def test_reviews_without_a_single_word_are_drawn(tmp_path: Path) -> None:
    drift = find_drift(BEFORE, answered(500, 2, text=pl.lit("")), 0)
    origin = ReportOrigin("2026-01-31", "monitor", (), "http://localhost")
    monitoring_report(drift, NOTES).save(tmp_path, origin)
    assert drift_metrics(drift)["new/unknown_words"] == 1


def test_a_column_of_any_name_gives_a_metric_that_mlflow_takes() -> None:
    sliced = {f"{SLICE}Size (cm)": pl.lit("40"), f"{SLICE}a//b": pl.lit("x")}
    drift = find_drift(answered(1_000, 1, **sliced), answered(500, 2, **sliced), 0)
    metrics = drift_metrics(drift)
    for name in metrics:
        _validate_metric_name(name)
    assert {"effect/slices_by_Size__cm_", "effect/slices_by_a__b"} <= metrics.keys()


def test_a_report_without_ratings_has_no_scores() -> None:
    drift = find_drift(BEFORE, answered(500, 2, rating=pl.lit(-1)), 0)
    headings = [section.heading for section in monitoring_report(drift, NOTES).sections]
    assert headings == ["Checks", "Answers and texts", "Words that changed", "What was compared"]


def test_everything_is_there_for_programs_and_for_curves() -> None:
    drift = shifted()
    values, metrics = drift_json(drift, NOTES), drift_metrics(drift)
    assert values["verdict"] == drift.verdict
    assert values["changed"] == [check.key for check in drift.changed]
    assert metrics["checks_changed"] == len(drift.changed)
    assert metrics["reviews"] == 500
    assert {"new/f1_macro", "new/confidence", "effect/unknown_words", "effect/single_words"} <= metrics.keys()
    assert all(np.isfinite(value) for value in metrics.values())
