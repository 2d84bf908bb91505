"""Write scored reviews to part files, in the executors.

Their Python processes import this module, so it imports little.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa

from starcast.evaluation.scale import Scale
from starcast.models.scored_table import Totals, add_answers
from starcast.reviews.parquet import to_table
from starcast.reviews.write import open_file, part_name
from starcast.spark.reviews import partition_number
from starcast.tracking.stored_code import answering

Answer = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
STORED = "stored_model.zip"  # among the files of a Spark session
WRITTEN = "part string, bytes long, rows long, stars double, to_review long, overruled long"


def stored_answers(
    named: str, read: Mapping[str, int], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Put the answers of a model's stored code, started in the executor, behind the columns of reviews.

    Args:
        read: the places of the columns `text` and, if the model reads it, `title`.
    """
    from pyspark import SparkFiles

    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(SparkFiles.get(STORED), folder)
        with answering(Path(folder), named) as predict:
            for reviews in map(to_table, batches):
                texts = [reviews.to_series(at).cast(pl.String).alias(name) for name, at in read.items()]
                answered = reviews.hstack(predict(pl.DataFrame(texts)))
                yield from answered.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def write_part(
    folder: Path,
    suffix: str,
    columns: list[str],
    model: Mapping[str, str],
    form: tuple[Scale, bool],
    answer: Answer | None,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Write a partition to a file in an executor; yield its name, bytes and `Totals`.

    Args:
        form: the ratings of the model, and whether it says which of its answers need review.
        answer: puts answers behind the columns of reviews, if they are not there.
    """
    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return
    found = chain([first], filled)
    totals, part = Totals(), folder / part_name(partition_number(), suffix)
    with open_file(part) as writer:
        for table in map(to_table, answer(found) if answer else found):
            reviews, answers = table[:, : len(columns)], table[:, len(columns) :]
            reviews.columns = columns
            writer.write(add_answers(reviews, answers, model, *form))
            totals = totals.plus(Totals.of(answers, *form))
    told = {"part": part.name, "bytes": part.stat().st_size, **totals._asdict()}
    yield pa.RecordBatch.from_pylist([told])
