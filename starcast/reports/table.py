"""A table for a terminal, for Markdown and, through the page's template, for HTML."""

import re
from dataclasses import dataclass
from unicodedata import category

UNSEEN = {"Cc", "Zl", "Zp"}  # Unicode's categories of control characters and ends of lines
WIDTH = 120  # width of a terminal in characters
# A number, perhaps a percentage, perhaps followed by its interval; or nothing where other rows have a number.
NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?%?( \(.+ to .+\))?|-|")


def one_line(name: str) -> str:
    """Return a name that others gave, in one line, without characters that control a terminal."""
    return " ".join("".join(" " if category(sign) in UNSEEN else sign for sign in name).split())


def plain(text: str) -> str:
    """Return a text without the Markdown for bold and code, for a terminal."""
    return text.replace("**", "").replace("`", "")


def no_html(text: str) -> str:
    """Return a text for Markdown in which what looks like HTML is text, as it is in a name."""
    return text.replace("<", r"\<")


def cut(text: str, room: int) -> str:
    """Shorten a text to `room` characters; keep its end, which may tell similar names apart."""
    return text if len(text) <= room else f"{text[: room - 9]}...{text[-6:]}"


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
        rows = [[cut(first, room), *rest] for first, *rest in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        columns = list(zip(widths, self.numeric, strict=True))
        lines = []
        for row in rows:
            cells = zip(row, columns, strict=True)
            line = (cell.rjust(width) if right else cell.ljust(width) for cell, (width, right) in cells)
            lines.append("  ".join(line).rstrip())
        return "\n".join(lines)
