"""How delimited text is written is recognised from its content: read whole and as meant, or refused."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcast.cli.errors import UserError
from starcast.reviews import blocks
from starcast.reviews.parameters import Reading, ReadingParameters
from starcast.reviews.stream import LONGEST_VALUE, read_chunks

TEXTS = [f"The lamp, number {n}, is fine; it stands here. I'd buy it again" for n in range(40)]
PLAIN = [(text, str(n % 5 + 1)) for n, text in enumerate(TEXTS)]
HEADER = ("text", "rating")
LINE_ENDS = {"lf": "\n", "crlf": "\r\n", "cr": "\r"}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-32")


def table(
    rows: Sequence[Sequence[str]],
    delimiter: str = ",",
    line_end: str = "\n",
    quoting: Literal[0, 1, 2, 3] = csv.QUOTE_MINIMAL,
    escape: str | None = None,
) -> str:
    """Rows as Python's csv module, and so pandas, R and Excel, write them."""
    file = io.StringIO(newline="")
    writer = csv.writer(
        file,
        delimiter=delimiter,
        lineterminator=line_end,
        quoting=quoting,
        escapechar=escape,
        doublequote=escape is None,
    )
    writer.writerows(rows)
    return file.getvalue()


def read(
    path: Path, content: str | bytes, reading: Reading | None = None
) -> tuple[list[tuple[str, ...]], str]:
    """All rows, nulls as empty texts, and what was recognised."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    chunks = list(read_chunks(path, reading or Reading()))
    rows = [tuple(value or "" for value in row) for chunk in chunks for row in chunk.table.iter_rows()]
    assert len({chunk.seen for chunk in chunks}) == 1
    return rows, chunks[0].seen


def refusal(path: Path, content: str | bytes, reading: Reading | None = None) -> str:
    with pytest.raises(UserError) as refused:
        read(path, content, reading)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("line_end", LINE_ENDS)
@pytest.mark.parametrize(
    ("delimiter", "name"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe")]
)
def test_the_separator_is_recognised_whatever_the_ending(
    tmp_path: Path, delimiter: str, name: str, line_end: str, ending: str
) -> None:
    content = table([HEADER, *PLAIN], delimiter, LINE_ENDS[line_end])
    rows, seen = read(tmp_path / f"a{ending}", content)
    assert rows == PLAIN
    assert seen.startswith(f"{name}-separated")


def test_quotes_of_a_tsv_are_read_as_its_writer_meant_them(tmp_path: Path) -> None:
    quoted = [(text.replace(". ", '.\n"Yes" '), rating) for text, rating in PLAIN]
    assert read(tmp_path / "a.tsv", table([HEADER, *quoted], "\t"))[0] == quoted
    marks = ('27" wide. ', '"Lovely", they said. ', 'the 12" one, not the 10". ', "")
    bare = [(marks[n % 4] + text, rating) for n, (text, rating) in enumerate(PLAIN)]
    content = "".join("\t".join(row) + "\n" for row in (HEADER, *bare))
    rows, seen = read(tmp_path / "a.tsv", content)
    assert rows == bare
    assert seen == "tab-separated, without quoting"


def test_quoted_fields_far_behind_the_beginning_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 2**16)
    rows = PLAIN * 200
    rows[-3] = ("The first line,\nthe second, and a \t tab", "4")
    assert len(table(rows)) > 2**18
    assert read(tmp_path / "a.tsv", table([HEADER, *rows], "\t"))[0] == rows


def test_escaped_quotes_are_recognised(tmp_path: Path) -> None:
    rows = [(f'She said "{text}"', rating) for text, rating in PLAIN]
    content = table([HEADER, *rows], quoting=csv.QUOTE_ALL, escape="\\")
    found, seen = read(tmp_path / "a.csv", content)
    assert found == rows
    assert "escaped by backslashes" in seen


def test_a_tsv_of_quoted_fields_below_a_plain_header_is_quoted(tmp_path: Path) -> None:
    content = "\t".join(HEADER) + "\n" + table(PLAIN, "\t", quoting=csv.QUOTE_ALL)
    assert read(tmp_path / "a.tsv", content)[0] == PLAIN


INCHES = ['"B001",5,27" wide', '"B002",4,19" tall', '"B003",3,good', '"B004",2,"plain, fine"']


def test_marks_of_inches_in_fields_without_quotes_end_no_text(tmp_path: Path) -> None:
    found, _ = read(tmp_path / "a.csv", "\n".join(["id,rating,text", *INCHES, ""]))
    assert [row[2] for row in found] == ['27" wide', '19" tall', "good", "plain, fine"]


def test_quotes_far_behind_the_beginning_are_checked_as_well(tmp_path: Path) -> None:
    plain = "".join(f"{row % 5 + 1},a text of review {row}\n" for row in range(12_000))
    content = f'rating,text\n{plain}5,"Great\n4,"Bad\n'
    assert len(content) > 2**18
    assert "broken quotes in the row that begins in line 12002" in refusal(tmp_path / "a.csv", content)


def test_numbers_of_the_rows_before_a_column_of_ids_are_still_r_s(tmp_path: Path) -> None:
    rows = "".join(f"{row},{100 + row},gut,{row % 5 + 1}\n" for row in range(1, 20))
    found, _ = read(tmp_path / "a.csv", f"id,text,rating\n{rows}")
    assert found[0] == ("1", "101", "gut", "2")


def test_decimal_commas_without_quotes_are_no_numbers_of_rows(tmp_path: Path) -> None:
    rows = "".join(f"{row},gut,{row % 4 + 1},5\n" for row in range(1, 20))
    assert "more fields, 4, in the row" in refusal(tmp_path / "a.csv", f"id,text,rating\n{rows}")


def test_a_line_for_excel_names_the_separator(tmp_path: Path) -> None:
    for line in ("sep=;\n", '"sep=;"\r\n'):
        assert read(tmp_path / "a.csv", line + table([HEADER, *PLAIN], ";"))[0] == PLAIN


def test_commas_within_texts_and_numbers_are_no_separators(tmp_path: Path) -> None:
    rows = [(text, f"{n % 5},5") for n, (text, _) in enumerate(PLAIN)]
    assert read(tmp_path / "a.csv", table([HEADER, *rows], ";"))[0] == rows


def test_names_that_r_leaves_out_are_made(tmp_path: Path) -> None:
    rows = [(str(n + 1), *row) for n, row in enumerate(PLAIN)]
    content = table([HEADER], quoting=csv.QUOTE_ALL) + table(rows, quoting=csv.QUOTE_ALL)
    found, seen = read(tmp_path / "a.csv", content)
    assert found == rows
    assert seen.endswith("numbers of the rows in a column without a name")


def test_a_missing_header_is_said_and_no_review_is_taken_for_names(tmp_path: Path) -> None:
    rows = [(rating, text) for text, rating in PLAIN]
    path = tmp_path / "a.csv"
    found, seen = read(path, table(rows, quoting=csv.QUOTE_ALL))
    assert found == rows
    assert seen == "comma-separated, no header: took column 1 for the rating, column 2 for the text"
    assert next(read_chunks(path)).table.columns == ["rating", "text"]


def test_without_a_header_and_certainty_a_file_is_refused(tmp_path: Path) -> None:
    rows = [(rating, str(n % 3), text) for n, (text, rating) in enumerate(PLAIN)]
    said = refusal(tmp_path / "a.csv", table(rows))
    assert "it has no header" in said
    assert TEXTS[0] not in said


@pytest.mark.parametrize("header", [("text", "2019"), ("0", "1"), ("sentence", "polarity")])
def test_an_odd_name_of_a_column_is_still_one(tmp_path: Path, header: tuple[str, ...]) -> None:
    assert read(tmp_path / "a.csv", table([header, *PLAIN]))[0] == PLAIN


@pytest.mark.parametrize(
    ("row", "reason", "advice"),
    [
        ("a,b,3", "more fields", "on_bad_rows=drop"),
        ("only a text", "fewer fields", "on_bad_rows=drop"),
        ('"so "bad" it is",3', "broken quotes", "double the quotes within"),
    ],
)
def test_a_row_of_another_shape_is_refused_with_its_line_or_rejected(
    tmp_path: Path, row: str, reason: str, advice: str
) -> None:
    lines = table([HEADER, *PLAIN]).splitlines(keepends=True)
    content = "".join([*lines[:20], "\n", row + "\n", *lines[20:]])  # a blank line is none of the rows
    said = refusal(tmp_path / "a.csv", content, Reading(may_reject=True))
    assert reason in said
    assert "line 22" in said
    assert advice in said
    chunks = list(read_chunks(tmp_path / "a.csv", Reading(reject=True)))
    assert [(place, why.reason.startswith(reason)) for place, why in chunks[0].rejected.items()] == [
        (19, True)
    ]
    rows = chunks[0].table.rows()
    assert rows == [*PLAIN[:19], (None, None), *PLAIN[19:]]


def test_a_quote_that_is_never_closed_costs_its_own_row(tmp_path: Path) -> None:
    lines = table([HEADER, *PLAIN], quoting=csv.QUOTE_ALL).splitlines(keepends=True)
    lines[7] = '"never closed,2\n'
    (tmp_path / "a.csv").write_text("".join(lines))
    [chunk] = read_chunks(tmp_path / "a.csv", Reading(reject=True))
    assert {place: why.reason for place, why in chunk.rejected.items()} == {6: "broken quotes"}
    assert chunk.table.rows() == [*PLAIN[:6], (None, None), *PLAIN[7:]]


def test_a_value_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    rows = [*PLAIN[:5], ("x" * (LONGEST_VALUE + 1), "3"), *PLAIN[5:]]
    (tmp_path / "a.csv").write_text(table([HEADER, *rows]))
    chunks = list(read_chunks(tmp_path / "a.csv", Reading(reject=True)))
    before, found = 0, {}
    for chunk in chunks:
        found.update({before + place: why.reason for place, why in chunk.rejected.items()})
        before += chunk.table.height
    assert found == {5: "longer than 1,000,000 characters"}
    assert before == len(rows)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_encoding_is_recognised_by_its_mark(tmp_path: Path, encoding: str) -> None:
    rows = [(f"très bien, {text}, 雨", rating) for text, rating in PLAIN]
    found, seen = read(tmp_path / "a.csv", table([HEADER, *rows], line_end="\r\n").encode(encoding))
    assert found == rows
    assert seen == "comma-separated" + ("" if encoding.startswith("utf-8") else f", {encoding.upper()}")


def test_windows_text_is_refused_with_the_way_that_reads_it(tmp_path: Path) -> None:
    rows = [(f"I wouldn\u2019t, {text}", rating) for text, rating in PLAIN]
    content = table([HEADER, *rows]).encode("cp1252")
    assert "byte 0x92 in line 2; it looks like cp1252; pass encoding=cp1252" in refusal(
        tmp_path / "a.csv", content
    )
    found, seen = read(tmp_path / "a.csv", content, Reading(encoding="cp1252"))
    assert found == rows
    assert seen == "comma-separated, cp1252"


def test_text_of_another_script_is_not_called_western(tmp_path: Path) -> None:
    rows = [(f"Отличный чайник, очень доволен покупкой {n}", "5") for n in range(40)]
    said = refusal(tmp_path / "a.csv", table([HEADER, *rows]).encode("cp1251"))
    assert "encoding=cp1251" in said


@pytest.mark.parametrize("reject", [False, True])
def test_utf_16_that_lacks_a_byte_is_refused_even_if_bad_rows_may_be_dropped(
    tmp_path: Path, reject: bool
) -> None:
    content = table([HEADER, *PLAIN]).encode("utf-16")
    for place in (len(content) // 2, len(content) - 1):
        with pytest.raises(UserError, match="a byte of its UTF-16 characters is missing"):
            read(tmp_path / "a.csv", content[:place] + content[place + 1 :], Reading(reject=reject))


def test_utf_16_without_a_mark_is_refused_with_its_name(tmp_path: Path) -> None:
    content = table([HEADER, *PLAIN])
    for encoding in ("utf-16-le", "utf-16-be"):
        assert f"encoding={encoding}" in refusal(tmp_path / "a.csv", content.encode(encoding))
        assert read(tmp_path / "a.csv", content.encode(encoding), Reading(encoding=encoding))[0] == PLAIN
        with pytest.raises(
            UserError, match="no mark says which byte comes first; pass encoding=utf-16-le or"
        ):
            read(tmp_path / "a.csv", content.encode(encoding), Reading(encoding="utf-16"))
    assert read(tmp_path / "a.csv", content.encode("utf-16"), Reading(encoding="utf-16"))[0] == PLAIN
    with pytest.raises(UserError, match="its mark is of another encoding; pass encoding=utf-16-le"):
        read(tmp_path / "a.csv", content.encode("utf-16"), Reading(encoding="utf-32"))
    assert "the file is empty" in refusal(tmp_path / "a.csv", b"", Reading(encoding="utf-16"))


@pytest.mark.parametrize("told", ["klingon", "idna", "punycode", "undefined", "base64"])
def test_what_is_no_encoding_of_files_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="encoding that Python knows"):
        ReadingParameters.model_validate({"encoding": told})


def test_damaged_utf_8_is_not_called_another_encoding(tmp_path: Path) -> None:
    rows = [(f"très bien, {text}", rating) for text, rating in PLAIN]
    content = bytearray(table([HEADER, *rows]).encode())
    content[content.index("è".encode(), 1500)] = 0xFF
    said = refusal(tmp_path / "a.csv", bytes(content), Reading(may_reject=True))
    assert "the rest is UTF-8" in said
    assert "on_bad_rows=drop" in said
    assert "cp1252" not in said
    [chunk] = read_chunks(tmp_path / "a.csv", Reading(reject=True))
    assert [why.reason for why in chunk.rejected.values()] == ["not UTF-8"]


VALUES = st.text(st.sampled_from('ab ",;|\t\n\ré雨'), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    values=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=25),
    delimiter=st.sampled_from(",;\t|"),
    line_end=st.sampled_from(list(LINE_ENDS.values())),
    encoding=st.sampled_from(ENCODINGS),
    block=st.integers(1, 60),
)
def test_any_table_is_read_exactly(
    tmp_path_factory: pytest.TempPathFactory,
    values: list[tuple[str, str]],
    delimiter: str,
    line_end: str,
    encoding: str,
    block: int,
) -> None:
    rows = [(str(number), *row) for number, row in enumerate(values)]
    content = table([("id", "text", "more"), *rows], delimiter, line_end, csv.QUOTE_ALL).encode(encoding)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", block)
        assert read(tmp_path_factory.getbasetemp() / "any.csv", content)[0] == rows


@settings(max_examples=150, deadline=None)
@given(
    content=st.text(st.sampled_from('ab,"\n\\;'), max_size=60),
    block=st.integers(1, 30),
    reject=st.booleans(),
)
def test_what_is_read_of_any_text_is_what_csv_reads(
    tmp_path_factory: pytest.TempPathFactory, content: str, block: int, reject: bool
) -> None:
    told = Reading("comma", "doubled", reject=reject)
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(blocks, "BLOCK", block)
            rows, seen = read(tmp_path_factory.getbasetemp() / "a.csv", "id,text\n" + content, told)
    except UserError:
        return
    expected = [tuple(row) for row in csv.reader(io.StringIO(content, newline="")) if row]
    if not reject and "no header" not in seen:
        whole = [row[:2] for row in expected if any(value.strip() for value in row) or len(row) > 1]
        assert rows == whole
