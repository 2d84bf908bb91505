"""Recognise how the characters of a file are encoded, and read any encoding as UTF-8."""

import codecs
import re
from typing import Protocol

from starcast.cli.errors import UserError

# UTF-32's mark begins like UTF-16's, so it comes first.
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
WIDE = ("utf-16", "utf-32")  # of two or four bytes a character
MANY_ZEROS = 0.3  # of every second byte: characters of two bytes, since text has none
UNDEFINED = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")  # no characters in cp1252
WESTERN = 0.25  # of all letters, at most, have an accent in a Western language
BROKEN = "\udc80"  # stands for what cannot be decoded, and is no valid UTF-8


class ByteSource(Protocol):
    """Bytes that are read once, in order."""

    @property
    def share(self) -> float:
        """Return how much has been read, 0 to 1."""

    def read(self, size: int) -> bytes:
        """Return at most `size` more bytes, none at the end."""


class Text:
    """The bytes of a file as UTF-8, without a byte order mark.

    What cannot be decoded becomes bytes that are no UTF-8 either: readers find, and name, the row it is in.
    """

    def __init__(self, source: ByteSource, name: str, encoding: str = "") -> None:
        """Recognise the encoding by its mark, if the user does not tell it.

        Raises:
            UserError: UTF-16 or UTF-32 without a mark, unless told which byte comes first; later, one that
                lacks a byte.
        """
        self._source, self._name, self._held = source, name, b""
        while len(self._held) < 1024 and (data := source.read(1024)):
            self._held += data
        mark = next((mark for mark in MARKS if self._held.startswith(mark)), b"")
        self.marked = bool(mark)
        told = encoding and codecs.lookup(encoding).name
        self.encoding = told or MARKS.get(mark, "utf-8")
        if mark and MARKS[mark].startswith(self.encoding):
            self.encoding, self._held = MARKS[mark], self._held.removeprefix(mark)
        if self.encoding in WIDE and self._held:
            which = MARKS[mark] if mark else f"{self.encoding}-le or encoding={self.encoding}-be"
            what = "its mark is of another encoding" if mark else "no mark says which byte comes first"
            raise UserError(f"{name}: {what}; pass encoding={which}")
        if self.encoding == "utf-8":
            self._decoder = None
            _check_zeros(self._held, name)
        else:
            self._decoder = codecs.getincrementaldecoder(self.encoding)("starcast.broken")
            self._held = self._recoded(self._held)

    @property
    def share(self) -> float:
        """Return how much of the file has been read, 0 to 1."""
        return self._source.share

    def peek(self, size: int) -> bytes:
        """Return the beginning of what is not read yet, at least `size` bytes unless it is the rest."""
        while len(self._held) < size and (data := self._next(size)):
            self._held += data
        return self._held

    def skip(self, size: int) -> None:
        """Leave out the beginning, which `peek` has returned."""
        self._held = self._held[size:]

    def read(self, size: int) -> bytes:
        """Return about `size` more bytes, none at the end."""
        if not self._held:
            return self._next(size)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def _next(self, size: int) -> bytes:
        while data := self._source.read(size):
            recoded = self._recoded(data) if self._decoder else data
            if recoded:
                return recoded
        if self._decoder is None:
            return b""
        if self._decoder.getstate()[0] and self.encoding.startswith(WIDE):
            # Everything behind a byte that is missing was read as other characters: no row can be blamed.
            what = f"damaged: a byte of its {spelling(self.encoding)} characters is missing"
            raise UserError(f"{self._name}: {what}; fetch or write the file again")
        return self._recoded(b"", final=True)

    def _recoded(self, data: bytes, final: bool = False) -> bytes:
        assert self._decoder is not None, "only for other encodings than UTF-8"
        return self._decoder.decode(data, final).encode("utf-8", "surrogatepass")


def _mark_broken(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError), "an error of a decoder"
    return BROKEN, error.end


codecs.register_error("starcast.broken", _mark_broken)


def _check_zeros(beginning: bytes, name: str) -> None:
    """Raise a UserError if a text has so many zeros that its characters have two bytes."""
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        every_second = beginning[place::2]
        if every_second.count(0) > MANY_ZEROS * len(every_second) and beginning.count(0) < len(beginning):
            others = beginning[1 - place :: 2]
            if others.count(0) < MANY_ZEROS * len(others):
                what = "not UTF-8, but it looks like UTF-16 without a mark"
                raise UserError(f"{name}: {what}; pass encoding={encoding}")


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are valid UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def likely_encoding(data: bytes) -> str:
    """Return the likely encoding of text that is not UTF-8; empty if it is damaged UTF-8, `?` if unknown.

    Where most characters beyond ASCII are valid UTF-8, the others are damage. In Western text few letters
    have an accent: that is cp1252, whose bytes 80-9F, mostly quotes and dashes, latin-1 lacks. Text of other
    scripts is judged by charset-normalizer.
    """
    text = data.decode("utf-8", "surrogateescape")
    broken = len(re.findall("[\udc80-\udcff]", text))
    if 2 * broken <= len(re.findall("[^\x00-\x7f\udc80-\udcff]", text)):
        return ""
    letters = len(re.findall(rb"[A-Za-z]", data))
    high = len(re.findall(rb"[\x80-\xff]", data))
    if high <= WESTERN * (letters + high) and not UNDEFINED.search(data):
        return "cp1252"
    from charset_normalizer import from_bytes  # only such files need it

    lines = [line for line in data[: 2**18].splitlines() if not line.isascii()]
    best = from_bytes(b"\n".join(lines)).best()
    return best.encoding if best is not None else "?"


def spelling(encoding: str) -> str:
    """Return the usual spelling of an encoding's name; which byte comes first is told by the mark."""
    name = encoding.removesuffix("-le").removesuffix("-be")
    return name.upper() if name.startswith("utf") else name


def encoding_advice(data: bytes, encoding: str) -> str:
    """Return what to do about bytes that are not in the encoding of a file."""
    if encoding.startswith(WIDE):
        return "fix the line"
    if encoding != "utf-8":
        return f"fix the line, or pass another encoding than {encoding}"
    likely = likely_encoding(data)
    if not likely:
        return "the rest is UTF-8, so fix the line"
    if likely == "?":
        return "pass its encoding, e.g. encoding=cp1252 or encoding=cp1251"
    others = ", in Central Europe cp1250, in Turkish cp1254" if likely == "cp1252" else ""
    return f"it looks like {likely}; pass encoding={likely}{others}"


def undecodable(data: bytes, part: bytes, line: int, encoding: str) -> str:
    """Return which byte of a part, that begins in a line, is not in the encoding, and what to do."""
    try:
        part.decode("utf-8")
    except UnicodeDecodeError as broken:
        line += part.count(b"\n", 0, broken.start)
        byte = f": byte 0x{part[broken.start]:02x}" if encoding == "utf-8" else ""
        return f"not {spelling(encoding)}{byte} in line {line}; {encoding_advice(data, encoding)}"
    raise AssertionError("the part is not valid UTF-8")
