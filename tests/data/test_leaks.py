"""No text of a real set's test split, as a model reads it, also stands in what the model learned from."""

from pathlib import Path

import polars as pl
import pytest

from starcast.reviews.clean import Cleaner
from starcast.reviews.parameters import DataParameters
from starcast.reviews.prepare import prepare_here
from starcast.reviews.sources import CLOTHING
from starcast.reviews.split import LEARNED_FROM

FILES = ("amazon_devices_1429_1.csv.gz", "amazon_us_wireless_1k.csv", "reviews_mixed_154k.parquet")


@pytest.mark.parametrize("name", [CLOTHING.name, *FILES])
def test_no_cleaned_text_of_the_test_was_learned_from(name: str, tmp_path: Path) -> None:
    file = CLOTHING.with_name(name)
    if not file.exists():
        pytest.skip("real data is not in data/raw: see data/README.md")
    prepare_here(DataParameters(data=str(file)), {"data": file}, Cleaner.create("light"), tmp_path)
    test, *learned = (
        pl.read_parquet(tmp_path / f"{split}.parquet")["cleaned"] for split in ("test", *LEARNED_FROM)
    )
    assert int(test.is_in(pl.concat(learned).implode()).sum()) == 0
