"""A figure as SVG for the inside of a page: on the page's own background, with the page's colour of text."""

import io
import re

import matplotlib
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
    element = text[text.index("<svg") :].replace("<svg", '<svg fill="currentColor"', 1).replace("#000000", "currentColor")
    return NAMES.sub(rf"\g<1>{name}-", element).strip()
