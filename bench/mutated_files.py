"""Are damaged files read whole, or refused in one line? Files of every dialect are mutated at random, and
read and checked as `preprocess` does it.

    python -m bench.mutated_files [--files=2000] [--seed=0] [--show=3] [--keep=FOLDER]

What each mutation leaves unharmed is known: the rows that it does not touch. Prints how many files were read
whole (every unharmed row with its rating and text), refused in one line, or read without some unharmed rows,
and whether these were counted as bad ("dropped, said") or not ("HALF-READ"). "CRASHED" is any error that is
no refusal. `--keep` writes the files of the last two kinds, with the seed of each in its name.
"""

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from bench.mutations import Mutated, Row, made
from starcast.cli.errors import UserError
from starcast.reviews import blocks
from starcast.reviews.check import conclude
from starcast.reviews.inspection import inspect, to_reviews
from starcast.reviews.layouts import recognise
from starcast.reviews.parameters import DataParameters
from starcast.reviews.stream import read_chunks

SMALL_BLOCK = 4_096  # bytes: for half of the files, so that they are read in several blocks
SLOW = 10.0  # seconds


def outcome(path: Path, rows: list[Row], mutated: Mutated, on_bad_rows: str) -> tuple[str, str]:
    """Read and check a file as `preprocess` does; return what came of it and what was said."""
    parameters = DataParameters.model_validate({"on_bad_rows": on_bad_rows})
    found, read, before, layout = Counter[Row](), [], 0, None
    try:
        for chunk in read_chunks(path, parameters.reading()):
            layout = layout or recognise(chunk.table.columns)
            table = to_reviews(chunk.table, layout, before)
            read.append(inspect(table, table["text"].fill_null(""), chunk.rejected))
            found.update(_pairs(table))
            before += table.height
        assert layout is not None
        _, report = conclude(read, layout, parameters.on_bad_rows)
    except UserError as error:
        return "refused in one line" if "\n" not in str(error) else "refused in LINES", str(error)
    except (Exception, pl.exceptions.PanicException) as error:
        return "CRASHED", f"{type(error).__name__}: {str(error)[:200]}"
    unharmed = [(rows[number][0], _plain(rows[number][1])) for number in sorted(mutated.unharmed)]
    lost = [row for row in unharmed if not found[row]]
    if not lost and before >= mutated.least:
        return "read whole", ""
    kind = "dropped, said" if 0 < len(lost) <= report.rejected.height else "HALF-READ"
    return kind, f"{len(lost)} of {len(unharmed)} unharmed rows lost, {before} read: {lost[:1]}"


def _pairs(table: pl.DataFrame) -> Iterator[Row]:
    for stars, text in table.select("rating", "text").iter_rows():
        yield str(stars), _plain(text or "")


def _plain(text: str) -> str:
    """Return a text in which line ends and what stands around it count for nothing."""
    return " ".join(text.split())


def main() -> None:
    """Try them, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=3, help="files shown per outcome and dialect")
    parser.add_argument("--keep", type=Path, help="folder for the files that were half read or crashed it")
    asked = parser.parse_args()
    counts, said, block = Counter[tuple[str, str]](), defaultdict[str, list[str]](list), blocks.BLOCK
    with tempfile.TemporaryDirectory() as folder:
        for number in range(asked.files):
            seed = f"{asked.seed}.{number}"
            dialect, mutated, ending, rows = made(seed)
            path = Path(folder) / f"{seed}{ending}"
            path.write_bytes(mutated.content)
            blocks.BLOCK = SMALL_BLOCK if number % 2 else block
            begun, how = time.monotonic(), "drop" if number % 3 == 2 else "refuse"
            what, why = outcome(path, rows, mutated, how)
            if time.monotonic() - begun > SLOW:
                said["SLOW"].append(f"{path.name}: {time.monotonic() - begun:.0f} s")
            counts[what, dialect.split(",")[0]] += 1
            said[what].append(f"{path.name} ({dialect}; {mutated.what}; {how}): {why}")
            if asked.keep and what in ("HALF-READ", "CRASHED"):
                asked.keep.mkdir(exist_ok=True)
                path.rename(asked.keep / path.name)
            else:
                path.unlink()
    kinds = sorted({kind for _, kind in counts})
    print(f"{'':22}{'all':>8}" + "".join(f"{kind:>13}" for kind in kinds))
    for what in sorted({what for what, _ in counts}, key=str.lower):
        each = [counts[what, kind] for kind in kinds]
        print(f"{what:22}{sum(each):8}" + "".join(f"{count:13}" for count in each))
    for what, lines in sorted(said.items()):
        for line in lines[: asked.show] if what != "read whole" else ():
            print(f"{what}: {line}")


if __name__ == "__main__":
    main()
