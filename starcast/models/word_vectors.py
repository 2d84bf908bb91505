"""Read pretrained word vectors from a file: the text of GloVe or word2vec, or NumPy's `.npz`."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from starcast.cli.caller import caller_folder
from starcast.cli.errors import UserError

COUNTS = re.compile(r"\d+ \d+\s*")  # word2vec's first line: how many words, how many numbers each


def located(vectors: object) -> Path:
    """Return the path of the file that a setting names; a relative one counts from the caller's folder."""
    return caller_folder() / Path(str(vectors)).expanduser()


def width_of(path: Path) -> int:
    """Return how many numbers a file has for each word; it is read once, as long as it stays as it is.

    Raises:
        UserError: there is no such file, or it holds no word vectors.
    """
    return _width(path, _version(path))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file; it is read once, as long as it stays as it is.

    Raises:
        UserError: there is no such file.
    """
    return _digest(path, _version(path))


def _version(path: Path) -> tuple[int, int]:
    try:
        about = path.stat()
    except OSError as error:
        raise UserError(f"vectors: {path}: {error.strerror}") from None
    return about.st_size, about.st_mtime_ns


@lru_cache(maxsize=4)
def _width(path: Path, version: tuple[int, int]) -> int:
    return len(next(_vectors(path))[1])


@lru_cache(maxsize=4)
def _digest(path: Path, version: tuple[int, int]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_vectors(path: Path, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of those words that a file has, shape (n,), and their vectors, float32 (n, width).

    Each line of a text file is a word and its numbers; only the vectors of `words` are kept in memory. A
    `.npz` file has the arrays `words`, shape (m,), and `vectors`, shape (m, width).

    Raises:
        UserError: there is no such file, it holds no word vectors, or none of these words.
    """
    places = {word: place for place, word in enumerate(words)}
    found: dict[int, np.ndarray] = {}
    width = width_of(path)
    for word, numbers in _vectors(path):
        if len(numbers) != width:
            raise UserError(
                f"vectors: {path}: {word!r:.40} has {len(numbers)} numbers, the first word {width}"
            )
        if word in places:
            try:
                found.setdefault(places[word], np.asarray(numbers, dtype=np.float32))
            except ValueError:
                raise UserError(f"vectors: {path}: after {word!r:.40} there is more than numbers") from None
    if not found:
        raise UserError(f"vectors: {path} has none of the {len(words):,} words of the vocabulary")
    return np.array(list(found)), np.stack(list(found.values()))


def _vectors(path: Path) -> Iterator[tuple[str, Sequence[str] | np.ndarray]]:
    """Yield each word of a file with its numbers, those of a text file as text."""
    return _stored(path) if path.suffix == ".npz" else _lines(path)


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            first = next(lines, "")
            if COUNTS.fullmatch(first):
                first = next(lines, "")
            width = first.rstrip().count(" ")
            for line in chain([first], lines):
                word, *numbers = line.rstrip().rsplit(" ", width)  # a few of GloVe's words have spaces
                if not numbers:
                    raise UserError(f"vectors: {path}: {line[:40]!r} is no word followed by its numbers")
                yield word, numbers
    except OSError as error:
        raise UserError(f"vectors: {path}: {error.strerror}") from None


def _stored(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            words, vectors = arrays["words"], arrays["vectors"]
    except OSError as error:
        raise UserError(f"vectors: {path}: {error.strerror or error}") from None
    except (KeyError, ValueError, BadZipFile):
        raise UserError(f"vectors: {path} is no .npz file with the arrays `words` and `vectors`") from None
    if not len(words) or vectors.ndim != 2 or words.shape != vectors.shape[:1]:
        raise UserError(f"vectors: {path}: its {words.shape} words have {vectors.shape} vectors")
    yield from zip(words.tolist(), vectors, strict=True)
