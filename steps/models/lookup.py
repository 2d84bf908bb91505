"""Which of the known words a word is."""

import numpy as np
import polars as pl


def numbers_of(words: pl.Series, known: pl.Series) -> np.ndarray:
    """The place of each word in `known`, which is sorted and has each once; -1 where it is not there, int32."""
    if len(words) > len(known):  # a table of the known ones is soon made then, and twice as fast to look up in
        places = pl.int_range(len(known), dtype=pl.Int32, eager=True)
        return words.replace_strict(known, places, default=-1).to_numpy()
    nearest = known.search_sorted(words).clip(upper_bound=len(known) - 1)
    return np.where(known.gather(nearest) == words, nearest, -1).astype(np.int32)
