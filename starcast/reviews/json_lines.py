"""Read JSON lines, block by block."""

import json
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import polars as pl

from starcast.cli.errors import UserError
from starcast.reviews.ahead import map_ahead
from starcast.reviews.blocks import TextBlock
from starcast.reviews.parsing import EMPTY, UNREADABLE, Chunk, check_width, explained, not_unpacked

MANY_BRACKETS = 100  # in a line


def columns_of_json_lines(blocks: Iterator[TextBlock], name: str) -> list[str]:
    """Return the keys of all objects, in the order in which they come."""
    columns: dict[str, None] = {}
    for block in blocks:
        with explained(name, "jsonl", block, partial(_broken_object, block.line)):
            lines = [line for line in block.data.splitlines() if line.strip()]
            keys: list[str] = []
            # Polars finds them four times as fast, but objects nested in hundreds end the process.
            if max((line.count(b"{") + line.count(b"[") for line in lines), default=0) < MANY_BRACKETS:
                with suppress(*UNREADABLE):  # a line is invalid, or no type fits all values of a key
                    keys = pl.read_ndjson(not_unpacked(block.data, b"\n"), infer_schema_length=None).columns
            columns.update(dict.fromkeys(keys or (key for line in lines for key in _object(line))))
        check_width(name, len(columns))
    if not columns:
        raise UserError(f"{name}: {EMPTY}")
    return list(columns)


def parse_json_lines(blocks: Iterator[TextBlock], name: str, columns: list[str]) -> Iterator[Chunk]:
    """Yield a table per block with these columns; values other than text become their JSON.

    Raises:
        UserError: not UTF-8, or a line that is not a JSON object.
    """
    schema = dict.fromkeys(columns, pl.String)

    def parse(block: TextBlock) -> Chunk:
        """Return a row per line of a block."""
        with explained(name, "jsonl", block, partial(_broken_object, block.line)):
            try:
                table = pl.read_ndjson(not_unpacked(block.data, b"\n"), schema=schema)
            except UNREADABLE:  # a line is invalid, or has an integer of more than 128 bits, as JSON may
                objects = [_object(line) for line in block.data.splitlines() if line.strip()]
                for each in objects:
                    others = {key: value for key, value in each.items() if not isinstance(value, str | None)}
                    each.update((key, json.dumps(value)) for key, value in others.items())
                table = pl.DataFrame(objects, schema=schema)
        return Chunk(table, block.share)

    return map_ahead(parse, blocks)


def _object(line: str | bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value


def _broken_object(line: int, text: str) -> str:
    """Return which line is the first without a JSON object; empty if there is none."""
    for number, each in enumerate(text.split("\n"), start=line):
        try:
            if each.strip():
                _object(each)
        except (ValueError, RecursionError) as error:
            return f"line {number}: {error}"
    return ""
