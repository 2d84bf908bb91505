"""The design's rule: a room imports only rooms to its left, and only `tracking` knows MLflow."""

import ast
from pathlib import Path

import pytest

STEPS = Path(__file__).parents[2] / "steps"
FILES = sorted(STEPS.rglob("*.py"))
LONGEST_FUNCTION = 50
# What each room may not import. `tracking` stands to the right of all and may import any of them.
FORBIDDEN = {
    "reviews": {"models", "search", "evaluation", "tracking"},
    "models": {"search", "evaluation", "tracking"},
    "search": {"evaluation", "tracking"},
    "evaluation": {"reviews", "models", "search", "tracking"},
    "tracking": set(),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of everything imported, wherever in the file; of `from a import b` both `a` and `a.b`."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are written in full"
            names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def rooms_of(names: set[str]) -> set[str]:
    """The rooms, and the steps outside them, among imported names."""
    return {name.split(".")[1] for name in names if name.startswith("steps.")}


def read(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def without_annotation(function: Function) -> list[str]:
    """Names of a function's parts that lack an annotation."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    missing = [a.arg for a in every if a and a.annotation is None and a.arg not in ("self", "cls")]
    return missing if function.returns else [*missing, "return"]


def name_of(path: Path) -> str:
    return str(path.relative_to(STEPS))


def test_the_readers_of_this_test_see_what_they_should() -> None:
    tree = ast.parse(
        "import os.path\nfrom steps import errors\nif True:\n    from steps.tracking.runs import x\n"
        "def f(self, a: int, *b, c=1):\n    import mlflow.keras\n"
    )
    assert {"os.path", "steps.errors", "steps.tracking.runs", "mlflow.keras"} <= imported(tree)
    assert rooms_of(imported(tree)) == {"errors", "tracking"}
    assert without_annotation(functions(tree)[0]) == ["c", "b", "return"]


def test_there_are_the_five_rooms_of_the_design() -> None:
    assert {path.parent.name for path in FILES if path.parent != STEPS} == set(FORBIDDEN)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_rooms_to_its_left(room: str) -> None:
    steps = {path.stem for path in STEPS.glob("*.py")} - {"errors", "__init__"}
    files = sorted((STEPS / room).rglob("*.py"))
    assert len(files) > 1
    wrong = {name_of(path): rooms_of(imported(read(path))) & (FORBIDDEN[room] | steps) for path in files}
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


def test_only_tracking_imports_mlflow() -> None:
    knowing = {path for path in FILES if any(name.split(".")[0] == "mlflow" for name in imported(read(path)))}
    assert knowing  # else the test looks at nothing
    assert [name_of(path) for path in knowing if STEPS / "tracking" not in path.parents] == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_functions_are_annotated_and_fit_on_a_page(path: Path) -> None:
    every = functions(read(path))
    assert {function.name: missing for function in every if (missing := without_annotation(function))} == {}
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in every}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}
