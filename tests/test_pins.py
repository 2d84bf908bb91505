"""Whatever starts MLflow takes the one version that the project is locked to."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
LOCKS = sorted(PROJECT.glob("requirements*.txt"))
REQUIREMENT = r"mlflow(?:\[\w+\])?((?:[<>=!~]=?)[\d.,<>=*]+)"


def locked(path: Path) -> list[str]:
    return re.findall(r"^mlflow(==\S+)", path.read_text(), re.MULTILINE)


def test_all_lock_files_hold_the_same_mlflow() -> None:
    """A newer MLflow would migrate the store, which an older one then refuses."""
    assert {path.name for path in LOCKS} >= {"requirements.txt"}
    [first, *others] = [locked(path) for path in LOCKS]
    assert len(first) == 1
    assert all(other == first for other in others)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_asks_for_another_mlflow(page: Path) -> None:
    assert set(re.findall(REQUIREMENT, page.read_text())) <= set(locked(PROJECT / "requirements.txt"))
