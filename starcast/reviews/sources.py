"""Find the file of a data set by its name or path."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from starcast.cli.errors import UserError
from starcast.reviews.parameters import DataParameters
from starcast.reviews.remote import fetch, is_address
from starcast.reviews.unpack import split_address

if TYPE_CHECKING:
    import pandas as pd

PROJECT = Path(__file__).parents[2]
SAMPLE = PROJECT / "data" / "sample.csv"
CLOTHING = PROJECT / "data" / "raw" / "womens_clothing_reviews.csv"
OPENML_NAME, OPENML_VERSION = "Womens-E-Commerce-Clothing-Reviews", 2
# Study A's file: rows, and rows per rating.
CLOTHING_ROWS = 23_486
CLOTHING_COUNTS = {1: 842, 2: 1565, 3: 2871, 4: 5077, 5: 13131}


def locate_files(parameters: DataParameters) -> dict[str, Path]:
    """Return the files of reviews, by the parameters that name them, in the order of the splits.

    Raises:
        UserError: as `locate` does.
    """
    names = ("data", "validation_data", "test_data")
    return {name: locate(given, name) for name in names if (given := getattr(parameters, name))}


def locate(data: str, parameter: str = "data") -> Path:
    """Return the file that `data` names: `sample`, `clothing`, a path, or an address to fetch.

    Raises:
        UserError: the file is missing, or the download failed or is not the expected file.
    """
    if data == "sample":
        return SAMPLE
    if data == "clothing":
        return CLOTHING if CLOTHING.exists() else download_clothing(CLOTHING)
    if is_address(data):
        return fetch(data, parameter)
    path = Path(os.path.expanduser(data))  # that of Path raises an error where there is no such user
    file = split_address(path)[0]
    if os.path.isfile(file) and not os.access(file, os.R_OK):
        raise UserError(f"{parameter} {data!r}: this user may not read {file}; allow it, or name another")
    if not os.path.isfile(file):
        kind = "is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise UserError(
            f"{parameter} {data!r}: {kind} ({path.resolve()}); give a path, or a name: sample, clothing"
        )
    return path


def download_clothing(target: Path) -> Path:
    """Fetch study A's reviews from OpenML, check them, and write them to `target` atomically.

    Raises:
        UserError: OpenML cannot be reached, what it sent is not study A's file, or it cannot be written.
    """
    from sklearn.datasets import fetch_openml  # only the download needs scikit-learn here

    try:
        frame = fetch_openml(name=OPENML_NAME, version=OPENML_VERSION, as_frame=True).frame
    except (OSError, ValueError) as error:
        remedy = f"put the Kaggle file nicapotato/womens-ecommerce-clothing-reviews at {target} instead"
        raise UserError(f"data 'clothing': OpenML did not answer ({error}); {remedy}") from None
    frame = frame.rename(columns=lambda name: str(name).replace("_", " "))
    check_clothing(frame)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        frame.to_csv(part, index=False)
        part.replace(target)
    except OSError as error:
        what = f"cannot be written to {target} ({error.strerror})"
        raise UserError(f"data 'clothing': {what}; make room for it there") from None
    finally:
        if target.parent.is_dir():
            part.unlink(missing_ok=True)
    return target


def check_clothing(frame: "pd.DataFrame") -> None:
    """Raise a UserError if columns, rows or rows per rating of a download are not study A's."""
    import pandas as pd  # loaded by the download

    missing = {"Review Text", "Rating", "Title"} - set(frame.columns)
    if missing:
        what = f"lacks {sorted(missing)}; it has {list(frame.columns)}"
        raise UserError(f"data 'clothing': OpenML's table {what}")
    ratings = pd.to_numeric(frame["Rating"], errors="coerce")
    counts = {rating: int((ratings == rating).sum()) for rating in CLOTHING_COUNTS}
    if len(frame) != CLOTHING_ROWS or counts != CLOTHING_COUNTS:
        what = f"OpenML sent {len(frame)} rows with ratings {counts}"
        raise UserError(f"data 'clothing': {what}, study A has {CLOTHING_ROWS} with {CLOTHING_COUNTS}")


def file_digest(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the file's SHA-256; an unchanged file is not read again."""
    file, _ = split_address(path)
    known = file.stat()
    return _digest(file, known.st_size, known.st_mtime_ns)


@lru_cache
def _digest(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
