"""A report as one HTML page with embedded pictures, and as Markdown with separate pictures."""

import base64
import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from starcast.evaluation.scale import STARS, Scale
from starcast.reports.origin import ReportOrigin
from starcast.reports.table import LINK, Table, no_html, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110
LEGIBLE = 0.47  # of a picture's own width, below which its text becomes too small: then it scrolls
STRONG, CODE = re.compile(r"\*\*(.+?)\*\*"), re.compile(r"`(.+?)`")


def drawn(figure: "Figure", dpi: int = DPI) -> bytes:
    """Return a figure as a PNG file. Its texts are drawn as they are: a name may hold `$` or any sign."""
    import matplotlib as mpl  # here, as pages without figures do not need it
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    written = io.BytesIO()
    with mpl.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(written, format="png", dpi=dpi)
    return written.getvalue()


@dataclass(frozen=True)
class Picture:
    """A figure or a PNG file of one, the stem of its file name, and a description of what it shows."""

    name: str
    figure: "Figure | bytes"
    alt: str

    @cached_property
    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return self.figure if isinstance(self.figure, bytes) else drawn(self.figure)

    @property
    def least(self) -> int:
        """Return the width on a page in pixels at which the picture can still be read."""
        return round(LEGIBLE * int.from_bytes(self.png[16:20], "big"))  # of the PNG file's first block

    @property
    def address(self) -> str:
        """Return the figure as a `data:` URI, to embed in a page."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"

    def markdown(self) -> str:
        """Return a reference to the file."""
        return f"![{self.alt}]({self.name}.png)"


@dataclass(frozen=True)
class Matrices:
    """Confusion matrices by name: counts of shape (labels, labels), rows true, columns predicted."""

    matrices: Mapping[str, np.ndarray]
    scale: Scale = STARS

    def rows(self, name: str) -> list[list[tuple[float, int]]]:
        """Return the rows of a matrix; a cell is its share of the row, 0-1, and its count."""
        matrix = self.matrices[name]
        shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        pairs = zip(shares.tolist(), matrix.tolist(), strict=True)
        return [list(zip(share, count, strict=True)) for share, count in pairs]

    def markdown(self) -> str:
        """Return a table for each matrix."""
        head, tables = ("", *(f"predicted {label}" for label in self.scale.names)), []
        for name in self.matrices:
            rows = tuple(
                (f"true {label}", *(f"{share:.0%} ({count:,})" for share, count in row))
                for label, row in zip(self.scale.names, self.rows(name), strict=True)
            )
            tables.append(f"{no_html(name)}\n\n{Table(head, rows).markdown()}")
        return "\n\n".join(tables)


# Text is one paragraph with **bold**, `code` and [links](#/...) to pages of the tracking server's UI.
Content = str | Table | Picture | Matrices


@dataclass(frozen=True)
class Section:
    """A section of a report, with its heading."""

    heading: str
    blocks: tuple[Content, ...]


@dataclass(frozen=True)
class Report:
    """A report, which begins with `answer`; its pictures have different names."""

    title: str
    answer: tuple[str, ...]
    sections: tuple[Section, ...]

    def save(self, folder: Path, origin: ReportOrigin) -> None:
        """Write `report.html`, which holds all figures, `report.md`, and the PNG file of each figure."""
        (folder / "report.md").write_text(self.with_origin(origin), encoding="utf-8")
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Picture):
                    (folder / f"{block.name}.png").write_bytes(block.png)
        here = FileSystemLoader(Path(__file__).parent)
        environment = Environment(loader=here, autoescape=True, trim_blocks=True)
        environment.filters |= {"marked": partial(_marked, address=origin.address)}
        environment.filters |= {"breaking": _breaking, "plain": plain}
        page = environment.get_template("page.html.j2").render(report=self, origin=origin)
        (folder / "report.html").write_text(page, encoding="utf-8")

    def with_origin(self, origin: ReportOrigin, pictures: bool = True) -> str:
        """Return the report in Markdown with whole addresses and, at its end, where it comes from."""
        about = f"{origin.date}, {', '.join(origin.links)}\n\nRepeat it: `{origin.command}`\n"
        return LINK.sub(rf"[\1]({origin.address}/\2)", f"{self.markdown(pictures)}\n{about}")

    def markdown(self, pictures: bool = True) -> str:
        """Return the report in Markdown; a run's description leaves out pictures, matrices and title."""
        parts = [*map(no_html, (f"# {self.title}", *self.answer)[0 if pictures else 1 :])]
        for section in self.sections:
            blocks = [block for block in section.blocks if pictures or isinstance(block, str | Table)]
            if blocks:
                parts.append(f"## {no_html(section.heading)}")
                parts += [no_html(block) if isinstance(block, str) else block.markdown() for block in blocks]
        return "\n\n".join(parts) + "\n"


def _marked(text: str, address: str) -> Markup:
    """Return a paragraph with its bold, code and links as HTML and everything else escaped."""
    linked = LINK.sub(
        rf'<a href="{escape(address)}/\2" target="_blank" rel="noopener">\1</a>', str(escape(text))
    )
    return Markup(CODE.sub(r"<code>\1</code>", STRONG.sub(r"<strong>\1</strong>", linked)))


def _breaking(text: str) -> Markup:
    """Return a name whose line may break after each `_`, unless it holds a link or code."""
    whole = str(escape(text))
    return Markup(whole if "<" in whole else whole.replace("_", "_<wbr>"))
