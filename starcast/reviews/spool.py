"""The first look at a file: it is read once, chunk by chunk; what is needed later lies on the disk as Arrow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import pyarrow as pa

from starcast.reviews import layouts
from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import CheckedRows, judge, to_reviews
from starcast.reviews.layouts import Layout
from starcast.reviews.stream import Chunk, read_chunks

ReviewProgress = Callable[
    [int, float], None
]  # told how many reviews more are done, and which share of all (0 to 1) that makes


@dataclass(frozen=True)
class Spool:
    """The texts and titles of all rows in record batches on the disk, the verdict on each, the columns of the file."""

    path: Path
    judged: list[CheckedRows]
    layout: Layout
    schema: pl.Schema

    def batches(self) -> Iterator[pl.DataFrame]:
        """The rows in order, a few thousand at once: `review_id`, `text` and, where it is used, `title`."""
        with pa.memory_map(str(self.path)) as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                table = pl.from_arrow(reader.get_batch(number))
                assert isinstance(table, pl.DataFrame), "a batch has columns"
                yield table


def spool(file: Path, columns: tuple[str, str, str], folder: Path, show: ReviewProgress) -> Spool:
    """Read and judge every row of a file.

    Args:
        columns: told names of text, rating and title column, empty where they are to be recognised.
        folder: where the rows are written to.

    Raises:
        UserError: the file cannot be read, or its columns are not recognised.
    """
    path, judged = folder / "rows.arrow", []
    chunks = read_chunks(file)
    first = next(chunks)
    layout = layouts.recognise(first.table.columns, *columns)
    with pa.OSFile(str(path), "wb") as sink:
        writer = None
        for rows, each, share in map_ahead(partial(_judge, layout), _numbered(first, chunks)):
            writer = writer or pa.ipc.new_file(sink, rows.schema)
            writer.write(rows)
            judged.append(each)
            show(len(each.verdicts), share)
        assert writer is not None, "a file without rows is refused"
        writer.close()
    return Spool(path, judged, layout, first.table.schema)


def _numbered(first: Chunk, chunks: Iterator[Chunk]) -> Iterator[tuple[int, Chunk]]:
    """Every chunk with the number of rows before it."""
    yield 0, first
    before = first.table.height
    for chunk in chunks:
        yield before, chunk
        before += chunk.table.height


def _judge(layout: Layout, numbered: tuple[int, Chunk]) -> tuple[pa.Table, CheckedRows, float]:
    before, chunk = numbered
    reviews = to_reviews(chunk.table, layout, before)
    rows = reviews.drop("rating").to_arrow(compat_level=pl.CompatLevel.oldest())
    return rows, judge(reviews), chunk.share
