"""Families of the user's own: found by `module:name`, or by a name in the entry points `starcast.families`.

Looking one up imports its module, from the folder of the command or wherever Python finds it.
"""

from __future__ import annotations

import inspect
import re
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from starcast.cli.caller import caller_folder
from starcast.cli.code import import_closure, imported_packages
from starcast.cli.errors import OwnCodeError, first_line
from starcast.models.family import Family
from starcast.models.own_family import OwnFamily

GROUP = "starcast.families"
Where = Literal["here", "installed", "never"]
_where: ContextVar[Where] = ContextVar("where", default="here")
REFERENCE = re.compile(r"(?P<module>[^\W\d]\w*(\.[^\W\d]\w*)*):(?P<name>[^\W\d]\w*)")
PACKAGE = Path(__file__).parents[1]
_found: dict[str, tuple[FamilySource, Family]] = {}  # by the names that were looked up in this process


@dataclass(frozen=True)
class FamilySource:
    """Where a family of the user's own comes from.

    Attributes:
        reference: `module:name`.
        distribution: the package from an index that the module belongs to; empty if its code only is here.
        folder: from which it is imported, if that is not where packages are installed.
        code: the files that it needs of its folder, by name, as they were when it was looked up; none of a
            distribution.
    """

    reference: str
    module: ModuleType
    distribution: str
    folder: Path | None
    code: Mapping[str, bytes]

    @classmethod
    def of(cls, reference: str, module: ModuleType) -> FamilySource:
        """Find the code of a module that was imported."""
        file, parts = Path(str(module.__file__)), module.__name__.split(".")
        root = file.parents[len(parts) - (file.name != "__init__.py")]  # the folder that the name counts from
        installed = root.is_relative_to(sysconfig.get_path("purelib"))
        distribution = _from_index(parts[0]) if installed else ""
        if distribution:
            return cls(reference, module, distribution, None, {})
        files = import_closure(module.__name__, root=root, package=parts[0] if installed else "")
        code = {found.relative_to(root).as_posix(): found.read_bytes() for found in files}
        return cls(reference, module, "", None if installed else root, code)

    def requirements(self) -> set[str]:
        """Return the installed packages that it needs, as pip calls them."""
        if self.distribution:
            return {self.distribution}
        with tempfile.TemporaryDirectory() as folder:
            self.copy_code(Path(folder))
            names = imported_packages(Path(folder).rglob("*.py"))
        installed = metadata.packages_distributions()
        return {installed[name][0] for name in names if name in installed}

    def copy_code(self, folder: Path) -> None:
        """Write the code into a folder, as one to import it from."""
        for name, content in self.code.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    @property
    def packages(self) -> set[str]:
        """Return the packages and modules of its code, as Python imports them."""
        top = self.module.__name__.partition(".")[0]
        return {top, *(name.partition("/")[0].removesuffix(".py") for name in self.code)}


def _from_index(package: str) -> str:
    """Return the installed distribution of a package; empty if it did not come from an index."""
    names = metadata.packages_distributions().get(package, [])
    # What was installed from a folder, a file or a repository has this file.
    return next((n for n in names if not metadata.distribution(n).read_text("direct_url.json")), "")


@contextmanager
def own_code(where: Where) -> Iterator[None]:
    """Set from where families may be imported: the command's folder too, other folders only, or nowhere."""
    before = _where.set(where)
    try:
        yield
    finally:
        _where.reset(before)


def own_family(name: str) -> Family:
    """Return a family of the user's own.

    Raises:
        OwnCodeError: there is none, it is not what a family should be, or no code may be imported.
    """
    if _where.get() == "never":
        raise OwnCodeError(f"family {name}: it is not one of starcast, and its code is not to run here")
    if name not in _found:
        from starcast.models.adapted_family import AdaptedFamily

        reference = _reference(name)
        module, _, attribute = reference.partition(":")
        source = FamilySource.of(reference, _import(name, module))
        found = _attribute(name, source.module, attribute)
        own = found if _is_own(found) else _of_estimator(name, source, found, attribute)
        if missing := sorted(getattr(own, "__abstractmethods__", ())):
            raise OwnCodeError(
                f"family {name}: it lacks {' and '.join(missing)}, which OwnFamily has you write"
            )
        _found[name] = source, AdaptedFamily.of(name, own)
    return _found[name][1]


def reference_of(name: str) -> str:
    """Return the name by which a family is found where its code is: `module:name` of the user's own."""
    source = source_of(name)
    return source.reference if source else name


def source_of(name: str) -> FamilySource | None:
    """Return where a family that was looked up comes from; None for a built-in one."""
    return _found[name][0] if name in _found else None


def sources() -> list[FamilySource]:
    """Return where all families of the user's own come from that this process has looked up."""
    return [source for source, _ in _found.values()]


def registered() -> dict[str, str]:
    """Return the families that installed packages name, as `module:name` by their names."""
    return {each.name: each.value for each in metadata.entry_points(group=GROUP)}


def _reference(name: str) -> str:
    reference = name if ":" in name else registered().get(name)
    if not reference:
        raise OwnCodeError(f"family {name:.80}: there is none of this name, and no installed package has one")
    if not REFERENCE.fullmatch(reference):
        form = "module:name with dots and without .py, such as my_folder.my_module:MyFamily"
        raise OwnCodeError(f"family {name}: should be {form}")
    return reference


def _import(name: str, module: str) -> ModuleType:
    """Import a module, from the folder of the command where Python finds none of this name elsewhere."""
    here = _where.get() == "here"
    folder = str(caller_folder()) if here else ""
    if here and folder not in sys.path:
        sys.path.append(folder)  # workers get this path, too
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            looked = f"looked for in {folder} and where Python finds packages" if here else "not in its code"
            advice = "give the command in its folder, or name that in PYTHONPATH"
            said = f"family {name}: there is no module {error.name} ({looked}); {advice}"
            raise OwnCodeError(said) from None
        raise _failed(name, error) from error
    except (Exception, SystemExit) as error:  # any that the code of others raises
        raise _failed(name, error) from error


def _failed(name: str, error: BaseException) -> OwnCodeError:
    said = f"{type(error).__name__}: {first_line(error)}{place_of(error)}"
    return OwnCodeError(f"family {name}: its module cannot be imported ({said})")


def place_of(error: BaseException) -> str:
    """Return the last line of the user's code that an error came through, as `, in FILE line N`."""
    frames = traceback.extract_tb(error.__traceback__)
    others = tuple(sysconfig.get_paths()[kind] for kind in ("stdlib", "purelib", "platlib"))
    own = [f for f in frames if not f.filename.startswith((*others, str(PACKAGE), "<"))]
    return f", in {own[-1].filename} line {own[-1].lineno}" if own else ""


def _attribute(name: str, module: ModuleType, attribute: str) -> Any:
    if hasattr(module, attribute):
        return getattr(module, attribute)
    own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    near = get_close_matches(attribute, own, n=1)
    has = f"did you mean {near[0]}?" if near else f"it has {', '.join(own) or 'nothing of its own'}"
    raise OwnCodeError(f"family {name}: {module.__file__} has no {attribute}; {has}")


def _is_own(found: object) -> bool:
    return inspect.isclass(found) and issubclass(found, OwnFamily)


def _of_estimator(name: str, source: FamilySource, found: Any, attribute: str) -> type[OwnFamily]:
    """Return the family of an estimator, of a class of estimators, or of a function that returns one.

    The module's `<attribute>_space`, if there is one, is its space.
    """
    from sklearn.base import clone

    from starcast.models.estimator_family import estimator_family

    is_estimator = hasattr(found, "get_params") and not inspect.isclass(found)
    if not is_estimator and not callable(found):
        raise OwnCodeError(
            f"family {name}: is a {type(found).__name__}; wanted is a subclass of OwnFamily, a scikit-learn "
            "estimator, or a function that returns one"
        )
    make = (lambda: clone(found)) if is_estimator else found
    space = getattr(source.module, f"{attribute}_space", {})
    return estimator_family(name, make, space, source.packages)
