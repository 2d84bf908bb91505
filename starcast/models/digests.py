"""Digests of a model's files, and of the code that answers: both are to be as they were when it was saved."""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from starcast.cli.code import PACKAGE, ROOT, import_closure

SUMS = "artifacts/SHA256SUMS"  # in a model's folder, in the form of `sha256sum --check`
ANSWERS_FROM = "starcast.models.predictor"
SHOWN = 3  # files in a message


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder in order, without what Python compiled."""
    yield from sorted(
        file for file in folder.rglob("*") if not file.is_dir() and "__pycache__" not in file.parts
    )


def sums_text(files: Mapping[str, Path]) -> str:
    """Return the digests of files, by what they are called in the model."""
    return "".join(f"{digest(file)}  {name}\n" for name, file in files.items())


def read_sums(text: str) -> dict[str, str]:
    """Return the digest of each file from what `sums_text` wrote."""
    return {name: found for found, _, name in (line.partition("  ") for line in text.splitlines())}


def changes(model: Path, sums: Mapping[str, str], parts: Iterable[str]) -> list[str]:
    """Return what differs in parts (folders or files) of a model's folder from its digests, file by file."""
    differing = []
    for part in parts:
        place = model / part
        there = {str(file.relative_to(model)) for file in files_of(place)} | (
            {part} if place.is_file() else set()
        )
        saved = {name for name in sums if name == part or name.startswith(f"{part}/")}
        differing += [f"{name} was added" for name in sorted(there - saved)]
        differing += [f"{name} is missing" for name in sorted(saved - there)]
        differing += [
            f"{name} was changed" for name in sorted(saved & there) if digest(model / name) != sums[name]
        ]
    return differing


def answering_code(root: Path = ROOT) -> dict[str, str]:
    """Return the digests of the files of starcast that make a saved model's answers, by name below `root`.

    What is read from the command line or told on the terminal, in the subpackage `cli`, makes no answer.
    """
    names = (file.relative_to(root).as_posix() for file in import_closure(ANSWERS_FROM, root=root))
    return {name: digest(root / name) for name in names if "/cli/" not in name}


def imported_otherwise(code: Path) -> list[str]:
    """Return modules of a model's code, except starcast's, that this process imported with other content."""
    differing = []
    for file in files_of(code):
        name = ".".join(file.relative_to(code).with_suffix("").parts).removesuffix(".__init__")
        imported = getattr(sys.modules.get(name), "__file__", None)
        is_ours = name.partition(".")[0] == PACKAGE
        if file.suffix == ".py" and imported and not is_ours and digest(Path(imported)) != digest(file):
            differing.append(name)
    return differing


def shown(names: list[str]) -> str:
    """Return a few of some files as text."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
