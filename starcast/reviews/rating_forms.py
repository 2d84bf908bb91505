"""What a rating says, however it is written: `4`, `4.0 out of 5 stars`, `★★★★☆`, `80%`, `Very good`."""

import re
import unicodedata
from dataclasses import dataclass
from math import isfinite

NUMBER = r"([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?)"
UNIT = (
    r"(?: ?-?(?:stars?|points?|pts|stern\w*|estrell\w*|[ée]toiles?|stell[ae]|estrelas?|sterren|звезд\w*"
    r"|つ星|星|分|점|[★⭐🌟*])\.?)?"
)
OF = r"(?:/|out of|of|von|de|sur|su|van|av|из)"  # Amazon's pages in other languages, too
BEFORE = r"(?:(?:(?:rated|rating|score):?|[★⭐🌟](?= ?\d)) ?)?"
PLAIN = re.compile(rf"{BEFORE}{NUMBER}{UNIT}(?: ?{OF} ?{NUMBER}{UNIT})?(?: rating)?")
JAPANESE = re.compile(rf"{NUMBER}つ星のうち ?{NUMBER}")  # the top comes first
PERCENT = re.compile(rf"{NUMBER} ?%")
PICTURES = re.compile(r"([★⭐🌟✭*]*)(\.5)?([☆✩]*)")
MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "k.a.", "#n/a", "#na", "#nv", "<na>", "nan", "-nan", "nat"),
        *("null", "(null)", "[null]"),
        *("none", "nil", "undefined", "missing", "unknown", "\\n", "-", "--", "---", "\u2013", "\u2014", "."),
        *("?", "??", "no rating", "not rated", "unrated", "no score", "not available", "not applicable"),
    )
)
WRITTEN_OTHERWISE = str.maketrans(
    {"½": ".5", "\u2212": "-", "\ufe0f": None}
)  # minus sign; emoji's picture form


@dataclass(frozen=True)
class Number:
    """A rating that is a number; `top` is the best there is, where the rating says so (`4 out of 5`)."""

    value: float
    top: float | None = None


def word_of(written: str) -> str:
    """Return a rating as it is compared: without case, width of characters, or kind of white space."""
    plain = unicodedata.normalize("NFKC", written.translate(WRITTEN_OTHERWISE))
    spaced = re.sub(r"(?<=\w)[-_]+(?=[^\W\d])", " ", " ".join(plain.split()))
    return spaced.casefold()


def read_rating(written: str) -> Number | str:
    """Return the number that a rating says, or else its word; of a missing one, the empty word."""
    word = word_of(written)
    if word in MISSING:
        return ""
    if match := PERCENT.fullmatch(word):
        return _number(word, match[1], "100")
    if match := JAPANESE.fullmatch(word):
        return _number(word, match[2], match[1])
    if match := PLAIN.fullmatch(word):
        return _number(word, match[1], match[2])
    if match := PICTURES.fullmatch(word.replace(" ", "")):
        full, half, hollow = match.groups("")
        top = len(full) + bool(half) + len(hollow)
        return Number(len(full) + 0.5 * bool(half), float(top) if hollow else None)
    return word


def _number(word: str, value: str, top: str | None) -> Number | str:
    """Return a number, read with a decimal comma or point; the word if it is too large to be one."""
    read = float(value.replace(",", "."))
    return Number(read, float(top.replace(",", ".")) if top else None) if isfinite(read) else word
