"""Whole files in memory, read, checked and split by the parts that the product calls chunk by chunk."""

from pathlib import Path

import numpy as np
import polars as pl

from starcast.reviews.check import CheckReport, conclude
from starcast.reviews.clean import Cleaner, join_title
from starcast.reviews.hashing import text_hashes
from starcast.reviews.inspection import inspect
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import OnBadRows, SplitRule
from starcast.reviews.split import SPLITS, draw_parts
from starcast.reviews.stream import read_chunks


def read_table(path: Path) -> pl.DataFrame:
    """Return all rows of a file as one table."""
    return pl.concat([chunk.table for chunk in read_chunks(path)])


def check_reviews(
    reviews: pl.DataFrame, layout: Layout, on_bad_rows: OnBadRows = "refuse", drop_duplicates: bool = True
) -> tuple[pl.DataFrame, CheckReport]:
    """Return the usable reviews of a table, with `rating` as its rank on the scale, from 1."""
    cleaned = Cleaner.create("light").clean(join_title(reviews))
    judged, report = conclude([inspect(reviews, cleaned)], layout, on_bad_rows, drop_duplicates)
    return reviews.with_columns(pl.Series("rating", judged.verdicts)).filter(pl.col("rating") > 0), report


def split_reviews(reviews: pl.DataFrame, rule: SplitRule, seed: int) -> dict[str, pl.DataFrame]:
    """Split checked reviews; rows keep their order."""
    parts = draw_parts(reviews["rating"].to_numpy(), text_hashes(reviews["text"]), rule, seed)
    return {name: reviews[np.sort(part)] for name, part in zip(SPLITS, parts, strict=True)}
