"""How a package that is not there is installed."""

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

PROJECT = Path(__file__).resolve().parents[2]


def install_command(package: str) -> str:
    """Return the command that installs a package where this runs."""
    return f"{installer()} {quote(package)}"


def installer() -> str:
    """Return how a command begins that installs where this runs; the environment of `run.py` has no pip."""
    python, uv = quote(sys.executable), shutil.which("uv") or str(PROJECT / ".uv" / "bin" / "uv")
    return f"{python} -m pip install" if find_spec("pip") else f"{quote(uv)} pip install --python {python}"
