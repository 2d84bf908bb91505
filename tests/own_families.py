"""Modules of the page on families of one's own, as files of a user's folder."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starcast.models import references

PAGE = Path(__file__).parents[1] / "docs" / "families.md"
NAIVE_BAYES, PIECES = "my_family:NaiveBayes", "my_pipeline:pieces"


def write_templates(folder: Path) -> dict[str, str]:
    """Write the modules that the page shows into a folder; return them by name of file."""
    found = {}
    for source in re.findall(r"^```python\n(.+?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S):
        name = source.partition(":")[0].removeprefix("# ")
        found[name] = source
        (folder / name).write_text(source, encoding="utf-8")
    return found


@contextmanager
def users_folder(folder: Path) -> Iterator[Path]:
    """The folder, which has the page's modules, is the current one; what is imported there is forgotten."""
    write_templates(folder)
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", list(sys.path))
        patch.setattr(references, "_found", {})
        yield folder
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)):
            del sys.modules[name]
