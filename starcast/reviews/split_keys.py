"""Read what a row says about its split: the split's name, a group that must not be cut, or a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import polars as pl

from starcast.reviews.hashing import text_hashes
from starcast.reviews.parameters import SplitRule
from starcast.reviews.times import UNREAD, choose_reading, read_times

NAMED = ("train", "training"), ("validation", "valid", "val", "dev", "development"), ("test", "testing")
CODES = {spelling: code for code, spellings in enumerate(NAMED) for spelling in spellings}
EXAMPLES = 3  # values that an error message names


@dataclass(frozen=True)
class SplitKeys:
    """What some rows say about their splits, by the way in which their column is read.

    Attributes:
        readings: index in `SPLITS`, hash of the group, or time in ms; `UNREAD` where a value cannot be read.
            Shape (rows,), int64. Only a column of times can be read in more than one way.
        missing: which rows have no value, shape (rows,).
        unread: the first values that a reading cannot read, with their rows; under "" those of any other.
    """

    readings: dict[str, np.ndarray]
    missing: np.ndarray
    unread: dict[str, dict[str, int]]


@dataclass(frozen=True)
class ColumnKeys:
    """What all rows say, once the whole column has decided how it is read: a key per row, as above."""

    reading: str
    keys: np.ndarray
    missing: np.ndarray
    unread: dict[str, int]


def read_keys(column: pl.Series, rule: SplitRule, time_format: str = "") -> SplitKeys:
    """Read a chunk of the column that `split=given`, `group` or `time` goes by."""
    text = column.cast(pl.String, strict=False).str.strip_chars().fill_null("")
    missing = (text == "").to_numpy()
    if rule == "time":
        readings = read_times(column, time_format)
    elif rule == "group":
        readings = {"": text_hashes(text).view(np.int64)}
    else:
        codes = text.str.to_lowercase().replace_strict(CODES, default=UNREAD, return_dtype=pl.Int64)
        readings = {"": codes.to_numpy()}
    nothing = np.full(len(text), UNREAD)
    unread = {
        name: _examples(text, (keys == UNREAD) & ~missing) for name, keys in {"": nothing, **readings}.items()
    }
    return SplitKeys(readings, missing, unread)


def same_key(key: int, rows: int) -> SplitKeys:
    """Return the keys of rows that all say the same: those of a file that is one split."""
    return SplitKeys({"": np.full(rows, key)}, np.zeros(rows, dtype=bool), {"": {}})


def _examples(text: pl.Series, where: np.ndarray) -> dict[str, int]:
    """Return the first few different values of some rows, with the first row of each."""
    if not where.any():
        return {}
    found = text.to_frame("value").with_row_index("row").filter(where).unique("value", keep="first")
    return dict(found.sort("row").select("value", "row").head(EXAMPLES).iter_rows())


def join_keys(parts: Sequence[SplitKeys], usable: np.ndarray) -> ColumnKeys:
    """Join the keys of all chunks of a file, in order.

    Args:
        usable: whether a row is of use but for its split, shape (rows,); others have no say in how to read.

    Raises:
        UserError: times that can be read in two ways.
    """
    missing = np.concatenate([part.missing for part in parts])
    names = dict.fromkeys(name for part in parts for name in part.readings) or {"": None}
    readings = {
        name: np.concatenate([part.readings.get(name, np.full(len(part.missing), UNREAD)) for part in parts])
        for name in names
    }
    told = usable & ~missing
    best = choose_reading({name: keys[told] for name, keys in readings.items()})
    begins = accumulate((len(part.missing) for part in parts), initial=0)
    unread: dict[str, int] = {}
    for part, begin in zip(parts, begins, strict=False):
        for value, row in part.unread.get(best, part.unread[""]).items():
            unread.setdefault(value, row + begin)
    return ColumnKeys(best, readings[best], missing, unread)
