"""Tell which scripts texts are written in."""

import unicodedata
from collections import Counter

import numpy as np
import polars as pl

# The first word of a letter's name in Unicode is its script, but for these.
SCRIPTS = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "HIRAGANA": "Kana",
    "KATAKANA": "Kana",
    "KATAKANA-HIRAGANA": "Kana",
}
BY_THE_CHARACTER = ("Han", "Kana", "Thai", "Lao", "Khmer", "Myanmar")  # without spaces between words
ASCII = 127  # its last code
LEAST = 0.0005  # a share that is not named


def letters_by_script(texts: pl.Series) -> Counter[str]:
    """Return the number of letters in each script, of cleaned texts; counts of parts can be added up."""
    _, _, signs = texts.str.join("").to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    bytes_of_all = np.frombuffer(signs or b"", np.uint8)
    # Letters a to z, which are no part of other signs in UTF-8; the subtraction wraps round.
    counts = Counter({"Latin": np.count_nonzero(bytes_of_all - ord("a") <= ord("z") - ord("a"))})
    other = "".join(texts.filter(texts.str.len_bytes() != texts.str.len_chars()))
    codes = np.frombuffer(other.encode("utf-32-le"), np.uint32)
    for code, letters in zip(*np.unique(codes[codes > ASCII], return_counts=True), strict=True):
        if script := _script_of(chr(code)):
            counts[script] += int(letters)
    return counts


def _script_of(sign: str) -> str:
    """Return the script of a letter; empty for any other sign."""
    if not sign.isalpha():
        return ""
    name = unicodedata.name(sign, "OTHER").split(" ")[0]
    return SCRIPTS.get(name, name.capitalize())


def script_line(counts: Counter[str]) -> str:
    """Return the share of the letters in each script as one line, and how text without spaces is read."""
    total = counts.total()
    if not total:
        return "scripts: no letters"
    named = [(name, letters / total) for name, letters in counts.most_common() if letters / total >= LEAST]
    parts = [
        f"{name} {share:.1%}" + (" (read by the character)" if name in BY_THE_CHARACTER else "")
        for name, share in named
    ]
    return f"scripts: {', '.join(parts)}"


def main_scripts(texts: pl.Series) -> pl.Series:
    """Return the script of most letters of each cleaned text; empty where there is no letter.

    Args:
        texts: some thousands at most, which limits memory.
    """
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    latin = texts.str.contains("[a-z]")
    found = pl.select(pl.when(latin).then(pl.lit("Latin")).otherwise(pl.lit(""))).to_series()
    others = texts.filter(~ascii_only)
    if others.is_empty():
        return found
    codes = np.frombuffer("".join(others).encode("utf-32-le"), np.uint32)
    rows = np.repeat(np.arange(len(others)), others.str.len_chars().to_numpy())
    distinct, places = np.unique(codes, return_inverse=True)
    names = [_script_of(chr(code)) for code in distinct]
    scripts = sorted({"Latin", *names} - {""})
    numbers = np.array([scripts.index(name) if name else -1 for name in names])[places]
    letters = numbers >= 0
    cells = rows[letters] * len(scripts) + numbers[letters]
    counts = np.bincount(cells, minlength=len(others) * len(scripts)).reshape(len(others), -1)
    most = np.where(counts.any(axis=1), counts.argmax(axis=1), len(scripts))
    return found.scatter(np.flatnonzero(~ascii_only.to_numpy()), pl.Series([*scripts, ""]).gather(most))
