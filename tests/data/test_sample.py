"""The sample in the project: what its script makes, and like study A's reviews."""

import runpy

import polars as pl
import pytest

from starcast.reviews.inspection import to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.sources import PROJECT, SAMPLE
from tests.reviews.tables import check_reviews, read_table

STUDY_A = {1: 821, 2: 1549, 3: 2823, 4: 4908, 5: 12_540}


@pytest.fixture(scope="module")
def made() -> pl.DataFrame:
    return runpy.run_path(str(PROJECT / "data" / "make_sample.py"))["make_sample"]()


def test_the_file_is_what_the_script_makes(made: pl.DataFrame) -> None:
    assert SAMPLE.read_bytes() == made.write_csv().encode()


def test_the_sample_passes_the_checks_with_something_to_drop() -> None:
    raw = read_table(SAMPLE)
    layout = recognise(raw.columns)
    reviews, report = check_reviews(to_reviews(raw, layout), layout)
    assert layout.name == "plain"
    assert report.dropped["no text"] == 40
    assert report.dropped["same text as an earlier review"] >= 10
    assert report.dropped["no rating"] == report.rejected.height == 0
    assert reviews.height >= 2900


def test_class_shares_are_study_as_within_three_points() -> None:
    raw = read_table(SAMPLE)
    layout = recognise(raw.columns)
    _, report = check_reviews(to_reviews(raw, layout), layout)
    for rating, rows in report.kept.items():
        share, study = rows / sum(report.kept.values()), STUDY_A[rating] / sum(STUDY_A.values())
        assert share == pytest.approx(study, abs=0.03), f"{rating} stars"
