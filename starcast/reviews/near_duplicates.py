"""Find texts that differ in a few words only: MinHash with bands, at a cost that grows with the texts.

A. Broder, "On the resemblance and containment of documents", 1997. Bands: J. Leskovec, A. Rajaraman and
J. Ullman, "Mining of Massive Datasets", chapter 3.
"""

import numpy as np
import polars as pl

from starcast.reviews.hashing import mixed, text_hashes

# Shorter texts are no near duplicates: two different ones share most of their words by chance.
FEWEST_WORDS = 10
# Of 32 minima: texts that share 0.8 of their pairs of words agree in a band in 98 of 100 cases.
BANDS, ROWS = 8, 4
ALIKE = 0.75  # share of equal minima, of texts that agree in a band
MIXER = np.uint64(0x9E3779B97F4A7C15)  # odd: tells a pair's first word from its second, and spreads seeds


def signatures(cleaned: pl.Series) -> np.ndarray:
    """Return the minima of the hashed pairs of words of each cleaned text, uint32 (texts, 32).

    Those of a short text are zeros. A text's minima depend on no other text, and are equal on every machine.
    """
    minima = np.zeros((len(cleaned), BANDS * ROWS), dtype=np.uint32)
    words = cleaned.str.split(" ")
    lengths = words.list.len().to_numpy().astype(np.int64)
    long = np.flatnonzero(lengths >= FEWEST_WORDS)
    if not len(long):
        return minima
    hashes = text_hashes(words.gather(long).explode())
    ends = np.cumsum(lengths[long])
    pairs = mixed(hashes[:-1] * MIXER + hashes[1:])
    # The pair across two texts is replaced by the one before it, which changes no minimum.
    pairs[ends[:-1] - 1] = pairs[ends[:-1] - 2]
    starts = np.concatenate([[0], ends[:-1]])
    for place, seed in enumerate(np.arange(BANDS * ROWS, dtype=np.uint64) * MIXER):
        seeded = mixed(pairs + seed)
        minima[long, place] = np.minimum.reduceat(seeded, starts) >> np.uint64(32)
    return minima


def repeated(minima: np.ndarray) -> np.ndarray:
    """Return for each text whether it is nearly a copy of an earlier one, bool (texts,).

    Args:
        minima: what `signatures` returned, of all parts one after the other.
    """
    marked = np.zeros(len(minima), dtype=bool)
    rows = np.flatnonzero(minima.any(axis=1))
    for band in range(BANDS):
        part = np.ascontiguousarray(minima[rows, band * ROWS : (band + 1) * ROWS]).view(np.uint64)
        keys = pl.DataFrame({"key": mixed(part[:, 0]) ^ part[:, 1]}).with_row_index("row")
        earlier = keys.select(pl.col("row").first().over("key")).to_series().to_numpy()
        later = np.flatnonzero(earlier < np.arange(len(rows)))
        same = minima[rows[later]] == minima[rows[earlier[later]]]
        marked[rows[later[same.mean(axis=1) >= ALIKE]]] = True
    return marked
