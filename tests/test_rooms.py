"""The design's rules: which room may import which, who may import which package, and who imports `steps`."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE, STEPS = PROJECT / "starcast", PROJECT / "steps"
FILES = sorted(PACKAGE.rglob("*.py"))
LONGEST_FUNCTION = 60
LONGEST_LINE = 110
# A room imports only rooms that stand before it here, so there can be no circles; these two import none.
ROOMS = (
    *("cli", "evaluation", "reviews", "reports", "models", "search", "tracking", "spark"),
    *("comparison", "promotion", "workflow", "monitoring", "experiments", "reproduction"),
)
IMPORT_NOTHING = {"cli", "evaluation"}
OWNERS = {"mlflow": "tracking", "pyspark": "spark"}  # packages that one room alone imports
Function = ast.FunctionDef | ast.AsyncFunctionDef


def imported(tree: ast.AST) -> set[str]:
    """Return the dotted names of everything imported anywhere in a file.

    Of `from a import b` both `a` and `a.b`.
    """
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def read(path: Path) -> ast.Module:
    """Parse a source file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    """Return the room a file of the package stands in."""
    return path.relative_to(PACKAGE).parts[0]


def functions(tree: ast.AST) -> list[Function]:
    """List all functions of a file, nested ones too."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def without_annotation(function: Function) -> list[str]:
    """Name the parts of a function that lack an annotation."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    missing = [a.arg for a in every if a and a.annotation is None and a.arg not in ("self", "cls")]
    return missing if function.returns else [*missing, "return"]


def name_of(path: Path) -> str:
    """Name a file below the project."""
    return str(path.relative_to(PROJECT))


def test_the_readers_of_this_test_see_what_they_should() -> None:
    tree = ast.parse(
        "import os.path\nfrom starcast import cli\nif True:\n    from starcast.tracking.runs import x\n"
        "def f(self, a: int, *b, c=1):\n    import mlflow.keras\n"
    )
    assert {"os.path", "starcast.cli", "starcast.tracking.runs", "mlflow.keras"} <= imported(tree)
    assert without_annotation(functions(tree)[0]) == ["c", "b", "return"]


def test_the_package_has_the_rooms_of_the_design() -> None:
    assert {room_of(path) for path in FILES if path.parent != PACKAGE} == set(ROOMS)
    assert [path.name for path in PACKAGE.glob("*.py")] == ["__init__.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_that_stand_before_it(room: str) -> None:
    before = set() if room in IMPORT_NOTHING else set(ROOMS[: ROOMS.index(room)])
    files = [path for path in FILES if room_of(path) == room]
    assert len(files) > 1
    for path in files:
        names = [name.split(".") for name in imported(read(path))]
        rooms = {name[1] for name in names if name[0] == "starcast" and len(name) > 1} & set(ROOMS)
        assert rooms - {room} <= before, name_of(path)
        assert not [name for name in names if name[0] == "steps"], name_of(path)


@pytest.mark.parametrize(("package", "room"), OWNERS.items())
def test_one_room_alone_imports_a_package(package: str, room: str) -> None:
    knowing = {path for path in FILES if any(name.split(".")[0] == package for name in imported(read(path)))}
    assert knowing, "else this test looks at nothing"
    assert [name_of(path) for path in knowing if room_of(path) != room] == []


def test_entry_points_are_short_and_imported_by_nothing() -> None:
    entry_points = [path for path in STEPS.glob("*.py") if path.name != "__init__.py"]
    assert len(entry_points) == 12
    lengths = {path.name: path.read_text().count("\n") for path in entry_points}
    assert {name: lines for name, lines in lengths.items() if not 20 <= lines <= 60} == {}
    for path in entry_points:
        assert not [name for name in imported(read(path)) if name.split(".")[0] in ("steps", "mlflow")], (
            path.name
        )


@pytest.mark.parametrize("path", [*FILES, *sorted(STEPS.glob("*.py"))], ids=name_of)
def test_functions_are_annotated_and_fit_on_a_page(path: Path) -> None:
    every = functions(read(path))
    assert {function.name: missing for function in every if (missing := without_annotation(function))} == {}
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in every}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_no_line_is_wider_than_a_page() -> None:
    wide = [
        f"{name_of(path)}:{number}"
        for folder in ("starcast", "steps", "tests", "bench", "data")
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if len(line) > LONGEST_LINE
    ]
    assert wide == []


def test_the_package_is_imported_from_anywhere(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    code = "import starcast, sys; sys.exit(bool({'mlflow', 'tensorflow', 'polars'} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode
        == 0
    )
