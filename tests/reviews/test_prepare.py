"""Facts about the splits."""

import polars as pl
import pytest

from starcast.reviews.prepare import length_summary


def test_summary_of_lengths_by_hand() -> None:
    expected = {"mean": 3.0, "std": 1.5811388, "min": 1.0, "q1": 2.0, "median": 3.0, "q3": 4.0, "max": 5.0}
    assert length_summary(pl.DataFrame({"characters": [5, 1, 4, 2, 3], "reviews": [1] * 5})) == pytest.approx(
        expected
    )
