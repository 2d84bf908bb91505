"""A file of reviews becomes three splits, on this machine: in little memory, whatever its size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from steps.data_parameters import DataParameters
from steps.progress import ReviewLines
from steps.reviews import check
from steps.reviews.clean import Cleaner
from steps.reviews.layouts import Layout
from steps.reviews.split import assign
from steps.reviews.splits import Facts, write_splits
from steps.reviews.spool import spool
from steps.scratch import scratch_folder
from steps.tracking import runs


@dataclass(frozen=True)
class Outcome:
    """The columns of the file, what the checks found, and the facts of the splits, which are artifacts of the run."""

    schema: pl.Schema
    checked: check.Report
    facts: Facts


@dataclass(frozen=True)
class Places:
    """Of every row of a file its rating, or why it is not used, and its split; both int8, shape (rows,)."""

    verdicts: np.ndarray
    assigned: np.ndarray


def place(judged: list[check.Judged], layout: Layout, parameters: DataParameters) -> tuple[Places, check.Report]:
    """Decide, with every row judged, which are used and in which split.

    Raises:
        UserError: the checks refuse the file.
    """
    whole, checked = check.conclude(judged, layout, parameters.on_bad_rows, parameters.split != "study_a")
    assigned = assign(whole, parameters.split, parameters.sample_size, parameters.seed)
    return Places(whole.verdicts, assigned), checked


def prepare_here(parameters: DataParameters, file: Path, cleaner: Cleaner) -> Outcome:
    """Read the file once, decide where every row goes, clean and write the rows.

    Raises:
        UserError: the file cannot be read, or the checks refuse it.
    """
    told = parameters.text_column, parameters.rating_column, parameters.title_column
    with scratch_folder() as scratch, runs.artifacts_of_run("splits") as folder:
        read = spool(file, told, scratch, ReviewLines("read", "the file").show)
        places, checked = place(read.judged, read.layout, parameters)
        lines = ReviewLines("cleaned", "the reviews")
        facts = write_splits(read.batches(), places.verdicts, places.assigned, cleaner, folder, lines.show)
    return Outcome(read.schema, checked, facts)
