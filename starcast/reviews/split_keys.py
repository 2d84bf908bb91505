"""Read what a row says about its split: the split's name, a group that must not be cut, or a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.clean import NULLS
from starcast.reviews.hashing import text_hashes
from starcast.reviews.parameters import SplitBy
from starcast.reviews.times import UNREAD, choose_reading, read_times

NAMED = ("train", "training"), ("validation", "valid", "val", "dev", "development"), ("test", "testing")
CODES = {spelling: code for code, spellings in enumerate(NAMED) for spelling in spellings}
WANTED = {"given": "train, validation or test", "group": "a group", "time": "a time"}
NO_KEYS = (pl.Binary, pl.Duration, pl.Object)  # types of a column that names no split, group or time
EXAMPLES, LONGEST_EXAMPLE = 3, 40  # values that a message names, and their characters


@dataclass(frozen=True)
class SplitKeys:
    """What some rows say about their splits, by the way in which their column is read.

    Attributes:
        readings: index in `SPLITS`, hash of the group, or time in ms; `UNREAD` where a value cannot be read.
            Shape (rows,), int64. Only a column of times can be read in more than one way.
        missing: which rows have no value, shape (rows,).
        unread: some values that a reading cannot read; under "" those of any other reading.
    """

    readings: dict[str, np.ndarray]
    missing: np.ndarray
    unread: dict[str, list[str]]


@dataclass(frozen=True)
class ColumnKeys:
    """What all rows say, once the whole column has decided how it is read.

    Attributes:
        keys: as in `SplitKeys`, shape (rows,).
        missing: shape (rows,).
        unread: what is wrong with the rows that cannot be read, in words.
    """

    keys: np.ndarray
    missing: np.ndarray
    unread: str


def read_keys(table: pl.DataFrame, split: SplitBy) -> SplitKeys | None:
    """Read what a chunk says about the splits of its rows, if the rule goes by that.

    Raises:
        UserError: the column holds lists, structures, bytes or durations, or times of day where days count.
    """
    if split.part is not None:
        return SplitKeys(
            {"": np.full(table.height, split.part)}, np.zeros(table.height, dtype=bool), {"": []}
        )
    if not split.column:
        return None
    column = table[split.column]
    no_date = split.rule == "time" and column.dtype == pl.Time
    if column.dtype.is_nested() or column.dtype in NO_KEYS or no_date:
        what = f"column {split.column!r} holds {column.dtype}, not plain values"
        raise UserError(f"{split.parameter}: {what}; name another column")
    text = column.cast(pl.String, strict=False).str.strip_chars().fill_null("")
    missing = text.is_in(["", *NULLS]).to_numpy()
    if split.rule == "time":
        readings = read_times(column, split.time_format)
    elif split.rule == "group":
        readings = {"": text_hashes(text).view(np.int64)}
    else:
        codes = text.str.to_lowercase().replace_strict(CODES, default=UNREAD, return_dtype=pl.Int64)
        readings = {"": codes.to_numpy()}
    unread = {"": ~missing, **{name: (keys == UNREAD) & ~missing for name, keys in readings.items()}}
    return SplitKeys(readings, missing, {name: _examples(text, where) for name, where in unread.items()})


def _examples(text: pl.Series, where: np.ndarray) -> list[str]:
    different = text.filter(where).unique(maintain_order=True) if where.any() else text.clear()
    return different.head(EXAMPLES).str.head(LONGEST_EXAMPLE).to_list()


def join_keys(parts: Sequence[SplitKeys], usable: np.ndarray, split: SplitBy) -> ColumnKeys:
    """Join what all chunks of the data say, in order.

    Args:
        usable: whether a row is of use but for its split, shape (rows,); others have no say in how to read.

    Raises:
        UserError: times can be read in two ways, or no value can be read.
    """
    missing = np.concatenate([part.missing for part in parts])
    readings = {
        name: np.concatenate([part.readings.get(name, np.full(len(part.missing), UNREAD)) for part in parts])
        for name in dict.fromkeys(chain.from_iterable(part.readings for part in parts)) or ("",)
    }
    told = usable & ~missing
    best = choose_reading({name: keys[told] for name, keys in readings.items()}, split.column)
    values = chain.from_iterable(part.unread.get(best, part.unread[""]) for part in parts)
    examples = ", ".join(map(repr, islice(dict.fromkeys(values), EXAMPLES)))
    where = f"column {split.column!r}"
    if told.any() and (readings[best][told] == UNREAD).all():
        remedy = f"name another column{', or pass time_format' if split.rule == 'time' else ''}"
        what = f"nothing in {where} is {WANTED[split.rule]}, but {examples}"
        raise UserError(f"{split.parameter}: {what}; {remedy}")
    return ColumnKeys(readings[best], missing, f"not {WANTED[split.rule]} in {where}, but {examples}")
