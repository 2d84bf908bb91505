"""Write scored reviews to part files, in the executors.

Their Python processes import this module, so it imports little.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

import pyarrow as pa

from starcast.evaluation.scale import Scale
from starcast.models.scored_table import add_answers, expected_stars
from starcast.reviews.parquet import to_table
from starcast.reviews.write import open_file, part_name
from starcast.spark.reviews import partition_number

WRITTEN = "part string, bytes long, rows long, stars double"


def write_part(
    folder: Path,
    suffix: str,
    columns: list[str],
    model: Mapping[str, str],
    scale: Scale,
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Write a partition to a file in an executor; yield its name, bytes, rows and the sum of its stars."""
    filled = (batch for batch in batches if batch.num_rows)
    first = next(filled, None)
    if first is None:
        return
    rows, stars, part = 0, 0.0, folder / part_name(partition_number(), suffix)
    with open_file(part) as writer:
        for table in map(to_table, chain([first], filled)):
            reviews, answers = table[:, : len(columns)], table[:, len(columns) :]
            reviews.columns = columns
            scored = add_answers(reviews, answers, model, scale)
            writer.write(scored)
            rows, stars = rows + scored.height, stars + expected_stars(scored)
    told = {"part": part.name, "bytes": part.stat().st_size, "rows": rows, "stars": stars}
    yield pa.RecordBatch.from_pylist([told])
