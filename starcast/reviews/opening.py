"""Open the files of reviews that the parameters name, and find their columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.layouts import Layout, check_single, recognise, require
from starcast.reviews.parameters import DataParameters, SplitBy
from starcast.reviews.parsing import Chunk
from starcast.reviews.stream import read_chunks
from starcast.reviews.unpack import MEMBER, table_name

SPLIT_OF = {"data": 0, "validation_data": 1, "test_data": 2}  # where each split has a file of its own


@dataclass(frozen=True)
class OpenFile:
    """A file of reviews: its first chunk, and all chunks, the first included.

    Attributes:
        split: what the splits of its rows go by.
    """

    path: Path
    first: Chunk
    chunks: Iterator[Chunk]
    split: SplitBy


def open_files(parameters: DataParameters, files: Mapping[str, Path]) -> tuple[Layout, list[OpenFile]]:
    """Open files that are one set of reviews; the first decides which columns are read.

    Args:
        files: by the parameters that name them.

    Raises:
        UserError: a file cannot be read, no layout fits the first, or a column is missing.
    """
    split, opened = parameters.split_by(), []
    for name, path in files.items():
        chunks = read_chunks(path, parameters.reading())
        first = next(chunks)
        part = replace(split, part=SPLIT_OF[name]) if len(files) > 1 else split
        opened.append(OpenFile(path, first, chain([first], chunks), part))
    columns = opened[0].first.table.columns
    named = parameters.text_column, parameters.rating_column, parameters.title_column
    try:
        layout = recognise(columns, *named)
    except UserError as why:
        sheet = opened[0].first.seen
        if not sheet.startswith("sheet ") or MEMBER in parameters.data:
            raise
        other = f"name another sheet: {parameters.data}{MEMBER}<sheet>"
        raise UserError(f"{table_name(opened[0].path)}, {sheet}: {why}, or {other}") from None
    require(split.parameter, split.column if len(files) == 1 else "", columns)
    for parameter, file in zip(files, opened, strict=True):
        for column in parameters.slice_columns:
            where = "slice_columns" if len(files) == 1 else f"slice_columns of {parameter}"
            require(where, column, file.first.table.columns)
        for column in (split.column, *parameters.slice_columns):
            check_single(column, file.first.table.columns, table_name(file.path))
        for column in (layout.text, layout.rating, layout.title):
            require(parameter, column, file.first.table.columns)
            check_single(column, file.first.table.columns, table_name(file.path))
        check_objects(file.first.table, layout, table_name(file.path))
    return layout, opened


def check_objects(first: pl.DataFrame, layout: Layout, name: str) -> None:
    """Raise a UserError if most values of a column are JSON objects, whose keys would be read as words."""
    for column in filter(first.columns.__contains__, (layout.text, layout.rating, layout.title)):
        if first[column].dtype != pl.String:
            continue
        texts = first[column].drop_nulls()
        objects = texts.filter(texts.str.contains(r'^\{".*\}$'))
        if 2 * len(objects) > len(texts):
            what = f"column {column!r} holds objects, such as {objects[0][:60]}"
            raise UserError(f"{name}: {what}; give the part that is meant a column of its own, and name that")


def seen_in(opened: list[OpenFile]) -> str:
    """Return what was recognised about the files, in words."""
    if len(opened) == 1:
        return opened[0].first.seen
    return " and ".join(
        f"{table_name(file.path)}{file.first.seen and f' ({file.first.seen})'}" for file in opened
    )
