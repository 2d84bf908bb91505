"""Reading: every format and compression gives one table; what cannot be read is one line for the user."""

import contextlib
import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.reviews.sources import file_digest
from tests.reviews.tables import read_table

Encode = Callable[[list[str]], bytes]
TABLE = pl.DataFrame(
    {
        "title": ["Great", "So-so", "", "日本語"],
        "text": ['She said "fine", twice', "naïve, señor, łódź", "5'8\" tall", "とても良い"],
        "rating": ["5", "3.0", " 4 ", "none"],
    }
)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
TEXTS = st.lists(ANY_TEXT, min_size=1, max_size=10)
ONE_LINE_TEXTS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\r\n"), min_size=1, max_size=30),
    min_size=1,
    max_size=10,
)


def csv_bytes(texts: list[str]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["text", "rating"], *([text, "5"] for text in texts)])
    return file.getvalue().encode()


def jsonl_bytes(texts: list[str]) -> bytes:
    return "\n".join(json.dumps({"text": text, "rating": "5"}) for text in texts).encode()


def tsv_bytes(texts: list[str]) -> bytes:
    return "\n".join(["rating\ttext", *(f"5\t{text}" for text in texts)]).encode()


def parquet_bytes(texts: list[str]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame({"text": texts, "rating": ["5"] * len(texts)}).write_parquet(file)
    return file.getvalue()


def table_bytes(table: pl.DataFrame, ending: str) -> bytes:
    file = io.BytesIO()
    if ending == ".csv":
        table.write_csv(file)
    elif ending == ".tsv":
        table.write_csv(file, separator="\t", quote_style="never")
    elif ending == ".parquet":
        table.write_parquet(file)
    else:
        table.write_ndjson(file)
    return file.getvalue()


def packed(content: bytes, compression: str) -> bytes:
    if compression == ".gz":
        return gzip.compress(content)
    if compression == ".zst":
        return bytes(pa.Codec("zstd").compress(content, asbytes=True))
    return zipped({"reviews": content}) if compression == ".zip" else content


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compression", ["", ".gz", ".zst", ".zip"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet"])
def test_all_formats_give_the_same_table(tmp_path: Path, ending: str, compression: str) -> None:
    # An empty TSV field is a missing value, as an unquoted file cannot tell them apart.
    expected = TABLE.with_columns(pl.col("title").replace("", None)) if ending == ".tsv" else TABLE
    path = written(
        tmp_path / f"reviews{ending}{compression}", packed(table_bytes(TABLE, ending), compression)
    )
    assert_frame_equal(read_table(path), expected)


@pytest.mark.parametrize(
    "name", ["REVIEWS.CSV", "Reviews.Csv.GZ", "reviews.2024.csv", "reviews v1.2.csv.zip", ".hidden.csv"]
)
def test_only_the_end_of_the_name_counts(tmp_path: Path, name: str) -> None:
    compression = Path(name).suffix.lower()
    path = written(tmp_path / name, packed(b"text,rating\nfine,4\n", compression))
    assert read_table(path).rows() == [("fine", "4")]


@settings(max_examples=50)
@given(texts=TEXTS)
@pytest.mark.parametrize(
    ("ending", "encode"), [(".csv", csv_bytes), (".jsonl", jsonl_bytes), (".parquet", parquet_bytes)]
)
def test_any_text_survives_the_file(
    tmp_path_factory: pytest.TempPathFactory, ending: str, encode: Encode, texts: list[str]
) -> None:
    path = written(tmp_path_factory.getbasetemp() / f"round_trip{ending}", encode(texts))
    table = read_table(path)
    assert table["text"].to_list() == texts
    assert table["rating"].to_list() == ["5"] * len(texts)


@settings(max_examples=50)
@given(texts=ONE_LINE_TEXTS)
def test_any_line_survives_a_tsv_file_quotes_included(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "round_trip.tsv", tsv_bytes(texts))
    assert read_table(path)["text"].to_list() == texts


def test_text_formats_keep_values_as_written(tmp_path: Path) -> None:
    path = written(tmp_path / "reviews.csv", b"text,rating\n007,5.0\n1e3, 4 \nnull,NaN\n")
    assert read_table(path).rows() == [("007", "5.0"), ("1e3", " 4 "), ("null", "NaN")]


def test_json_numbers_become_text(tmp_path: Path) -> None:
    path = written(
        tmp_path / "reviews.jsonl",
        b'{"text": "a", "rating": 5}\n{"text": "b"}\n{"text": "c", "rating": "bad"}\n',
    )
    assert read_table(path).rows() == [("a", "5"), ("b", None), ("c", "bad")]


def test_a_field_of_json_lines_may_come_late(tmp_path: Path) -> None:
    lines = [b'{"text": "a"}'] * 2000 + [b'{"text": "b", "rating": 3}']
    path = written(tmp_path / "reviews.jsonl", b"\n".join(lines))
    assert read_table(path).tail(1).rows() == [("b", "3")]


def test_windows_line_ends_and_byte_order_mark_are_no_content(tmp_path: Path) -> None:
    path = written(tmp_path / "reviews.csv", b"\xef\xbb\xbftext,rating\r\nfine,4\r\n")
    assert read_table(path).to_dicts() == [{"text": "fine", "rating": "4"}]


def test_gzip_in_several_members_is_read_whole(tmp_path: Path) -> None:
    path = written(
        tmp_path / "reviews.csv.gz", gzip.compress(b"text,rating\nfine,4\n") + gzip.compress(b"bad,1\n")
    )
    assert read_table(path).rows() == [("fine", "4"), ("bad", "1")]


def test_a_folder_entry_in_a_zip_is_no_file(tmp_path: Path) -> None:
    path = written(
        tmp_path / "reviews.csv.zip", zipped({"data/": b"", "data/reviews.csv": b"text,rating\nfine,4\n"})
    )
    assert read_table(path).rows() == [("fine", "4")]


LATIN = "text,rating\nfine,5\ncafé,4\n".encode("latin-1")
GZIPPED = gzip.compress(b"text,rating\n" + b"fine words,5\n" * 100)
ROWS = b"text,rating\n" + b"".join(b"fine %d words,%d\n" % (i, i % 5 + 1) for i in range(500))
UNREADABLE = {
    "empty file": ("reviews.csv", b"", "empty"),
    "empty JSON lines": ("reviews.jsonl", b"", "empty"),
    "empty inside gzip": ("reviews.csv.gz", gzip.compress(b""), "empty"),
    "blank lines": ("reviews.csv", b"\n\n", "empty"),
    "header only": ("reviews.csv", b"text,rating\n", "header and no rows"),
    "header only, TSV": ("reviews.tsv", b"text\trating\n", "header and no rows"),
    "no rows in Parquet": ("reviews.parquet", table_bytes(TABLE.clear(), ".parquet"), "no rows"),
    "latin-1 CSV": ("reviews.csv", LATIN, "byte 0xe9 in line 3; it looks like cp1252; pass encoding=cp1252"),
    "latin-1 TSV": (
        "reviews.tsv",
        LATIN.replace(b",", b"\t"),
        "byte 0xe9 in line 3; it looks like cp1252; pass encoding=cp1252",
    ),
    "latin-1 JSON lines": (
        "reviews.jsonl",
        b'{"text": "a"}\n{"text": "caf\xe9"}\n',
        "byte 0xe9 in line 2; it looks like cp1252; pass encoding=cp1252",
    ),
    "latin-1 inside gzip": (
        "reviews.csv.gz",
        gzip.compress(LATIN),
        "byte 0xe9 in line 3; it looks like cp1252; pass encoding=cp1252",
    ),
    "binary": ("reviews.csv", bytes(range(256)) * 4, "neither text nor a table that is known"),
    "gzip cut short": ("reviews.csv.gz", GZIPPED[:-12], "gzip"),
    "gzip damaged": ("reviews.csv.gz", GZIPPED[:20] + b"\xff" * 10 + GZIPPED[30:], "gzip"),
    "zstd cut short": ("reviews.csv.zst", packed(ROWS, ".zst")[:-5], "zstd"),
    "zip cut short": ("reviews.csv.zip", packed(ROWS, ".zip")[:300], "zip"),
    "ragged CSV": ("reviews.csv", b"text,rating\nfine,5,6\nbad,4\n", "more fields"),
    "open quote": ("reviews.csv", b'text,rating\n"fine,5\nbad,4\n', "csv"),
    "JSON lines cut short": ("reviews.jsonl", b'{"text": "a", "rating": 5}\n{"text": "b', "jsonl"),
    "Parquet cut short": ("reviews.parquet", table_bytes(TABLE, ".parquet")[:-20], "parquet"),
}


def damaged_zip() -> bytes:
    archive = bytearray(packed(ROWS, ".zip"))
    archive[100:120] = b"\xff" * 20
    return bytes(archive)


def zip_with_flag(offset: int, value: int) -> bytes:
    """A zip whose only member says `value` at `offset` of its header (6: flags, 8: compression method)."""
    archive = bytearray(packed(ROWS, ".zip"))
    central = archive.find(b"PK\x01\x02")
    archive[offset] = archive[central + offset + 2] = value
    return bytes(archive)


def refusal(path: Path) -> str:
    """The message with which a file is refused."""
    with pytest.raises(UserError) as refused:
        read_table(path)
    return str(refused.value)


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_files_are_one_line_that_names_file_and_mistake(tmp_path: Path, case: str) -> None:
    name, content, phrase = UNREADABLE[case]
    message = refusal(written(tmp_path / name, content))
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{name}: ")
    assert phrase in message


@pytest.mark.parametrize("case", UNREADABLE)
def test_unreadable_files_are_told_a_remedy_after_a_semicolon(tmp_path: Path, case: str) -> None:
    name, content, _ = UNREADABLE[case]
    assert "; " in refusal(written(tmp_path / name, content))


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.csv").startswith("nowhere.csv: ")


@pytest.mark.parametrize(
    "content",
    [damaged_zip(), zip_with_flag(6, 1), zip_with_flag(8, 99)],
    ids=["damaged", "encrypted", "method"],
)
def test_a_zip_that_cannot_be_unpacked_is_the_users_mistake(tmp_path: Path, content: bytes) -> None:
    assert refusal(written(tmp_path / "reviews.csv.zip", content)).startswith("reviews.csv.zip: ")


@pytest.mark.parametrize(
    "content",
    [
        "tèxt,rating\nfine,5\n".encode("latin-1"),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ],
    ids=["latin-1", "PNG"],
)
def test_a_header_that_is_not_utf_8_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "not UTF-8" in refusal(written(tmp_path / "reviews.csv", content))


@settings(max_examples=30)
@given(content=st.binary(min_size=1, max_size=60))
@pytest.mark.parametrize(
    "name",
    [
        "noise.csv",
        "noise.tsv",
        "noise.jsonl",
        "noise.parquet",
        "noise.csv.gz",
        "noise.csv.zst",
        "noise.csv.zip",
    ],
)
def test_noise_is_read_or_refused_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    path = written(tmp_path_factory.getbasetemp() / name, content)
    with contextlib.suppress(UserError):
        assert not read_table(path).is_empty()


def test_digest_follows_the_content_and_not_the_name(tmp_path: Path) -> None:
    first, same, other = (
        written(tmp_path / name, content) for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two"))
    )
    assert file_digest(first) == file_digest(same) == "7692c3ad3540bb80"
    assert file_digest(other) != file_digest(first)
