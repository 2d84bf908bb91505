"""Score reviews on Spark: executors read, predict and write, each partition into a part file."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.models.scored_table import ScoringSummary
from starcast.reviews.layouts import Layout
from starcast.reviews.write import open_folder
from starcast.spark.jobs import run_jobs
from starcast.spark.reviews import SETTINGS, read_reviews
from starcast.spark.score_part import WRITTEN, ScoredPart
from starcast.spark.session import spark_session
from starcast.tracking.scoring import LoadedModel, answer_column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Reviews:
    """A file of reviews, its columns and their meaning."""

    file: Path
    columns: tuple[str, ...]
    layout: Layout


def score_on_spark(master: str, reviews: Reviews, loaded: LoadedModel, output: Path) -> ScoringSummary:
    """Score a file into the folder `output`, in the format of its ending; an earlier one is replaced.

    Raises:
        UserError: Spark does not start or fails, or its executors do not see the files of this machine.
    """
    start, name = time.monotonic(), f"starcast predict {reviews.file.name}"
    with (
        open_folder(output) as parts,
        scratch_folder() as scratch,
        spark_session(master, name, SETTINGS) as session,
    ):
        answered = _answered(session, reviews, loaded, scratch)
        writing = answered.mapInArrow(
            ScoredPart(parts, output.suffix.lower(), reviews.columns, loaded.version.named), WRITTEN
        )
        written = run_jobs(session.sparkContext, writing.collect)
        for row in written:
            part = parts / row["part"]
            if not part.is_file() or part.stat().st_size != row["bytes"]:
                raise UserError(
                    f"output {output}: the executors' files are not here; name a folder that all machines "
                    "share"
                )
    rows = sum(row["rows"] for row in written)
    return ScoringSummary(
        rows, sum(row["stars"] for row in written) / rows, rows / (time.monotonic() - start)
    )


def _answered(session: "SparkSession", reviews: Reviews, loaded: LoadedModel, scratch: Path) -> "DataFrame":
    """Return all columns followed by the model's answers."""
    from pyspark.sql import functions

    table = read_reviews(session, reviews.file, list(reviews.columns))
    wanted = {"text": reviews.layout.text, "title": reviews.layout.title}
    found = {asked: table.columns[reviews.columns.index(name)] for asked, name in wanted.items() if name}
    texts = functions.struct(
        *(functions.col(column).cast("string").alias(asked) for asked, column in found.items())
    )
    answer = answer_column(session, loaded, scratch)(texts)
    return table.withColumn("answer", answer).select(*table.columns, "answer.*")
