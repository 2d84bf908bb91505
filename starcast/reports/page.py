"""A figure as SVG for the inside of a page: on the page's own background, with the page's colour of text."""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape
from matplotlib.figure import Figure
from matplotlib.legend import Legend

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
# Whatever names a part of the picture: `id="x"`, `href="#x"`, `url(#x)`.
NAMES = re.compile(r'(\bid="|href="#|url\(#)')


def inline_svg(figure: Figure, name: str) -> str:
    """The `<svg>` element of a figure.

    What is drawn in black takes the colour of the page's text, so it reads on a dark page too; other colours stay. Pale
    lines and areas should be black with an `alpha`, not grey. Backgrounds, those of legends too, become transparent.

    Args:
        name: begins every id in the picture; pictures of one page need names that differ.
    """
    for legend in figure.findobj(Legend):
        legend.set_frame_on(False)
    written = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(written, format="svg", transparent=True, metadata=NO_METADATA)
    text = written.getvalue()
    # Matplotlib leaves out a black fill, which is SVG's default, and writes a black line as #000000.
    element = (
        text[text.index("<svg") :]
        .replace("<svg", '<svg fill="currentColor"', 1)
        .replace("#000000", "currentColor")
    )
    return NAMES.sub(rf"\g<1>{name}-", element).strip()


TEMPLATE = "page.html.j2"
DPI = 110
# A number, perhaps a share of a hundred, perhaps followed by its interval; or nothing where others have a number.
NUMBER = re.compile(r"[-+]?[\d,]*\.?\d+(e[-+]?\d+)?%?( \(.+ to .+\))?|-|")
STRONG, CODE = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"`(.+?)`")


@dataclass(frozen=True)
class Table:
    """Cells as text; every row has as many as the head."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether its cells are numbers and thus stand at the right."""
        columns = zip(self.head, *self.rows, strict=True)
        return tuple(
            len(cells) > 0 and all(NUMBER.fullmatch(cell) for cell in cells) for _, *cells in columns
        )

    def markdown(self) -> str:
        """A Markdown table."""
        rule = ("--:" if right else "---" for right in self.numeric)
        rows = ((cell.replace("|", "\\|") for cell in row) for row in (self.head, *self.rows))
        head, *lines = (f"| {' | '.join(row)} |" for row in rows)
        return "\n".join([head, f"|{'|'.join(rule)}|", *lines])


@dataclass(frozen=True)
class Picture:
    """A figure, the stem of its file's name, and in words what it shows."""

    name: str
    figure: Figure
    alt: str

    @property
    def svg(self) -> Markup:
        """The figure for the inside of a page."""
        return Markup(inline_svg(self.figure, self.name))

    def markdown(self) -> str:
        """A reference to the figure's file."""
        return f"![{self.alt}]({self.name}.png)"


@dataclass(frozen=True)
class Matrices:
    """Confusion matrices by name: counts of shape (5, 5), rows true, columns predicted."""

    matrices: Mapping[str, np.ndarray]

    def rows(self, name: str) -> Iterator[list[tuple[float, int]]]:
        """A matrix row by row; a cell is its share of the row, 0-1, and its count."""
        matrix = self.matrices[name]
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        for share, count in zip(shares.tolist(), matrix.tolist(), strict=True):
            yield list(zip(share, count, strict=True))

    def markdown(self) -> str:
        """A table per matrix."""
        tables = []
        for name in self.matrices:
            cells = [[f"{share:.0%} ({count:,})" for share, count in row] for row in self.rows(name)]
            rows = tuple((f"true {rating}", *row) for rating, row in enumerate(cells, start=1))
            tables.append(
                f"{name}\n\n{Table(('', *(f'predicted {rating}' for rating in range(1, 6))), rows).markdown()}"
            )
        return "\n\n".join(tables)


Content = str | Table | Picture | Matrices  # text is one paragraph with **bold** and `code`


@dataclass(frozen=True)
class Section:
    """A part of a report under its heading."""

    heading: str
    blocks: tuple[Content, ...]


@dataclass(frozen=True)
class Report:
    """A report: `answer` are the first lines a reader sees. Names of pictures differ."""

    title: str
    answer: tuple[str, ...]
    sections: tuple[Section, ...]

    def save(self, folder: Path) -> None:
        """Write `report.html` (one file, figures within), `report.md` and a PNG of each figure."""
        (folder / "report.md").write_text(self.markdown(), encoding="utf-8")
        for block in self._blocks():
            if isinstance(block, Picture):
                block.figure.savefig(folder / f"{block.name}.png", dpi=DPI)
        (folder / "report.html").write_text(self._html(), encoding="utf-8")

    def markdown(self, pictures: bool = True) -> str:
        """The report as Markdown; without pictures, matrices and title it is fit for a run's description."""
        parts = [f"# {self.title}", *self.answer] if pictures else [*self.answer]
        for section in self.sections:
            blocks = [block for block in section.blocks if pictures or isinstance(block, str | Table)]
            if blocks:
                parts += [
                    f"## {section.heading}",
                    *(b if isinstance(b, str) else b.markdown() for b in blocks),
                ]
        return "\n\n".join(parts) + "\n"

    def _html(self) -> str:
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
        )
        environment.filters["marked"] = _marked
        return environment.get_template(TEMPLATE).render(report=self)

    def _blocks(self) -> Iterator[Content]:
        for section in self.sections:
            yield from section.blocks


def plain(text: str) -> str:
    """A paragraph without its marks, for a terminal."""
    return text.replace("**", "").replace("`", "")


def _marked(text: str) -> Markup:
    """A paragraph's bold and code as HTML, everything else escaped."""
    return Markup(CODE.sub(r"<code>\1</code>", STRONG.sub(r"<strong>\1</strong>", str(escape(text)))))
