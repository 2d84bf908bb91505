"""Study A's file, held against the figures the study published."""

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import polars as pl
import pytest

from starcast.reviews.check import CheckReport
from starcast.reviews.inspection import to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.prepare import length_summary
from starcast.reviews.sources import CLOTHING, check_clothing, download_clothing
from tests.reviews.tables import check_reviews, read_table, split_reviews

pytestmark = pytest.mark.skipif(
    not CLOTHING.exists(), reason="real data is not in data/raw: see data/README.md"
)


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    return read_table(CLOTHING)


def checked(raw: pl.DataFrame, drop_duplicates: bool) -> tuple[pl.DataFrame, CheckReport]:
    layout = recognise(raw.columns)
    return check_reviews(to_reviews(raw, layout), layout, drop_duplicates=drop_duplicates)


@pytest.fixture(scope="module")
def reviews(raw: pl.DataFrame) -> pl.DataFrame:
    """The study's reviews: all with a text, duplicates kept."""
    return checked(raw, drop_duplicates=False)[0]


def counts(table: pl.DataFrame) -> list[int]:
    return [int((table["rating"] == rating).sum()) for rating in (1, 2, 3, 4, 5)]


def test_rows_with_text_and_rows_per_rating(raw: pl.DataFrame) -> None:
    assert raw.shape == (23_486, 11)
    reviews, report = checked(raw, drop_duplicates=False)
    assert reviews.height == 22_641
    assert (report.dropped["no text"], report.dropped["no rating"]) == (845, 0)
    assert counts(reviews) == [821, 1549, 2823, 4908, 12_540] == list(report.kept.values())


def test_length_of_the_texts(reviews: pl.DataFrame) -> None:
    summary = length_summary(reviews.select(characters=pl.col("text").str.len_chars(), reviews=pl.lit(1)))
    assert round(summary["mean"], 6) == 308.687911
    assert round(summary["std"], 6) == 143.940048
    assert [summary[name] for name in ("min", "q1", "median", "q3", "max")] == [9, 186, 301, 459, 508]


def test_study_as_split(reviews: pl.DataFrame) -> None:
    parts = split_reviews(reviews, "study_a", 42)
    assert {name: part.height for name, part in parts.items()} == {
        "train": 12_678,
        "validation": 5_434,
        "test": 4_529,
    }
    assert counts(parts["test"]) == [164, 310, 565, 982, 2508]


def test_study_a_kept_its_seven_duplicates(reviews: pl.DataFrame) -> None:
    parts = split_reviews(reviews, "study_a", 42)
    texts = pl.concat(parts.values())["text"]
    assert texts.len() - texts.n_unique() == 7


def test_the_default_split_has_no_text_twice(raw: pl.DataFrame) -> None:
    reviews, report = checked(raw, drop_duplicates=True)
    assert report.dropped["same text as an earlier review"] == 7
    texts = {name: set(part["text"]) for name, part in split_reviews(reviews, "stratified", 42).items()}
    assert sum(map(len, texts.values())) == reviews.height == 22_634
    assert not texts["train"] & texts["test"]
    assert not texts["train"] & texts["validation"]
    assert not texts["validation"] & texts["test"]


def test_the_default_split_keeps_the_shares_of_the_ratings(raw: pl.DataFrame) -> None:
    reviews, _ = checked(raw, drop_duplicates=True)
    for part in split_reviews(reviews, "stratified", 42).values():
        for rows, whole in zip(counts(part), counts(reviews), strict=True):
            assert rows / part.height == pytest.approx(whole / reviews.height, abs=2 / part.height)


def test_the_file_as_openml_spells_it_is_written_with_the_same_reviews(
    raw: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.read_csv(CLOTHING).rename(columns=lambda name: str(name).replace(" ", "_"))
    assert {"Review_Text", "Rating"} <= set(frame.columns)
    monkeypatch.setattr("sklearn.datasets.fetch_openml", lambda **_: SimpleNamespace(frame=frame))
    target = download_clothing(tmp_path / "clothing.csv")
    columns = ["Title", "Review Text", "Rating"]
    assert read_table(target).select(columns).equals(raw.select(columns))
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_itself_passes_the_check_of_a_download() -> None:
    check_clothing(pd.read_csv(CLOTHING))
