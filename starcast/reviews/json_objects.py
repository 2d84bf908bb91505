"""Turn what JSON files hold besides an object per line into such lines: an array, a list under a key, objects
over several lines, Python's literals.

An object keeps every character that it was written with, except for line ends between its parts.
"""

import ast
import codecs
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from shlex import quote
from typing import Any

from starcast.cli.errors import UserError
from starcast.reviews import blocks
from starcast.reviews.blocks import TextBlock, read_blocks
from starcast.reviews.encodings import Text, undecodable
from starcast.reviews.unpack import HEAD, open_unpacked, table_name

PLAIN_VALUE = (
    r'\s*"[^"\\]*"\s*:\s*(?:"[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]+)\s*'  # with its key; no list, no object
)
# Up to the first object; with the key of the list.
LISTED = re.compile(rf'\s*\{{(?:{PLAIN_VALUE},)*\s*"([^"\\]*)"\s*:\s*\[\s*(?=\{{)')
GAP = re.compile(r"[\s,]*")
# What may follow the last object of an array, and of a list under a key.
END_OF_ARRAY = re.compile(r"[\s,]*\]\s*")
END_OF_LIST = re.compile(rf"[\s,]*\]\s*(?:,{PLAIN_VALUE})*\}}\s*")
decode = json.JSONDecoder().raw_decode


def objects_as_lines(path: Path, encoding: str = "") -> Iterator[TextBlock]:
    """Yield the objects of a file, of its array or of its list under a key as JSON lines.

    Raises:
        UserError: not UTF-8, not JSON, or arranged in another way: the message says how to make lines of it.
    """
    text, line, count, first = "", 1, 0, ""
    closing, key = None, ""
    for more, share, last in _texts(path, encoding):
        text += more
        if closing is None:
            if len(text) < HEAD and not last:
                continue
            end, closing, key = _opening(text, table_name(path))
            line, text = line + text.count("\n", 0, end), text[end:]
        objects, end = _whole_objects(text, line, last, table_name(path))
        if objects:
            yield TextBlock("\n".join([*objects, ""]).encode(), line, share)
        count, first = count + len(objects), first or "".join(objects[:1])
        line, text = line + text.count("\n", 0, end), text[end:]
        rest = text.lstrip(" \t\r\n,")
        if not rest.startswith("{") and (last or len(rest) > HEAD) and not closing.fullmatch(text):
            if closing is END_OF_LIST and re.match(r"\]\s*,", rest):  # objects or lists are behind it
                raise _lines_wanted(table_name(path), _step(key))
            raise _unreadable(table_name(path), line, f"neither an object nor the end, but {rest[:20]!r}")
    if closing is GAP and count == 1:
        _check_single(json.loads(first), table_name(path))


def _texts(path: Path, encoding: str) -> Iterator[tuple[str, float, bool]]:
    """Yield a file's text piece by piece, the share of it read, and whether it is the last."""
    reader, line = codecs.getincrementaldecoder("utf-8")(), 1
    with open_unpacked(path) as unpacked:
        source = Text(unpacked, table_name(path), encoding)
        data = source.read(blocks.BLOCK)
        while data:
            following = source.read(blocks.BLOCK)
            try:
                text = reader.decode(data, final=not following)
            except UnicodeDecodeError as error:
                what = undecodable(data, error.object, line, source.encoding)
                raise UserError(f"{table_name(path)}: {what}") from None
            yield text, source.share, not following
            line, data = line + text.count("\n"), following


def _opening(text: str, name: str) -> tuple[int, re.Pattern[str], str]:
    """Return where the first object begins, what may follow the last, and the key of their list, if any."""
    if array := re.match(r"\s*\[\s*", text):
        if not text.startswith(("{", "]"), array.end()):
            remedy = "an object per review is expected, e.g. pandas' to_json(orient='records', lines=True)"
            raise UserError(f"{name}: an array of values or lists; {remedy}")
        return array.end(), END_OF_ARRAY, ""
    listed = LISTED.match(text, 0, HEAD)
    if listed:
        try:
            _, end = decode(text, text.index("{"))
        except (ValueError, RecursionError):
            end = len(text)  # of its one long object
        if GAP.fullmatch(text, end):
            return listed.end(), END_OF_LIST, listed[1]
    return 0, GAP, ""


def _whole_objects(text: str, line: int, last: bool, name: str) -> tuple[list[str], int]:
    """Return the objects at the beginning of a text that are whole, each in one line, and where they end."""
    objects: list[str] = []
    end = 0
    while True:
        begin = GAP.match(text, end).end()  # type: ignore[union-attr]
        if not text.startswith("{", begin):
            return objects, end
        try:
            _, end = decode(text, begin)
        except (ValueError, RecursionError) as error:
            if not last and len(text) - begin < blocks.LONGEST_ROW and isinstance(error, ValueError):
                return objects, end  # of which the rest is still to come
            if len(text) - begin >= blocks.LONGEST_ROW:
                size = f"more than {blocks.LONGEST_ROW // 2**20} MiB in one row, from line {line} on"
                raise UserError(f"{name}: {size} (an object that does not end); fix the file") from None
            why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise _unreadable(name, line + text.count("\n", 0, getattr(error, "pos", begin)), why) from None
        objects.append(re.sub(r"[\r\n]", " ", text[begin:end]))


def _unreadable(name: str, line: int, why: str) -> UserError:
    return UserError(f"{name}: not readable as JSON (line {line}: {why}); fix the file")


def _check_single(value: dict[str, Any], name: str) -> None:
    """Raise a UserError if a file's only object holds all reviews, and say how to make lines of it."""
    # Descriptions of columns are lists of objects, too, but shorter.
    _, where = max(_lists_of_objects(value), default=(0, ""), key=itemgetter(0))
    if where:
        raise _lines_wanted(name, where)
    if len(value) > 1 and all(isinstance(each, dict | list) for each in value.values()):
        remedy = "write it with to_json(orient='records', lines=True)"
        raise UserError(f"{name}: one object of whole columns, as pandas' to_json writes it; {remedy}")


def _lines_wanted(name: str, where: str) -> UserError:
    command = f"jq -c {quote(f'{where}[]')} {quote(name)} > reviews.jsonl"
    return UserError(f"{name}: one object, with its reviews under {where[1:]}; make lines of it: {command}")


def _step(key: str) -> str:
    """Return what stands for a key in a path of jq."""
    return f".{key}" if key.isidentifier() else f".[{json.dumps(key)}]"


def _lists_of_objects(value: dict[str, Any], depth: int = 3) -> Iterator[tuple[int, str]]:
    """Yield the number of objects, and jq's path, of each list of several objects within an object."""
    for key, each in value.items():
        path = _step(key)
        if isinstance(each, list) and len(each) > 1 and all(isinstance(item, dict) for item in each):
            yield len(each), path
        elif isinstance(each, dict) and depth:
            yield from ((objects, path + below) for objects, below in _lists_of_objects(each, depth - 1))


def literals_as_lines(path: Path, encoding: str = "") -> Iterator[TextBlock]:
    """Yield lines of Python's literals as JSON lines; a line that is none stays as it is, to be refused."""
    for block in read_blocks(path, encoding):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about backslashes in the reviews
            lines = [_literal_as_json(line) for line in block.data.split(b"\n")]
        yield replace(block, data=b"\n".join(lines))


def _literal_as_json(line: bytes) -> bytes:
    try:
        return json.dumps(ast.literal_eval(line.strip().decode())).encode()
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return line
