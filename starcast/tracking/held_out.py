"""The test and training reviews of a registered model, found through its run's inputs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import mlflow
import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.clean import reading_hashes
from starcast.reviews.hashing import digest_sum, digest_text
from starcast.reviews.parquet import read_row_groups
from starcast.reviews.split import LEARNED_FROM
from starcast.tracking.access import explained
from starcast.tracking.artifacts import fetch
from starcast.tracking.lineage import OF_RUN, Input, inputs_of
from starcast.tracking.registry import Version


def chunks_of(split: Input) -> Iterator[pl.DataFrame]:
    """Yield the rows of a split that a run keeps, some at a time.

    Raises:
        UserError: the split is gone or, checked after the last row, differs from what the run logged.
    """
    run_id, _, path = split.source.removeprefix(OF_RUN).partition("/")
    try:
        yield from checked_rows(fetch(run_id, path), split.digest, split.source)
    except UserError as why:
        raise UserError(f"{split.context} split: {why}; put it back, or train the model again") from None


def checked_rows(file: Path, digest: str, named: str) -> Iterator[pl.DataFrame]:
    """Yield a split's rows in chunks; after the last, raise a UserError if their digest is not `digest`."""
    total = 0
    # Any error that a damaged or another file causes in its reader.
    with explained(f"{named} is damaged or another file ({{reason}})", Exception):
        for table in read_row_groups(file):
            total += digest_sum(table)
            yield table
    found = digest_text(total)
    if found != digest:
        raise UserError(f"{named} holds other reviews: their digest is {found}, not {digest}")


def splits_of(version: Version) -> dict[str, Input]:
    """Return the splits of the run that a version comes from, by name.

    Raises:
        UserError: the run is gone, or it names no splits.
    """
    with explained(f"model {version.uri}: the run it comes from cannot be read ({{reason}})"):
        run = mlflow.get_run(version.run_id)
    splits = {each.context: each for each in inputs_of(run) if each.source.startswith(OF_RUN)}
    missing = " and ".join(name for name in ("test", *LEARNED_FROM) if name not in splits)
    if missing:
        names = f"its run {version.run_id} names no {missing} split"
        raise UserError(f"model {version.uri}: {names}; train it again")
    return splits


def seen_reviews(
    test: pl.DataFrame, splits: dict[str, Input], names: Sequence[str] = LEARNED_FROM
) -> np.ndarray:
    """Return which reviews read like one of these splits', of which a model learned, shape (reviews,), bool.

    What a model reads is compared: the words of the text and, if it was trained with titles, and these
    reviews have any, of the title.
    """
    learned, read = list[np.ndarray](), ["text"]
    for table in (table for name in names for table in chunks_of(splits[name])):
        read = [name for name in ("text", "title") if name in table.columns and name in test.columns]
        learned.append(reading_hashes(table.select(read)))
    return np.isin(reading_hashes(test.select(read)), np.concatenate(learned))
