"""Look at rows chunk by chunk: what is to be known of each before the scale of all ratings is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from polars import selectors

from starcast.cli.errors import UserError
from starcast.reviews.clean import without_nulls
from starcast.reviews.hashing import text_hashes
from starcast.reviews.layouts import Layout, check_values
from starcast.reviews.near_duplicates import signatures
from starcast.reviews.parameters import SLICE
from starcast.reviews.parsing import NOTHING_REJECTED, Rejected
from starcast.reviews.scales import RecognisedScale
from starcast.reviews.split_keys import SplitKeys

MOST_VALUES = 1_000  # different ratings in a chunk: a column with more of them is another one
# Verdicts other than a rating's rank, which is 1 or more.
NO_TEXT, NO_RATING, BAD_RATING, UNREADABLE = 0, -1, -2, -3
DUPLICATE, NO_KEY, BAD_KEY, HELD_OUT, NEAR_DUPLICATE = -4, -5, -6, -7, -8


@dataclass(frozen=True)
class ReadRows:
    """What is known of some rows before all are read.

    Attributes:
        values: the different ratings, as written; empty: missing.
        codes: the place of each row's rating in `values`; -1 without text, -2 if unreadable; int16.
        hashes: of what a model reads of each row, uint64.
        rejected: why rows are unreadable, by their position.
        keys: what they say about their splits, if the rule goes by that.
        minima: of the words of each row, where near duplicates are looked for; uint32, (rows, 32).
    """

    values: Sequence[str]
    codes: np.ndarray
    hashes: np.ndarray
    rejected: Mapping[int, Rejected] = field(default_factory=dict)
    keys: SplitKeys | None = None
    minima: np.ndarray | None = None

    def counts(self) -> dict[str, int]:
        """Return how many of the rows with a text have which rating."""
        rows = np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).tolist()
        return {value: count for value, count in zip(self.values, rows, strict=True) if count}

    def verdicts(self, scale: RecognisedScale) -> np.ndarray:
        """Return the verdict on each row, int8."""
        ranks = [
            scale.ranks.get(value, NO_RATING if value in scale.missing else BAD_RATING)
            for value in self.values
        ]
        # The codes -2 and -1 pick the last two.
        return np.array([*ranks, UNREADABLE, NO_TEXT], dtype=np.int8)[self.codes]


def to_reviews(
    table: pl.DataFrame, layout: Layout, before: int = 0, slices: Sequence[str] = ()
) -> pl.DataFrame:
    """Return `review_id` (row number in the file), `text`, `rating` (as written) and `title` of a table.

    Args:
        before: number of rows of the file before those of the table.
        slices: columns that slice the reviews; they follow as text, named `slice_...`, empty where missing.

    Raises:
        UserError: a column holds lists or structures.
    """
    check_values(table.schema, layout, slices)
    # Named by a selector: `pl.col` reads a name such as `*` or `^a.*$` as a pattern.
    columns = {
        "text": without_nulls(selectors.by_name(layout.text).cast(pl.String, strict=False)),
        "rating": selectors.by_name(layout.rating).cast(pl.String, strict=False).str.strip_chars(),
    }
    if layout.title:
        title = selectors.by_name(layout.title).cast(pl.String, strict=False)
        columns["title"] = without_nulls(title).fill_null("")
    for name in slices:
        sliced = selectors.by_name(name).cast(pl.String, strict=False).str.strip_chars()
        columns[SLICE + name] = without_nulls(sliced).fill_null("")
    return table.select(review_id=pl.int_range(before, before + pl.len(), dtype=pl.Int64), **columns)


def inspect(
    reviews: pl.DataFrame,
    cleaned: pl.Series,
    rejected: Mapping[int, Rejected] = NOTHING_REJECTED,
    keys: SplitKeys | None = None,
    near: bool = False,
) -> ReadRows:
    """Look at some rows once, for the checks that need all rows.

    Args:
        reviews: as `to_reviews` returns them.
        cleaned: what a model reads of each.
        rejected: unreadable rows, by their position.
        keys: what they say about their splits.
        near: whether near duplicates will be looked for.

    Raises:
        UserError: the ratings are too different to be ratings.
    """
    written = reviews["rating"].fill_null("")
    values = written.unique(maintain_order=True)
    if len(values) > MOST_VALUES:
        what = f"{len(values):,} different ratings in {len(written):,} rows, such as {values[1][:40]!r}"
        raise UserError(f"{what}; name the column that holds the ratings with rating_column")
    places = pl.int_range(len(values), dtype=pl.Int16, eager=True)
    codes = written.replace_strict(values, places).to_numpy(writable=True)
    codes[(reviews["text"].fill_null("").str.strip_chars() == "").to_numpy()] = -1
    codes[list(rejected)] = -2
    minima = signatures(cleaned) if near else None
    return ReadRows(values.to_list(), codes, text_hashes(cleaned), rejected, keys, minima)
