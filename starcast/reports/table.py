"""A table for a terminal, for Markdown and, through the page's template, for HTML."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

UNSEEN = {"Cc", "Zl", "Zp"}  # Unicode's categories of control characters and ends of lines
WIDTH = 120  # width of a terminal in characters
ROUNDS = 4  # of shortening names that look alike
# A number, perhaps a percentage, perhaps followed by its interval; or nothing where other rows have a number.
NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?%?( \(.+ to .+\))?|-|")

LINK = re.compile(r"\[([^\[\]]+)\]\((#/[^\s()]+)\)")  # to a page of the tracking server's UI


def one_line(name: str) -> str:
    """Return a name that others gave, in one line, without characters that control a terminal."""
    return " ".join("".join(" " if category(sign) in UNSEEN else sign for sign in name).split())


def plain(text: str) -> str:
    """Return a text without the Markdown for bold, code and links, for a terminal."""
    return LINK.sub(r"\1", text).replace("**", "").replace("`", "")


def no_html(text: str) -> str:
    """Return a text for Markdown in which what looks like HTML is text, as it is in a name."""
    return text.replace("<", "&lt;")  # a backslash before it might be escaped by another


def no_markdown(text: str) -> str:
    """Return a text of reviews without signs that mean something in Markdown."""
    return text.replace("`", "'").replace("**", "").replace("[", "(").replace("]", ")")


def cut(text: str, room: int) -> str:
    """Shorten a text to `room` characters; keep its end, which may tell similar names apart."""
    return text if len(text) <= room else f"{text[: room - 9]}...{text[-6:]}"


def cut_apart(texts: Sequence[str], room: int) -> list[str]:
    """Shorten texts to `room` characters so that different ones stay different, or leave all whole."""
    short = [cut(text, room) for text in texts]
    for _ in range(ROUNDS):
        alike = defaultdict[str, set[str]](set)
        for text, shown in zip(texts, short, strict=True):
            alike[shown].add(text)
        # What texts that look alike have in common at their beginning is left out of them.
        starts = {shown: _common_start(each) for shown, each in alike.items() if len(each) > 1}
        if not starts:
            return short
        short = [
            cut(f"...{text[starts[shown] :]}", room) if shown in starts else shown
            for text, shown in zip(texts, short, strict=True)
        ]
    return list(texts)


def _common_start(texts: set[str]) -> int:
    """Return how many characters at their beginning all texts share."""
    first, last = min(texts), max(texts)
    pairs = enumerate(zip(first, last, strict=False))
    return next((i for i, (ours, theirs) in pairs if ours != theirs), len(first))


@dataclass(frozen=True)
class Table:
    """Cells as text, with **bold** and `code`; every row has as many cells as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Return whether the cells of each column are numbers and therefore aligned to the right."""
        columns = zip(self.head, *self.rows, strict=True)
        return tuple(bool(cells) and all(map(NUMBER.fullmatch, cells)) for _, *cells in columns)

    def without(self, *names: str) -> "Table":
        """Return the table without some columns."""
        kept = [i for i, name in enumerate(self.head) if name not in names]
        head, *rows = (tuple(row[i] for i in kept) for row in (self.head, *self.rows))
        return Table(head, tuple(rows))

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = "|".join("--:" if right else "---" for right in self.numeric)
        clean = [
            [no_html(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
            for row in (self.head, *self.rows)
        ]
        head, *lines = (f"| {' | '.join(row)} |" for row in clean)
        return "\n".join([head, f"|{rule}|", *lines])

    def text(self) -> str:
        """Return the table aligned for a terminal; the first column is shortened so that all fit."""
        rows = [[plain(cell) for cell in row] for row in (self.head, *self.rows)]
        room = max(WIDTH - sum(2 + max(map(len, column)) for column in list(zip(*rows, strict=True))[1:]), 16)
        firsts = cut_apart([first for first, *_ in rows], room)
        rows = [[first, *rest] for first, (_, *rest) in zip(firsts, rows, strict=True)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        columns = list(zip(widths, self.numeric, strict=True))
        lines = []
        for row in rows:
            cells = zip(row, columns, strict=True)
            line = (cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in cells)
            lines.append("  ".join(line).rstrip())
        return "\n".join(lines)
