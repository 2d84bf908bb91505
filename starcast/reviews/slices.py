"""Slice the reviews of a split: by length, script and title, and by the columns kept for that."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from starcast.evaluation.slices import Slicing
from starcast.reviews.parameters import SLICE
from starcast.reviews.parquet import MANY, read_row_groups, schema_of
from starcast.reviews.scripts import main_scripts

ENDS = (10, 20, 50, 100, 200)  # most words of a slice; the last is open
LENGTHS = ("0 to 10 words", *(f"{low + 1} to {high} words" for low, high in pairwise(ENDS)), "over 200 words")
TITLED = ("without title", "with title")
MOST_VALUES = 10  # per column; with more, numbers are cut at quartiles, rare other values pooled
MISSING, OTHER, NO_LETTERS = "(missing)", "(other)", "(no letters)"
Named = tuple[Sequence[str], np.ndarray]  # names of slices, number of each review's


def slices_of(split: Path) -> list[Slicing]:
    """Return the slices of a split's reviews, in their order.

    These are `length` (in words that a model reads), `script`, `title` and the columns of `slice_columns`.
    """
    names = [name for name in schema_of(split) if name in ("title", "cleaned") or name.startswith(SLICE)]
    return slicings(pl.concat([facts_of(rows) for rows in read_row_groups(split, columns=names)]))


def slices_among(reviews: pl.DataFrame) -> list[Slicing]:
    """Return the same of reviews that are in memory, as they are in a split."""
    return slicings(pl.concat(map(facts_of, reviews.iter_slices(MANY))))


def facts_of(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return what reviews are sliced by: number of `words`, main `script`, `titled` or not, kept columns.

    Args:
        reviews: some thousands at most, as they are in a split.
    """
    cleaned = reviews["cleaned"]
    words = cleaned.str.count_matches(" ", literal=True) + (cleaned != "").cast(pl.UInt32)
    no_title = pl.Series([False]).new_from_index(0, reviews.height)
    titled = reviews["title"].str.strip_chars() != "" if "title" in reviews.columns else no_title
    own = [reviews[name] for name in reviews.columns if name.startswith(SLICE)]
    facts = {"words": words, "script": main_scripts(cleaned), "titled": titled.fill_null(value=False)}
    return pl.DataFrame(facts).with_columns(own)


def slicings(facts: pl.DataFrame) -> list[Slicing]:
    """Return the slices of reviews of which `facts_of` has told all."""
    ways = {
        "length": (LENGTHS, np.searchsorted(ENDS, facts["words"].to_numpy())),
        "script": _by_frequency(facts["script"].replace("", NO_LETTERS)),
        "title": (TITLED, facts["titled"].to_numpy().astype(np.int64)),
    }
    for column in facts.columns[3:]:
        name = column.removeprefix(SLICE)
        ways[column if name in (*ways, "rating") else name] = _few(facts[column])
    return [Slicing(name, *named) for name, named in ways.items()]


def _few(values: pl.Series) -> Named:
    """Return a few slices by the values of a column: numbers by quartiles, else the most frequent values."""
    values = values.str.replace_all(r"\s+", " ")  # of a value in several lines, no picture has room
    counts = _counted(values.filter(values != ""))
    if counts.height <= MOST_VALUES:
        return _by_frequency(values.replace("", MISSING))
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.is_finite().sum() == counts["count"].sum():
        return _by_quartile(numbers.to_numpy())
    frequent = counts["value"].head(MOST_VALUES).implode()
    kept = pl.when(values == "").then(pl.lit(MISSING)).when(values.is_in(frequent)).then(values)
    return _by_frequency(pl.select(kept.otherwise(pl.lit(OTHER))).to_series())


def _by_frequency(values: pl.Series) -> Named:
    """Return a slice for each value, the most frequent first, but what stands for others or none last."""
    order = _counted(values)["value"].to_list()
    order.sort(key=lambda value: value in (MISSING, OTHER, NO_LETTERS))
    places = values.replace_strict(order, range(len(order)), return_dtype=pl.Int64)
    return order, places.to_numpy()


def _counted(values: pl.Series) -> pl.DataFrame:
    counts = values.alias("value").value_counts()
    return counts.sort("count", "value", descending=[True, False])


def _by_quartile(numbers: np.ndarray) -> Named:
    """Return a slice for each quarter of numbers; NaN is missing."""
    edges = np.unique(np.nanquantile(numbers, [0, 0.25, 0.5, 0.75, 1], method="nearest"))
    ends = [(f"{low:.15g}", f"{high:.15g}") for low, high in pairwise(edges)]
    names = [f"{'above ' if i else ''}{low} to {high}" for i, (low, high) in enumerate(ends)]
    places = np.searchsorted(edges[1:], numbers)  # NaN comes after all numbers
    return ([*names, MISSING] if np.isnan(numbers).any() else names), places
