"""Run a benchmark and keep its tables, from which the pages of docs/ are made.

    python -m bench --list                     what each benchmark asks, and how long it took the last time
    python -m bench [--as=LABEL] NAME [OPTION ...]    run it; keep its tables in bench/figures/LABEL/
    python -m bench --pages                    write the newest tables of every label into the pages

A page has them between `<!-- figures: LABEL -->` and `<!-- end -->`, with command, date, commit and machine
below. LABEL is NAME unless told; earlier files stay as history. A benchmark's tables are the lines that begin
with `|` in what it prints.
"""

import ast
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from shlex import join

from bench.speed import gflops

PROJECT = Path(__file__).resolve().parents[1]
FIGURES = PROJECT / "bench" / "figures"
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
PACKAGES = (
    *("mlflow", "tensorflow", "keras", "scikit-learn", "polars", "hyperopt", "keras-hub", "onnxruntime"),
    *("torch", "transformers"),  # of peers
)
# Modules that a benchmark starts or imports.
PARTS = {
    *("answering", "clients", "clothing", "journal", "malformed", "mutations", "network", "nine_million"),
    *("ours", "peers", "picks", "speed", "stored", "tracking_client", "validated", "ways_to_end"),
}


@dataclass(frozen=True)
class Kept:
    """What one run of a benchmark has found, and where; `gflops`: of a matrix product on all cores."""

    command: str
    began: str
    seconds: float
    commit: str
    python: str
    machine: str
    cores: int
    gflops: float
    packages: dict[str, str]
    tables: list[str]

    def page(self) -> str:
        """Return the tables and a line on where they come from, in Markdown."""
        cores = f"{self.cores} cores, {self.gflops:.0f} GFLOPS in all"
        made = f"`{self.command}`: {self.began[:10]}, commit {self.commit}, {self.machine}, {cores}."
        return "\n\n".join([*self.tables, made])


def names() -> list[str]:
    """Return the benchmarks."""
    found = {path.stem for path in Path(__file__).parent.glob("[a-z]*.py")}
    return sorted(found - PARTS)


def newest(label: str) -> Kept | None:
    """Return what was kept last under a label."""
    files = sorted((FIGURES / label).glob("*.json"))
    return Kept(**json.loads(files[-1].read_text(encoding="utf-8"))) if files else None


def listed() -> Iterator[str]:
    """Yield a line for each benchmark: its name, how long its newest run took, what it asks."""
    for name in names():
        text = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text("utf-8"))) or ""
        asks = " ".join(text.partition("\n\n")[0].split())
        runs = [kept for folder in FIGURES.glob("*") if (kept := newest(folder.name))]
        took = [kept.seconds / 60 for kept in runs if re.search(rf"bench {name}\b", kept.command)]
        yield f"{name:17} {f'{max(took):4.0f} min' if took else 'not kept':8}  {asks}"


def run(name: str, options: Sequence[str], label: str) -> None:
    """Run a benchmark, show what it prints, and keep its tables."""
    began, start, lines, commit = datetime.now(UTC), time.monotonic(), list[str](), _commit()
    command = [sys.executable, "-m", f"bench.{name}", *options]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    tables = tables_in(lines)
    if process.returncode or not tables:
        sys.exit(process.returncode or f"bench: {name} printed no table: nothing is kept")
    kept = Kept(
        join(["python", "-m", "bench", name, *options]),
        began.isoformat(timespec="seconds"),
        seconds_in(lines) or round(time.monotonic() - start, 1),
        commit if _commit() == commit else f"{commit.rstrip('+')}+",
        platform.python_version(),
        _processor(),
        len(os.sched_getaffinity(0)),
        round(gflops(), 1),
        {name: metadata.version(name) for name in PACKAGES if _is_installed(name)},
        tables,
    )
    file = FIGURES / label / f"{began:%Y-%m-%dT%H%M%S}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(kept), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"bench: kept as {file.relative_to(PROJECT)}; python -m bench --pages writes it into the pages")


def seconds_in(lines: Sequence[str]) -> float:
    """Return what steps took that a benchmark read, because they were there; 0 if it says nothing of it."""
    told = re.findall(r"^steps took ([\d.]+) minutes$", "\n".join(lines), re.MULTILINE)
    return 60 * float(told[-1]) if told else 0.0


def tables_in(lines: Sequence[str]) -> list[str]:
    """Return the Markdown tables among printed lines."""
    found = re.findall(r"(?:^\|.*\n)+", "\n".join([*lines, ""]), re.MULTILINE)
    return [table.rstrip("\n") for table in found]


def write_pages() -> None:
    """Write the newest tables of every label that a page names into that page."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        page.write_text(made(text), encoding="utf-8")


def made(text: str) -> str:
    """Return a page's text with the newest tables.

    Raises:
        LookupError: the page names a label of which nothing is kept.
    """
    return BLOCK.sub(_block, text)


def _block(found: re.Match[str]) -> str:
    if not (kept := newest(found[2])):
        raise LookupError(f"nothing is kept of {found[2]}: python -m bench --as={found[2]} NAME")
    return f"{found[1]}{kept.page()}\n{found[3]}"


def _commit() -> str:
    """Return the commit of the code, with a `+` if tracked files were changed since."""
    asked = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    return subprocess.run(asked, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    return named[1] if named else platform.machine()


def _is_installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False


def main(arguments: list[str]) -> None:
    """Read the command and do it."""
    if arguments == ["--list"]:
        print("\n".join(listed()))
        return
    if arguments == ["--pages"]:
        write_pages()
        return
    label = arguments.pop(0).partition("=")[2] if arguments[:1] and arguments[0].startswith("--as=") else ""
    if not arguments or arguments[0] not in names():
        sys.exit(f"{__doc__}\nbenchmarks: {', '.join(names())}")
    name, *options = arguments
    run(name, options, label or name)


if __name__ == "__main__":
    main(sys.argv[1:])
