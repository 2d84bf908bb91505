"""Turn a file of reviews into three splits on this machine, in little memory whatever its size.

The file is read once, chunk by chunk; the columns needed later are kept on the disk as Arrow.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

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
from starcast.reviews.split_files import Places, ReviewProgress, SplitFacts, write_splits
from starcast.reviews.stream import Chunk, read_chunks


class PreparedFiles(NamedTuple):
    """The columns of the file, the result of the checks, and the facts about the splits."""

    schema: pl.Schema
    checked: CheckReport
    facts: SplitFacts


def prepare_here(parameters: DataParameters, file: Path, cleaner: Cleaner, folder: Path) -> PreparedFiles:
    """Read the file once, decide where every row goes, clean the rows and write the splits into `folder`.

    Raises:
        UserError: the file cannot be read, or the checks refuse it.
    """
    columns = parameters.text_column, parameters.rating_column, parameters.title_column
    with scratch_folder() as scratch:
        spool, show = scratch / "rows.arrow", Progress("reviews").counted
        judged, layout, schema = _spool(file, columns, spool, show("reading the file"))
        places, checked = place(judged, layout, parameters)
        facts = write_splits(_rows_of(spool), places, cleaner, folder, show("cleaning the reviews"))
    return PreparedFiles(schema, checked, facts)


def place(
    judged: list[CheckedRows], layout: Layout, parameters: DataParameters
) -> tuple[Places, CheckReport]:
    """Decide, when every row is judged, which rows are used and in which split.

    Raises:
        UserError: the checks refuse the file.
    """
    whole, checked = check.conclude(judged, layout, parameters.on_bad_rows, parameters.split != "study_a")
    assigned = assign(whole, parameters.split, parameters.sample_size, parameters.seed)
    return (whole.verdicts, assigned), checked


def _spool(
    file: Path, columns: tuple[str, str, str], spool: Path, show: ReviewProgress
) -> tuple[list[CheckedRows], Layout, pl.Schema]:
    """Judge every row of a file; keep texts and titles in record batches on the disk.

    Args:
        columns: names of text, rating and title column given by the user, empty if they are to be recognised.

    Returns:
        The verdicts in file order, the columns used, and the schema of the file.

    Raises:
        UserError: the file cannot be read, or its columns are not recognised.
    """
    chunks = read_chunks(file)
    first = next(chunks)
    layout = layouts.recognise(first.table.columns, *columns)

    def numbered() -> Iterator[tuple[int, Chunk]]:
        """Yield every chunk with the number of rows before it."""
        before = 0
        for chunk in chain([first], chunks):
            yield before, chunk
            before += chunk.table.height

    def judge_chunk(numbered: tuple[int, Chunk]) -> tuple[pa.Table, CheckedRows, float]:
        before, chunk = numbered
        reviews = to_reviews(chunk.table, layout, before)
        rows = reviews.drop("rating").to_arrow(compat_level=pl.CompatLevel.oldest())
        return rows, judge(reviews), chunk.share

    judged = []
    with pa.OSFile(str(spool), "wb") as sink:
        writer = None
        for rows, verdicts, share in map_ahead(judge_chunk, numbered()):
            writer = writer or pa.ipc.new_file(sink, rows.schema)
            writer.write(rows)
            judged.append(verdicts)
            show(len(verdicts.verdicts), share)
        assert writer is not None, "a file without rows is refused"
        writer.close()
    return judged, layout, first.table.schema


def _rows_of(spool: Path) -> Iterator[pl.DataFrame]:
    """Yield the kept rows in order, a few thousand at once: `review_id`, `text` and, if used, `title`."""
    with pa.memory_map(str(spool)) as source:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield to_table(reader.get_batch(number))
