"""Write docs/licences.md, the licence of every locked package, from the packages' own metadata.

.venv/bin/python docs/make_licences.py      after `python3 run.py test --version` and
                                            `python3 run.py install transformer`, which install them all
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PIN = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)", re.MULTILINE)
# Read in the text of the licence, where the metadata do not name it or the package is one for Windows alone.
READ = {
    "colorama": "BSD-3-Clause",
    "httpx2-jsfetch": "BSD-3-Clause",
    "huey": "MIT",
    "namex": "Apache-2.0",
    "polars-hash": "MIT",
    "pywin32": "PSF-2.0",
    "skops": "MIT",
    "waitress": "ZPL-2.1",
}
HEAD = """# Licences

What each package names as its licence in its metadata: those that jobs need (`requirements.txt`), those
that only the tests need (`requirements-dev.txt`), and those that the family `transformer` needs beside
(`requirements-transformer.txt`). None is under the GPL or AGPL.
`psycopg`, for the tests and for whoever keeps runs in PostgreSQL, is under the LGPL: code of any licence may
import it. Written by `make licences`.

| package | version | licence | for |
|---|---|---|---|
"""


def licence_of(package: Distribution) -> str:
    """Return the licence that a package's metadata name: its expression, classifiers or free text."""
    about = package.metadata
    classified = [
        line.split(" :: ") for line in about.get_all("Classifier", []) if line.startswith("License")
    ]
    named = [parts[-1] for parts in classified if len(parts) > 2]
    free = (about.get("License") or "").strip()
    return about.get("License-Expression") or ", ".join(named) or (free if "\n" not in free else "")


def main() -> None:
    """Write the table; end with a line on a package whose licence is not known or is a GPL."""
    jobs = dict(PIN.findall((PROJECT / "requirements.txt").read_text("utf-8")))
    lines = []
    tested, adding = (
        PIN.findall((PROJECT / f"requirements-{name}.txt").read_text("utf-8"))
        for name in ("dev", "transformer")
    )
    for name, version in [*tested, *(pin for pin in adding if pin not in tested)]:
        used = "tests" if (name, version) in tested else "transformer"
        try:
            licence = licence_of(distribution(name)) or READ.get(name, "")
        except PackageNotFoundError:
            licence = READ.get(name, "")
        if not licence or re.search(r"\b(A?GPL|GNU (Affero )?General)", licence):
            sys.exit(f"make_licences: {name} {version}: licence {licence or 'not known'}")
        lines.append(f"| {name} | {version} | {licence} | {'jobs' if name in jobs else used} |\n")
    (PROJECT / "docs" / "licences.md").write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
