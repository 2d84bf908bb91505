"""Every command that starts MLflow takes the one version that the project is locked to."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
REQUIREMENT = r"mlflow(?:\[\w+\])?((?:[<>=!~]=?)[\d.,<>=*]+)"


def locked() -> str:
    [version] = re.findall(r"^mlflow==(\S+)", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    return str(version)


def test_both_readme_commands_take_the_locked_mlflow() -> None:
    """A newer MLflow would migrate the store, which the locked one inside then refuses."""
    commands = re.findall(r"^.*\buvx .*\bmlflow run \..*$", (PROJECT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert [re.findall(REQUIREMENT, command) for command in commands] == [[f"=={locked()}"]] * 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_asks_for_another_mlflow(page: Path) -> None:
    assert set(re.findall(REQUIREMENT, page.read_text())) <= {f"=={locked()}"}
