"""Turn a file of reviews into three splits on this machine, in little memory whatever its size.

The file is read once, chunk by chunk; the columns needed later are kept on the disk as Arrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from starcast.cli.processes import scratch_folder
from starcast.cli.progress import Progress
from starcast.reviews import check, layouts
from starcast.reviews.ahead import map_ahead
from starcast.reviews.check import CheckedRows, CheckReport, judge, to_reviews
from starcast.reviews.clean import Cleaner
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import DataParameters
from starcast.reviews.parquet import to_table
from starcast.reviews.split import assign
from starcast.reviews.split_files import ReviewProgress, SplitFacts, write_splits
from starcast.reviews.stream import Chunk, read_chunks


@dataclass(frozen=True)
class PreparedFiles:
    """The columns of the file, the result of the checks, and the facts about the splits."""

    schema: pl.Schema
    checked: CheckReport
    facts: SplitFacts


@dataclass(frozen=True)
class Places:
    """For every row of a file its rating, or why it is not used, and its split; both int8, shape (rows,)."""

    verdicts: np.ndarray
    assigned: np.ndarray


def prepare_here(parameters: DataParameters, file: Path, cleaner: Cleaner, folder: Path) -> PreparedFiles:
    """Read the file once, decide where every row goes, clean the rows and write the splits into `folder`.

    Raises:
        UserError: the file cannot be read, or the checks refuse it.
    """
    columns = parameters.text_column, parameters.rating_column, parameters.title_column
    with scratch_folder() as scratch:
        read = _spool(file, columns, scratch / "rows.arrow", Progress("reviews").counted("reading the file"))
        places, checked = place(read.judged, read.layout, parameters)
        show = Progress("reviews").counted("cleaning the reviews")
        facts = write_splits(read.batches(), places.verdicts, places.assigned, cleaner, folder, show)
    return PreparedFiles(read.schema, checked, facts)


def place(
    judged: list[CheckedRows], layout: Layout, parameters: DataParameters
) -> tuple[Places, CheckReport]:
    """Decide, when every row is judged, which rows are used and in which split.

    Raises:
        UserError: the checks refuse the file.
    """
    whole, checked = check.conclude(judged, layout, parameters.on_bad_rows, parameters.split != "study_a")
    assigned = assign(whole, parameters.split, parameters.sample_size, parameters.seed)
    return Places(whole.verdicts, assigned), checked


@dataclass(frozen=True)
class _Spool:
    """Texts and titles of all rows in record batches on the disk, verdicts on them, columns of the file."""

    path: Path
    judged: list[CheckedRows]
    layout: Layout
    schema: pl.Schema

    def batches(self) -> Iterator[pl.DataFrame]:
        """Yield the rows in order, a few thousand at once: `review_id`, `text` and, if used, `title`."""
        with pa.memory_map(str(self.path)) as source:
            reader = pa.ipc.open_file(source)
            for number in range(reader.num_record_batches):
                yield to_table(reader.get_batch(number))


def _spool(file: Path, columns: tuple[str, str, str], path: Path, show: ReviewProgress) -> _Spool:
    """Read and judge every row of a file.

    Args:
        columns: names of text, rating and title column given by the user, empty if they are to be recognised.
        path: where the rows are kept.

    Raises:
        UserError: the file cannot be read, or its columns are not recognised.
    """
    chunks = read_chunks(file)
    first = next(chunks)
    layout = layouts.recognise(first.table.columns, *columns)

    def numbered() -> Iterator[tuple[int, Chunk]]:
        """Yield every chunk with the number of rows before it."""
        yield 0, first
        before = first.table.height
        for chunk in chunks:
            yield before, chunk
            before += chunk.table.height

    def judge_chunk(numbered: tuple[int, Chunk]) -> tuple[pa.Table, CheckedRows, float]:
        before, chunk = numbered
        reviews = to_reviews(chunk.table, layout, before)
        rows = reviews.drop("rating").to_arrow(compat_level=pl.CompatLevel.oldest())
        return rows, judge(reviews), chunk.share

    judged = []
    with pa.OSFile(str(path), "wb") as sink:
        writer = None
        for rows, verdicts, share in map_ahead(judge_chunk, numbered()):
            writer = writer or pa.ipc.new_file(sink, rows.schema)
            writer.write(rows)
            judged.append(verdicts)
            show(len(verdicts.verdicts), share)
        assert writer is not None, "a file without rows is refused"
        writer.close()
    return _Spool(path, judged, layout, first.table.schema)
