"""The reviews a registered model was tested on, and those it learned from, found again through its run's inputs."""

from dataclasses import dataclass

import mlflow
import polars as pl
from mlflow.exceptions import MlflowException

from steps.errors import UserError
from steps.reviews.split import table_digest
from steps.tracking import lineage
from steps.tracking.registry import Version
from steps.tracking.reuse import fetch

LEARNED_FROM = ("train", "validation")  # the decision is fitted on validation


@dataclass(frozen=True)
class Split:
    """A split as a run named it: `runs:/...` where it is kept, and its digest."""

    name: str
    source: str
    digest: str

    def read(self) -> pl.DataFrame:
        """The split's table.

        Raises:
            UserError: it is gone, or not what the run named.
        """
        run_id, _, path = self.source.removeprefix("runs:/").partition("/")
        try:
            table = pl.read_parquet(fetch(run_id, path))
        except (MlflowException, OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{self.name}: {self.source} cannot be read ({reason}); train the model again") from None
        found = table_digest(table)
        if found != self.digest:
            raise UserError(f"{self.name}: {self.source} has changed, its digest is {found}, not {self.digest}; train again")
        return table


def splits_of(version: Version) -> dict[str, Split]:
    """The splits of the run that a version comes from, by name.

    Raises:
        UserError: the run is gone, or it names no splits.
    """
    try:
        run = mlflow.get_run(version.run_id)
    except MlflowException as error:
        reason = error.message.splitlines()[0]
        raise UserError(f"model {version.uri}: the run it comes from cannot be read ({reason})") from None
    named = [each for each in lineage.inputs_of(run) if each.source.startswith("runs:/")]
    splits = {each.context: Split(each.context, each.source, each.digest) for each in named}
    missing = [name for name in ("test", *LEARNED_FROM) if name not in splits]
    if missing:
        raise UserError(f"model {version.uri}: its run {version.run_id} names no {' and '.join(missing)} split; train it again")
    return splits


def seen_reviews(test: pl.DataFrame, splits: dict[str, Split]) -> int:
    """How many of the test reviews have a text that a model with these splits learned from."""
    learned = pl.concat([splits[name].read()["text"] for name in LEARNED_FROM])
    return int(test["text"].is_in(learned.implode()).sum())
