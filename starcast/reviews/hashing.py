"""Hashes that are the same on every machine, in any order of work: they find duplicates, draw splits and name tables."""

import numpy as np
import polars as pl
import polars_hash as plh


def text_hashes(texts: pl.Series) -> np.ndarray:
    """64 bits of each text (xxHash's XXH3), shape (texts,), uint64; of null, that of the empty text."""
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
    """A number from 0 to 1 for each hash, another one for each seed, shape (hashes,)."""
    shifted = hashes + mixed(np.array([seed], dtype=np.uint64))
    return mixed(shifted) / 2.0**64


def digest_sum(table: pl.DataFrame) -> int:
    """The sum of the hashes of a table's rows, modulo 2^64: it changes with any value, name or place of a column.

    Rows are known by their `review_id`, not by where they stand: sums of parts, in any order, add up to that of the whole.
    """
    rows = np.full(table.height, text_hashes(pl.Series([",".join(table.columns)]))[0])
    for column in table:
        rows = mixed(rows ^ mixed(_values(column)))
    return int(np.sum(rows, dtype=np.uint64))


def _values(column: pl.Series) -> np.ndarray:
    """A number per value, uint64; null is not the empty text."""
    if column.dtype != pl.String:
        return column.cast(pl.Int64).to_numpy().view(np.uint64)
    return text_hashes(column) + column.is_null().to_numpy().astype(np.uint64)


def digest_text(total: int) -> str:
    """A sum, or a sum of sums, as 16 hexadecimal digits."""
    return f"{total % 2**64:016x}"
