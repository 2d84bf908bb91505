"""Whatever starts MLflow takes the locked version; every locked package has hashes and a licence."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PAGES += sorted((PROJECT / "docs").glob("*.md"))
STARTERS = [PROJECT / name for name in ("run.py", "MLproject", "conda.yaml", "Makefile", ".ci/run")]
RUNNING, TESTING = PROJECT / "requirements.txt", PROJECT / "requirements-dev.txt"
TRANSFORMER = PROJECT / "requirements-transformer.txt"
REQUIREMENT = r"mlflow(?:\[\w+\])?((?:[<>=!~@]=?)[\d.,<>=*]+)"
INSTALLED = r"(?:pip install|uvx|tool run|--from|--with)\b[^\n`]*?\bmlflow\b(?:\[\w+\])?(\S*)"
PIN = re.compile(r"^([\w.-]+)==(\S+)[^\\\n]* \\\n    --hash=sha256:[0-9a-f]{64}\b", re.MULTILINE)


def pins(path: Path) -> list[tuple[str, str]]:
    """Names and versions; some packages have one version for each Python."""
    return PIN.findall(path.read_text())


def locked() -> str:
    """The version of MLflow."""
    return dict(pins(RUNNING))["mlflow"]


def is_locked(asked: str) -> bool:
    return asked.strip("`'\"").lstrip("=@") == locked()


def test_every_locked_package_has_hashes_and_the_files_agree() -> None:
    for path in (RUNNING, TESTING, TRANSFORMER):
        named = re.findall(r"^[\w.-]+", path.read_text(), re.MULTILINE)
        assert named == [name for name, _ in pins(path)]
    assert set(pins(RUNNING)) < set(pins(TESTING))
    assert set(pins(RUNNING)) < set(pins(TRANSFORMER))
    tested = set(pins(TESTING))  # of some packages, one version for each Python
    assert {pin for pin in pins(TRANSFORMER) if pin[0] in dict(tested)} <= tested
    assert "torch" not in dict(pins(TRANSFORMER))
    assert ("mlflow-skinny", locked()) in pins(RUNNING)


@pytest.mark.parametrize("page", [*PAGES, *STARTERS], ids=lambda page: page.name)
def test_nothing_asks_for_another_mlflow(page: Path) -> None:
    """A newer MLflow would migrate the store, which this one then refuses."""
    text = page.read_text()
    assert all(map(is_locked, re.findall(REQUIREMENT, text)))
    assert all(map(is_locked, re.findall(INSTALLED, text)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_documented_command_starts_the_locked_mlflow(page: Path) -> None:
    """In a block of commands, and in README anywhere: not whichever `mlflow` is on the PATH."""
    text = page.read_text()
    if page.name != "README.md":
        text = "".join(re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    commands = r"(.*)\bmlflow(@\S+)? (?:run|server|ui|models|db|gc|migrate-filestore)\b"
    for before, version in re.findall(commands, text):
        assert version == f"@{locked()}" or before.endswith(("/bin/", 'PATH=.venv/bin:"$PATH" ')), before


def test_the_table_of_licences_lists_the_locked_packages_and_no_gpl() -> None:
    table = (PROJECT / "docs" / "licences.md").read_text()
    rows = re.findall(
        r"^\| ([\w.-]+) \| (\d\S*) \| (.+) \| (jobs|tests|transformer) \|$", table, re.MULTILINE
    )
    added = [pin for pin in pins(TRANSFORMER) if pin not in pins(TESTING)]
    assert [(name, version) for name, version, *_ in rows] == [*pins(TESTING), *added], "make licences"
    assert {(name, version) for name, version, _, used in rows if used == "jobs"} == set(pins(RUNNING))
    assert not [row for row in rows if re.search(r"\bA?GPL|GNU (Affero )?General", row[2])]
    assert {name for name, _, licence, _ in rows if "LGPL" in licence} == {"psycopg", "psycopg-binary"}
