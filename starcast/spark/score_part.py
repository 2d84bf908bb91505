"""Write scored reviews to part files, in the executors.

Their Python processes import this module, so it imports little.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import polars as pl
import pyarrow as pa

from starcast.models.scored_table import add_answers
from starcast.reviews.write import open_file, part_name

WRITTEN = "part string, bytes long, rows long, stars double"


@dataclass(frozen=True)
class ScoredPart:
    """Writes a partition to a file in an executor; yields its name, bytes, rows and the sum of its stars."""

    folder: Path
    suffix: str
    columns: tuple[str, ...]
    model: Mapping[str, str]

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        from pyspark import TaskContext

        tables = (self._table(batch) for batch in batches if batch.num_rows)
        first, task = next(tables, None), TaskContext.get()
        if first is None or task is None:
            return
        rows, stars, part = 0, 0.0, self.folder / part_name(task.partitionId(), self.suffix)
        with open_file(part) as writer:
            for table in chain([first], tables):
                writer.write(table)
                rows, stars = rows + table.height, stars + float(table["expected_rating"].sum())
        yield pa.RecordBatch.from_pylist(
            [{"part": part.name, "bytes": part.stat().st_size, "rows": rows, "stars": stars}]
        )

    def _table(self, batch: pa.RecordBatch) -> pl.DataFrame:
        table = pl.from_arrow(batch)
        assert isinstance(table, pl.DataFrame), "a batch has columns"
        reviews, answers = table[:, : len(self.columns)], table[:, len(self.columns) :]
        return add_answers(
            reviews.rename(dict(zip(reviews.columns, self.columns, strict=True))), answers, self.model
        )
