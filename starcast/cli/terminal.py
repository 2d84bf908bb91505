"""Whether standard output is a terminal on which a table can be repainted."""

import os
import sys

UNABLE = ("", "dumb", "unknown")  # values of TERM


def can_repaint() -> bool:
    """Return whether lines on standard output can be replaced by later ones."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in UNABLE
