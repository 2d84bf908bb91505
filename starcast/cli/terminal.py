"""Whether a stream is a terminal on which lines can be repainted."""

import os
import sys
from typing import TextIO

UNABLE = ("", "dumb", "unknown")  # values of TERM


def can_repaint(stream: TextIO | None = None) -> bool:
    """Return whether lines on a stream (standard output, unless told) can be replaced by later ones."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM", "") not in UNABLE
