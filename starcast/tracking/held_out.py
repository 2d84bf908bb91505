"""The reviews a registered model was tested on, and those it learned from, found through its run's inputs."""

from collections.abc import Iterator
from dataclasses import dataclass

import mlflow
import numpy as np
import polars as pl
from pyarrow import ArrowException

from starcast.cli.errors import UserError
from starcast.reviews.hashing import digest_sum, digest_text, text_hashes
from starcast.reviews.parquet import read_row_groups
from starcast.reviews.split import LEARNED_FROM
from starcast.tracking import lineage
from starcast.tracking.access import explained
from starcast.tracking.artifacts import fetch
from starcast.tracking.registry import Version


@dataclass(frozen=True)
class LoggedSplit:
    """A split as a run named it: `runs:/...` where it is kept, and its digest."""

    name: str
    source: str
    digest: str

    def read(self) -> pl.DataFrame:
        """Return the split's table.

        Raises:
            UserError: it is gone, or not what the run named.
        """
        return pl.concat(list(self.chunks()))

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Yield the split's rows, some at a time.

        Raises:
            UserError: it is gone or, after the last row, not what the run named.
        """
        run_id, _, path = self.source.removeprefix("runs:/").partition("/")
        total = 0
        unreadable = f"{self.name}: {self.source} cannot be read ({{reason}}); train the model again"
        with explained(unreadable, ArrowException):
            for table in read_row_groups(fetch(run_id, path)):
                total += digest_sum(table)
                yield table
        found = digest_text(total)
        if found != self.digest:
            changed = f"{self.name}: {self.source} has changed, its digest is {found}, not {self.digest}"
            raise UserError(f"{changed}; train again")


def splits_of(version: Version) -> dict[str, LoggedSplit]:
    """Return the splits of the run that a version comes from, by name.

    Raises:
        UserError: the run is gone, or it names no splits.
    """
    with explained(f"model {version.uri}: the run it comes from cannot be read ({{reason}})"):
        run = mlflow.get_run(version.run_id)
    named = [each for each in lineage.inputs_of(run) if each.source.startswith("runs:/")]
    splits = {each.context: LoggedSplit(each.context, each.source, each.digest) for each in named}
    missing = " and ".join(name for name in ("test", *LEARNED_FROM) if name not in splits)
    if missing:
        raise UserError(
            f"model {version.uri}: its run {version.run_id} names no {missing} split; train it again"
        )
    return splits


def seen_reviews(test: pl.DataFrame, splits: dict[str, LoggedSplit]) -> int:
    """Return how many of the test reviews have a text that a model with these splits learned from."""
    learned = [text_hashes(table["text"]) for name in LEARNED_FROM for table in splits[name].chunks()]
    return int(np.isin(text_hashes(test["text"]), np.concatenate(learned)).sum())
