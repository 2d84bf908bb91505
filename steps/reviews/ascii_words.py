"""Lower-case words of ASCII texts, on the bytes of a whole column: what the pattern `WORD` finds, at three times its speed."""

import numpy as np
import polars as pl
import pyarrow as pa

SPACE, APOSTROPHE = ord(" "), ord("'")
# What becomes of each byte: letters become small, digits and apostrophes stay, anything else parts words.
TABLE = bytes(ord(chr(b).lower()) if b < 128 and (chr(b).isalnum() or b == APOSTROPHE) else SPACE for b in range(256))


def ascii_words(texts: pl.Series) -> pl.Series:
    """The words of each text, joined by single spaces; texts are ASCII, without nulls."""
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, values = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    if values is None or offsets[0] == offsets[-1]:
        return texts
    data = bytearray(values[offsets[0] : offsets[-1]].to_pybytes().translate(TABLE))
    letters, starts = np.frombuffer(data, np.uint8), offsets - offsets[0]
    _drop_outer_apostrophes(letters, starts)
    kept = letters != SPACE
    kept[:-1] |= kept[1:]  # the space before a word as well
    dropped = np.flatnonzero(~kept)
    new_offsets = starts - np.searchsorted(dropped, starts)
    words = pa.LargeStringArray.from_buffers(len(array), pa.py_buffer(new_offsets), pa.py_buffer(letters[kept]))
    # At its ends a text may still have the space before its first word or before the next text's.
    return pl.Series(texts.name, words).str.strip_chars(" ")


def _drop_outer_apostrophes(letters: np.ndarray, starts: np.ndarray) -> None:
    """Make each apostrophe that has no letter or digit on both sides, in its own text, a space."""
    places = np.flatnonzero(letters == APOSTROPHE)
    begins = np.zeros(len(letters) + 1, dtype=bool)
    begins[starts] = True
    before, after = letters[places - 1], letters[np.minimum(places + 1, len(letters) - 1)]
    inside = (before > APOSTROPHE) & (after > APOSTROPHE) & ~begins[places] & ~begins[places + 1]
    letters[places[~inside]] = SPACE
