"""The code that makes a result is found without running it."""

import ast
from pathlib import Path

import pytest

from starcast.cli.code import ROOT, code_digest, import_closure, imported_names, imported_packages

EVERY = sorted((ROOT / "starcast").rglob("*.py"))


def test_imports_are_those_that_pythons_parser_finds() -> None:
    for file in EVERY:
        parsed = set[str]()
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                parsed |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.module, file
                assert not node.level, f"{file}: a relative import is not followed"
                parsed |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        # A sentence in a docstring may look like an import: one too many does no harm.
        assert imported_names(file) >= parsed, file


def test_closure_holds_what_splits_are_made_by() -> None:
    files = import_closure("starcast.workflow.prepare")
    names = {file.relative_to(ROOT).as_posix() for file in files}
    needed = ("cli/__init__.py", "reviews/clean.py", "reviews/stop_words_english.txt", "evaluation/scale.py")
    assert {f"starcast/{name}" for name in (*needed, "spark/reviews.py", "reports/figures.py")} <= names
    assert {"polars", "pyarrow", "numpy", "nltk", "charset_normalizer", "sklearn"} <= imported_packages(files)
    assert not any(name.startswith(("starcast/promotion", "starcast/comparison")) for name in names)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Return a folder with a package of three modules, of which the first imports the second."""
    package = tmp_path / "starcast"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "first.py").write_text("def late():\n    from starcast import second as other\n")
    (package / "second.py").write_text("import os, starcast.first\n")
    (package / "third.py").write_text("import starcast.first\n")
    return tmp_path


def test_closure_of_another_folder_follows_late_imports_and_circles(saved: Path) -> None:
    files = import_closure("starcast.first", root=saved)
    assert [file.name for file in files] == ["__init__.py", "first.py", "second.py"]


def test_a_data_file_belongs_to_the_module_that_names_it_and_a_folder_to_none(saved: Path) -> None:
    package = saved / "starcast"
    (package / "__pycache__").mkdir()
    (package / "words.txt").write_text("good\n")
    (package / "first.py").write_text('NAMED = ("words.txt", "__pycache__")\n')
    files = import_closure("starcast.first", root=saved)
    assert [file.name for file in files] == ["__init__.py", "first.py", "words.txt"]


def test_digest_depends_on_names_and_contents_not_on_the_place(
    saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = import_closure("starcast.first", root=saved)
    before = code_digest(files, saved)
    moved = saved.rename(tmp_path_factory.mktemp("elsewhere") / "copy")
    files = [moved / file.relative_to(saved) for file in files]
    assert code_digest(files, moved) == before
    files[1].write_text(files[1].read_text() + "# changed\n")
    assert code_digest(files, moved) != before


def test_closure_of_ones_own_folder_follows_every_module_there_also_from_dots(tmp_path: Path) -> None:
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "starcast.py").write_text("import never")
    sources = {
        "mine/family.py": "import numpy, \\\n beside\nfrom . import near\nfrom .deep import below\n",
        "mine/near.py": "from .. import nothing\nDATA = 'words.txt'\n",
        "mine/deep/below.py": "from ..other import (\n    a,  # of a module\n)\n",
        **dict.fromkeys(("mine/other.py", "mine/words.txt", "mine/unused.py", "beside.py", "never.py"), ""),
    }
    for name, source in sources.items():
        (tmp_path / name).write_text(source)
    files = import_closure("mine.family", root=tmp_path, package="")
    named = {"mine/family.py", "mine/near.py", "mine/deep/below.py", "mine/other.py", "mine/words.txt"}
    assert {file.relative_to(tmp_path).as_posix() for file in files} == {*named, "beside.py"}
    assert imported_packages(files) >= {"numpy"}
    assert "" not in imported_packages(files)
    files = import_closure("mine.family", root=tmp_path, package="mine")
    assert {file.relative_to(tmp_path).as_posix() for file in files} == named
