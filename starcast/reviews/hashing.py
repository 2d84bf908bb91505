"""Compute hashes that are equal on every machine: to find duplicates, draw splits and name tables."""

import numpy as np
import polars as pl
import polars_hash as plh

from starcast.reviews.parameters import SLICE


def text_hashes(texts: pl.Series) -> np.ndarray:
    """Return 64 bits for each text (xxHash's XXH3), shape (texts,), uint64; null counts as empty."""
    table = texts.fill_null("").alias("text").to_frame()
    return table.select(plh.col("text").nchash.xxh3_64()).to_series().to_numpy()


def mixed(values: np.ndarray) -> np.ndarray:
    """Scatter 64-bit numbers evenly, one to one (the last step of SplitMix64: Steele, Lea, Flood 2014)."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(0xBF58476D1CE4E5B9)
    values = values ^ (values >> np.uint64(27))
    values = values * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def uniform(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Return a number from 0 to 1 for each hash, which depends on the seed, shape (hashes,)."""
    return mixed(hashes + mixed(np.array([seed], dtype=np.uint64))) / 2.0**64


def digest_sum(table: pl.DataFrame) -> int:
    """Return the sum of the hashes of a table's rows, modulo 2^64; it depends on values and column names.

    Rows are identified by `review_id`, not by position: the sums of parts, in any order, add up to the whole.
    Columns that only slice the reviews do not count: the reviews are the same with and without them.
    """
    table = table.select(name for name in table.columns if not name.startswith(SLICE))
    rows = np.full(table.height, text_hashes(pl.Series([",".join(table.columns)]))[0])
    for column in table:
        if column.dtype == pl.String:  # null differs from the empty text
            values = text_hashes(column) + column.is_null().to_numpy().astype(np.uint64)
        else:
            values = column.cast(pl.Int64).to_numpy().view(np.uint64)
        rows = mixed(rows ^ mixed(values))
    return int(np.sum(rows, dtype=np.uint64))


def digest_text(total: int) -> str:
    """Return a sum, or a sum of sums, as 16 hexadecimal digits."""
    return f"{total % 2**64:016x}"
