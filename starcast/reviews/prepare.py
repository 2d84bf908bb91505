"""A file of reviews becomes three splits, on this machine: in little memory, whatever its size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.cli.processes import scratch_folder
from starcast.cli.progress import ReviewLines
from starcast.reviews import check
from starcast.reviews.check import CheckedRows, CheckReport
from starcast.reviews.clean import Cleaner
from starcast.reviews.layouts import Layout
from starcast.reviews.parameters import DataParameters
from starcast.reviews.split import assign
from starcast.reviews.splits import SplitFacts, write_splits
from starcast.reviews.spool import spool


@dataclass(frozen=True)
class PreparedFiles:
    """The columns of the file, what the checks found, and the facts of the splits, which are artifacts of the run."""

    schema: pl.Schema
    checked: CheckReport
    facts: SplitFacts


@dataclass(frozen=True)
class Places:
    """Of every row of a file its rating, or why it is not used, and its split; both int8, shape (rows,)."""

    verdicts: np.ndarray
    assigned: np.ndarray


def place(
    judged: list[CheckedRows], layout: Layout, parameters: DataParameters
) -> tuple[Places, CheckReport]:
    """Decide, with every row judged, which are used and in which split.

    Raises:
        UserError: the checks refuse the file.
    """
    whole, checked = check.conclude(judged, layout, parameters.on_bad_rows, parameters.split != "study_a")
    assigned = assign(whole, parameters.split, parameters.sample_size, parameters.seed)
    return Places(whole.verdicts, assigned), checked


def prepare_here(parameters: DataParameters, file: Path, cleaner: Cleaner, folder: Path) -> PreparedFiles:
    """Read the file once, decide where every row goes, clean the rows and write the splits into `folder`.

    Raises:
        UserError: the file cannot be read, or the checks refuse it.
    """
    told = parameters.text_column, parameters.rating_column, parameters.title_column
    with scratch_folder() as scratch:
        read = spool(file, told, scratch, ReviewLines("read", "the file").show)
        places, checked = place(read.judged, read.layout, parameters)
        lines = ReviewLines("cleaned", "the reviews")
        facts = write_splits(read.batches(), places.verdicts, places.assigned, cleaner, folder, lines.show)
    return PreparedFiles(read.schema, checked, facts)
