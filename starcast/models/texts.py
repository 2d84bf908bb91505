"""The cleaned texts of a split: a column in memory, or a file of which a few are in memory at once."""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from starcast.reviews.parquet import read_row_groups

CHUNK = 20_000  # reviews worked on at once: what bounds memory
WorkProgress = Callable[[str, float], None]  # told what is being done, and how much of it has been, 0 to 1
Chunk = TypeVar("Chunk", bound=Sized)


def silent(what: str, share: float) -> None:
    """Show nothing."""


def watched(chunks: Iterable[Chunk], total: int, what: str, show: WorkProgress) -> Iterator[Chunk]:
    """The chunks, which hold `total` reviews; each is shown to be done when the next is wanted."""
    done = 0
    for chunk in chunks:
        yield chunk
        done += len(chunk)
        show(what, done / total)


@dataclass(frozen=True)
class StoredTexts:
    """The column `cleaned` of a split's Parquet file, or of all files in a folder; of some rows only where these are given."""

    path: Path
    rows: np.ndarray | None = None  # whether each row is taken, shape (rows of the file,)

    def __len__(self) -> int:
        if self.rows is not None:
            return int(self.rows.sum())
        return pl.scan_parquet(self.path).select(pl.len()).collect().item()

    def chunks(self) -> Iterator[pl.Series]:
        """The texts in order, at most `CHUNK` at once."""
        begin = 0
        for table in read_row_groups(self.path, CHUNK, ["cleaned"]):
            texts = table["cleaned"]
            yield (
                texts if self.rows is None else texts.filter(pl.Series(self.rows[begin : begin + len(texts)]))
            )
            begin += len(texts)


Texts = pl.Series | StoredTexts


def chunks_of(texts: Texts) -> Iterator[pl.Series]:
    """The texts in order, at most `CHUNK` at once; none of them empty."""
    if isinstance(texts, StoredTexts):
        yield from (chunk for chunk in texts.chunks() if len(chunk))
        return
    for begin in range(0, len(texts), CHUNK):
        yield texts.slice(begin, CHUNK)
