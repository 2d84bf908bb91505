"""Clean lightly: keep every word of a text in lower case, and emoticons, emoji, "!" and "?" as words.

First whatever looks the same is written the same, in the texts that need it. Words are then found in the
bytes of a whole column at once.
"""

import html
import unicodedata
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa

# What stands in texts that were written for a web page or a program.
CODED = r"&[#A-Za-z]|</?[A-Za-z]|\\|`"
AMPERSANDS = r"&(?:(?:amp|AMP|#0*38|#[xX]0*26);)+"  # encoded twice or more often: &amp;amp;quot;
ENTITY = r"&(?:#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);"
# The HTML of reviews. An attribute has a value: "<i think>" is no tag.
TAG = (
    r"(?i)</?(?:a|abbr|b|big|blockquote|br|center|code|del|div|em|font|h[1-6]|hr|i|iframe|img|ins|li|ol|p|"
    r"pre|s|small|span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul|video)"
    r"(?:\s+[a-z_:-]+\s*=[^<>]*)?\s*/?>"
)
ESCAPED_SPACE, ESCAPED_QUOTE = r"\\+[nrt]", r"\\+(['\"])"

# Emoticons: the word that stands for one, and how people write it. With a letter or a slash it stands apart:
# "color:dark" and "http://" have none. Searches for what may be one are fast, two faster than one for all.
NEARLY_EMOTICON = r"[:;=]['^-]?[()\[\]DdOoPp/|*]|</?3|\^_*\^", "_[Tt<-]"
EMOTICONS = {
    ":)": r"[:=]['^-]?[)\]]+",
    ";)": r";['^-]?[)\]]+",
    ":(": r"[:;=]['^-]?[(\[]+\B",
    ":d": r"\B[:;=]['^-]?[Dd]+\b",
    ":p": r"\B[:;=]['^-]?[Pp]+\b",
    ":o": r"\B[:=]['^-]?[Oo]\b",
    ":/": r"\B[:=]['^-]?[/|]\B",
    ":*": r"\B[:;=]['^-]?\*+\B",
    "<3": r"<3+\b",
    "</3": r"</3\b",
    "^^": r"\^_*\^",
    "-_-": r"\B-_+-\B",
    ">_<": r">_+<",
    "t_t": r"\b[Tt]_[Tt]\b",
}
CODES = [
    chr(0xE000 + place) for place in range(len(EMOTICONS))
]  # private use: none is left in a text by then

APOSTROPHES = "[`\u00b4\u02bc\u2018\u2019\u201b\u2032\uff07]"
# Invisible: soft hyphens, direction marks, variation selectors; and enclosing marks, as of keycap emoji.
INVISIBLE = r"[\p{Default_Ignorable_Code_Point}\p{Me}]"
# Full- and half-width forms, ligatures, Arabic presentation forms and mathematical alphanumerics.
FORMS = r"[\x{FB00}-\x{FDCF}\x{FDF0}-\x{FDFF}\x{FE70}-\x{FEFC}\x{FF01}-\x{FFEE}\x{1D400}-\x{1D7FF}]"
# Without any of these, a text in lower case is in Unicode's NFC.
PERHAPS_APART = r"[\p{M}\x{1100}-\x{11FF}\x{1F00}-\x{1FFF}\x{F900}-\x{FAFF}]"

# The signs of trademarks are pictures to Unicode only.
PICTURE = r"[[\p{Extended_Pictographic}☆♡]--[©®™\x{2139}]]"
# Text without spaces between words is read by the character: a letter with its signs; in Thai and Lao with
# the vowels written before and behind it, in Khmer and Burmese with the letters stacked below it.
CHARACTER = (
    r"[\x{E40}-\x{E44}\x{EC0}-\x{EC4}]{0,2}"
    r"[[\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]&&\p{L}]"
    r"(?:[\x{17D2}\x{1039}]\p{L}|\p{M})*"
    r"[\x{E30}\x{E32}\x{E33}\x{E45}\x{EB0}\x{EB2}\x{EB3}]{0,2}"
)
# Group 1 (flag, picture, character) is a word by itself; other signs, and marks on no letter, separate words.
ALONE_OR_NO_WORD = (
    rf"([\x{{1F1E6}}-\x{{1F1FF}}]{{2}}|{PICTURE}|{CHARACTER})\p{{M}}*|"
    rf"[[^\x00-\x7F\p{{L}}\p{{M}}\p{{N}}]--{PICTURE}]\p{{M}}*|[^\p{{L}}\p{{M}}\p{{N}}]\p{{M}}+|^\p{{M}}+"
)

# Bytes in `find_words`. The byte of " stands for ?, so that all four are below the letters and digits.
SPACE, APOSTROPHE, EXCLAMATION, QUESTION = b" '!\""
PIECE = 2_000  # texts at once: their bytes stay in the processor's cache, which halves the time


def light(texts: pl.Series) -> pl.Series:
    """Return the words of each text joined by single spaces."""
    texts = _changed(texts, texts.str.contains(CODED), _decoded)
    texts = _changed(texts, ~_ascii(texts), _normalised)
    sideways, upright = map(texts.str.contains, NEARLY_EMOTICON)
    emoticons = sideways | upright
    words = find_words(_changed(texts, emoticons, _emoticons_coded), marks=True)
    return _changed(words, emoticons, lambda some: some.str.replace_many(CODES, list(EMOTICONS)))


def light_of_version_1(texts: pl.Series) -> pl.Series:
    """Return the words that models saved by versions up to 0.6 read: letters and digits alone."""
    texts = texts.str.replace_all("\u2019", "'", literal=True)
    words = r"[\p{L}\p{M}\p{N}]+(?:'[\p{L}\p{M}\p{N}]+)*"
    other = ~_ascii(texts)
    texts = _changed(texts, other, lambda some: some.str.to_lowercase().str.extract_all(words).list.join(" "))
    return _changed(texts, ~other, lambda some: find_words(some, marks=False))


def _changed(texts: pl.Series, wanted: pl.Series, change: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Return the texts, those that are wanted (truth values) after the change."""
    if wanted.all():
        return change(texts)
    if not wanted.any():
        return texts
    places = pl.concat([wanted.arg_true(), (~wanted).arg_true()])
    return pl.concat([change(texts.filter(wanted)), texts.filter(~wanted)]).gather(places.arg_sort())


def _ascii(texts: pl.Series) -> pl.Series:
    return texts.str.len_bytes() == texts.str.len_chars()


def _decoded(texts: pl.Series) -> pl.Series:
    """Decode HTML's entities; tags, and line ends and tabs written with a backslash, become spaces."""
    texts = _translated(texts.str.replace_all(AMPERSANDS, "&"), ENTITY, html.unescape)
    texts = texts.str.replace_all(TAG, " ").str.replace_all(ESCAPED_SPACE, " ")
    return texts.str.replace_all(ESCAPED_QUOTE, "$1").str.replace_all("`", "'", literal=True)


def _translated(texts: pl.Series, pattern: str, meaning: Callable[[str], str]) -> pl.Series:
    """Replace whatever matches a pattern; the meaning of each distinct match is looked up once."""
    found = texts.str.extract_all(pattern).explode().drop_nulls().unique().to_list()
    return texts.str.replace_many(found, list(map(meaning, found))) if found else texts


def _normalised(texts: pl.Series) -> pl.Series:
    """Write in the same characters and in lower case what looks the same, and put spaces around words.

    Unicode's NFC; its NFKC for forms of letters only: it also turns 5½ into 51/2 and ™ into letters.
    """

    def in_one_form(some: pl.Series) -> pl.Series:
        plain = some.str.replace_all(INVISIBLE, "")
        return _translated(plain, FORMS, lambda form: unicodedata.normalize("NFKC", form))

    def composed(some: pl.Series) -> pl.Series:
        return some.str.replace_all("i\u0307", "i", literal=True).str.normalize("NFC")  # İ in lower case

    texts = _changed(texts, texts.str.contains(f"{INVISIBLE}|{FORMS}"), in_one_form)
    texts = texts.str.replace_all(APOSTROPHES, "'").str.replace_all("؟", "?", literal=True).str.to_lowercase()
    texts = _changed(texts, texts.str.contains(PERHAPS_APART), composed)
    return texts.str.replace_all(ALONE_OR_NO_WORD, " $1 ")


def _emoticons_coded(texts: pl.Series) -> pl.Series:
    for code, written in zip(CODES, EMOTICONS.values(), strict=True):
        texts = texts.str.replace_all(written, f" {code} ")
    return texts


def find_words(texts: pl.Series, marks: bool) -> pl.Series:
    """Return the words of each text joined by single spaces: letters, digits, and apostrophes inside words.

    Works on the bytes of the whole column at once; what is not ASCII is part of a word.

    Args:
        texts: without nulls.
        marks: "!" and "?" are words, too; "!!!" is one.
    """
    if len(texts) > PIECE:
        pieces = (texts.slice(begin, PIECE) for begin in range(0, len(texts), PIECE))
        return pl.concat([find_words(piece, marks) for piece in pieces])
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, ends, values = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    if values is None or offsets[0] == offsets[-1]:
        return texts
    data = bytearray(memoryview(values)[offsets[0] : offsets[-1]]).translate(_table(marks))
    letters, starts = np.frombuffer(data, np.uint8), offsets - offsets[0]
    places = np.flatnonzero(letters - EXCLAMATION <= APOSTROPHE - EXCLAMATION)
    begins = np.zeros(len(letters) + 1, dtype=bool)
    begins[starts] = True
    found, before, first = letters[places], letters[places - 1], begins[places]
    after, last = letters[np.minimum(places + 1, len(letters) - 1)], begins[places + 1]
    # An apostrophe stays between two letters or digits of one text, a mark if it does not repeat another.
    inside = (before > APOSTROPHE) & (after > APOSTROPHE) & ~first & ~last
    stays = np.where(found == APOSTROPHE, inside, first | (found != before))
    letters[places[~stays]] = SPACE
    words, starts = _marks_apart(data, starts, places[stays & (found != APOSTROPHE)])
    return _single_spaced(texts.name, words, starts)


def _table(marks: bool) -> bytes:
    """Return what replaces each byte; anything but letters, digits, apostrophes and marks separates words."""
    table = bytearray(b if b >= 128 or chr(b).isalnum() else SPACE for b in range(256)).lower()
    table[APOSTROPHE] = APOSTROPHE
    if marks:
        table[ord("!")], table[ord("?")] = EXCLAMATION, QUESTION
    return bytes(table)


def _marks_apart(data: bytearray, starts: np.ndarray, places: np.ndarray) -> tuple[bytearray, np.ndarray]:
    """Put a space before and behind the marks at some places; return the bytes, and where texts start."""
    if not len(places):
        return data, starts
    spaced = data.replace(bytes([EXCLAMATION]), b" ! ").replace(bytes([QUESTION]), b" ? ")
    return spaced, starts + 2 * np.searchsorted(places, starts)


def _single_spaced(name: str, data: bytearray, starts: np.ndarray) -> pl.Series:
    """Return the column of texts that start at some bytes, with one space between words."""
    letters = np.frombuffer(data, np.uint8)
    kept = letters != SPACE
    kept[:-1] |= kept[1:]  # the space before a word as well
    new_starts = starts - np.searchsorted(np.flatnonzero(~kept), starts)
    buffers = pa.py_buffer(new_starts), pa.py_buffer(letters[kept])
    words = pa.LargeStringArray.from_buffers(len(starts) - 1, *buffers)
    # A text may still begin or end with the space before its first word or before the next text's.
    return pl.Series(name, words).str.strip_chars(" ")
