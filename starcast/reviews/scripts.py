"""Count how much of the texts is written in which script."""

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
LEAST = 0.0005  # a share that is not named


def letters_by_script(texts: pl.Series) -> Counter[str]:
    """Return the number of letters in each script, of cleaned texts; counts of parts can be added up."""
    ascii_only = texts.str.len_bytes() == texts.str.len_chars()
    counts = Counter({"Latin": int(texts.filter(ascii_only).str.count_matches("[a-z]").sum())})
    other = "".join(texts.filter(~ascii_only))
    codes = np.frombuffer(other.encode("utf-32-le"), np.uint32)
    for code, letters in zip(*np.unique(codes, return_counts=True), strict=True):
        if chr(code).isalpha():
            name = unicodedata.name(chr(code), "OTHER").split(" ")[0]
            counts[SCRIPTS.get(name, name.capitalize())] += int(letters)
    return counts


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
