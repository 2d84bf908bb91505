"""Public files go from disk to checked reviews without a column named."""

import polars as pl
import pytest

from starcast.reviews.check import CheckReport
from starcast.reviews.inspection import to_reviews
from starcast.reviews.layouts import Layout, recognise
from starcast.reviews.sources import PROJECT
from tests.reviews.tables import check_reviews, read_table

RAW = PROJECT / "data" / "raw"
WIRELESS, DEVICES = RAW / "amazon_us_wireless_1k.csv", RAW / "amazon_devices_1429_1.csv.gz"
REASON = "real data is not in data/raw: see data/README.md"


def checked(table: pl.DataFrame) -> tuple[pl.DataFrame, Layout, CheckReport]:
    layout = recognise(table.columns)
    reviews, report = check_reviews(to_reviews(table, layout), layout)
    return reviews, layout, report


@pytest.mark.skipif(not WIRELESS.exists(), reason=REASON)
def test_study_bs_layout() -> None:
    reviews, layout, report = checked(read_table(WIRELESS))
    assert (layout.text, layout.rating) == ("review_body", "star_rating")
    assert (report.read, reviews.height) == (1000, 951)
    assert report.kept == {1: 140, 2: 65, 3: 88, 4: 140, 5: 518}
    assert reviews["text"].is_unique().all()


@pytest.mark.skipif(not DEVICES.exists(), reason=REASON)
def test_the_layout_with_dots_in_its_names() -> None:
    reviews, layout, report = checked(read_table(DEVICES))
    assert (layout.text, layout.rating) == ("reviews.text", "reviews.rating")
    assert (report.read, reviews.height) == (34_660, 34_569)
    assert (report.dropped["no text"], report.dropped["no rating"]) == (1, 33)
    assert report.kept == {1: 410, 2: 399, 3: 1499, 4: 8531, 5: 23_730}
