"""Find the code that makes a result: what a module imports, followed through the whole package."""

import hashlib
import os
import platform
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]  # the folder that holds the package
PACKAGE = __package__.partition(".")[0]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "imblearn": "imbalanced-learn", "PIL": "pillow"}
# Parsing takes 40 times as long as this pattern, which a test holds against Python's parser.
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[\w.]+)[ \t]+import[ \t]+(?:\((?P<many>[^)]*)\)|(?P<names>.*))"
    r"|import[ \t]+(?P<modules>.*))",
    re.MULTILINE,
)


def import_closure(*modules: str, root: Path = ROOT, package: str = PACKAGE) -> list[Path]:
    """Return the files of modules of a package, of all that they import from it, and data files they name.

    Imports are read from the source, also those within functions: nothing is executed.

    Args:
        modules: dotted names, such as `starcast.reviews.prepare`.
        root: the folder with the package, for instance that of the code that a model was saved with.
        package: the name of another package; empty for every one in the folder but ours.
    """
    found, seen, left = set[Path](), set[str](), set(modules)
    while left := left - seen:
        seen |= left
        around = {name.rpartition(".")[0] for name in left} - {""}  # packages are imported too
        files = {file for name in left for file in _files_of(name, root)} - found
        found |= files
        names = {_absolute(name, file, root) for file in files for name in imported_names(file)}
        left = around | {name for name in names if _is_of(package, name)}
    return sorted(found | {data for file in found for data in _data_of(file)})


def imported_packages(files: Iterable[Path]) -> set[str]:
    """Return the names under which Python files import packages of others, such as `sklearn`."""
    python = (file for file in files if file.suffix == ".py")
    names = {name.partition(".")[0] for file in python for name in imported_names(file)}
    return names - {PACKAGE, ""} - sys.stdlib_module_names  # nothing stands before the dot of `.module`


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of packages by the names to import them by; empty if absent."""
    found = {"python": platform.python_version()}
    for name in sorted(names):
        with suppress(metadata.PackageNotFoundError):
            found[name] = ""
            found[name] = metadata.version(DISTRIBUTIONS.get(name, name))
    return found


def code_digest(files: Iterable[Path], root: Path = ROOT) -> str:
    """Return a digest of the names below `root` and the contents of files, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


@cache
def imported_names(file: Path) -> frozenset[str]:
    """Return the dotted names that a file imports; what follows `from ... import` may be a module or not."""
    names = set[str]()
    source = file.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for found in IMPORT.finditer(source):
        module, listed = found["module"], found["many"] or found["names"] or found["modules"]
        each = (part.split() for part in re.sub(r"#.*", "", listed).split(","))
        plain = {words[0] for words in each if words}  # without `as ...`
        within = module if not module or module.endswith(".") else f"{module}."
        names |= {module, *(f"{within}{name}" for name in plain)} if module else plain
    return frozenset(names)


def _is_of(package: str, name: str) -> bool:
    first = name.partition(".")[0]
    return first == package if package else first != PACKAGE


def _absolute(name: str, file: Path, root: Path) -> str:
    """Return the full name of what a file imports, of which each dot at the beginning is a folder up."""
    rest = name.lstrip(".")
    if rest == name:
        return name
    around = file.relative_to(root).parts[: -(len(name) - len(rest))]
    return ".".join((*around, rest)).rstrip(".")


def _files_of(name: str, root: Path) -> list[Path]:
    """Return the file of a module or a package; none for a function or a class."""
    path = f"{root}/{name.replace('.', '/')}"
    return [Path(file) for file in (f"{path}.py", f"{path}/__init__.py") if os.path.isfile(file)]


def _data_of(file: Path) -> list[Path]:
    """Return the data files beside a module whose names stand in it."""
    source = file.read_text(encoding="utf-8", errors="replace")
    beside = (name for name in os.listdir(file.parent) if not name.endswith(".py"))
    named = (file.with_name(name) for name in beside if f'"{name}"' in source or f"'{name}'" in source)
    return [path for path in named if path.is_file()]  # not __pycache__, of which a module may speak
