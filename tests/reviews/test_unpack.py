"""What a file is, told by its content whatever its name, and the table found in a zip."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.reviews.stream import read_chunks
from starcast.reviews.unpack import kind_of
from tests.reviews.tables import read_table

ROWS = [{"text": f"fine words {number}", "rating": str(number % 5 + 1)} for number in range(200)]
TABLE = pl.DataFrame(ROWS)
CSV = TABLE.write_csv().encode()
JSON_LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()


def parquet() -> bytes:
    file = io.BytesIO()
    TABLE.write_parquet(file)
    return file.getvalue()


def zipped(**members: bytes) -> bytes:
    """A zip of files; `_` in a name stands for a dot, `__` for a slash."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return file.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        list(read_chunks(path))
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{path.name}: ")
    return str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "a.csv",
        "a.jsonl",
        "a.json",
        "a.parquet",
        "a.csv.gz",
        "a.csv.zst",
        "a.zip",
        "a.xlsx",
        "a.txt",
        "a",
        "a.gz",
    ],
)
@pytest.mark.parametrize(
    "content",
    [CSV, JSON_LINES, parquet(), gzip.compress(CSV)],
    ids=["csv", "json lines", "parquet", "gzip"],
)
def test_a_name_that_lies_or_says_nothing_changes_nothing(tmp_path: Path, name: str, content: bytes) -> None:
    assert_frame_equal(read_table(written(tmp_path / name, content)), TABLE)


def test_the_kind_of_text_is_told_by_its_content(tmp_path: Path) -> None:
    kinds = {
        b'{"text": "a"}\n{"text": "b"}\n': "jsonl",
        b'\xef\xbb\xbf\n{"text": "a"}\n\n{"text": "b"}\n': "jsonl",
        b'{"text": "broken\n{"text": "b"}\n': "jsonl",
        b'{"text": "a"}': "json",
        b'[{"text": "a"}]': "json",
        b'{\n "text": "a"\n}\n': "json",
        b"{'text': 'a'}\n": "literals",
        b"text,rating\nfine,5\n": "csv",
        b'{"reviews": [\n{"text": "a"},\n{"text": "b"}\n]}': "json",
        b"pk,text,rating\n1,fine,5\n": "csv",
        b"PK;text;rating\n1;fine;5\n": "csv",
    }
    for content, kind in kinds.items():
        assert kind_of(written(tmp_path / "a.txt", content)) == (kind, "", "a.txt")
        assert kind_of(written(tmp_path / "a.zip", zipped(inner=content))) == (kind, "zip", "inner")
    assert kind_of(written(tmp_path / "a.tsv", b"text\trating\nfine\t5\n"))[:2] == ("tsv", "")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"<!DOCTYPE html><html>", "a web page or XML; download the table itself"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a pointer of Git LFS; fetch"),
        (b"SQLite format 3\0", "a SQLite database; export"),
        (b"%PDF-1.4", "a PDF document"),
        (b"BZh91AY&SY", "packed with bzip2; unpack it with `bunzip2`"),
        (gzip.compress(gzip.compress(CSV)), "packed twice; unpack it once yourself"),
        (gzip.compress(b"a" * 257 + b"ustar\x0000"), "a tar archive; unpack it"),
        (zipped(a_csv_zip=zipped(a_csv=CSV)), "packed twice; unpack it once yourself"),
        (random.Random(1).randbytes(3_000), "neither text nor a table that is known"),
    ],
    ids=["html", "git lfs", "sqlite", "pdf", "bzip2", "gzip twice", "tar", "zip twice", "noise"],
)
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes, phrase: str) -> None:
    assert phrase in refusal(written(tmp_path / "reviews.csv", content))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32", "gb18030"])
@pytest.mark.parametrize("first", ["\u0e01", "a", "\u0431", "\u4e00", "\u30a2", "\x01"])
def test_text_of_any_script_and_encoding_is_no_noise(tmp_path: Path, first: str, encoding: str) -> None:
    letters = [chr(ord(first) + i) for i in range(1 if first == "\x01" else 26)]
    drawn = random.Random(1)
    rows = ("".join(drawn.choices([*letters, "e"], k=12)) + f",{drawn.randint(1, 5)}\n" for _ in range(200))
    content = "text,rating\n" + "".join(rows)
    assert kind_of(written(tmp_path / "reviews.csv", content.encode(encoding)))[:2] == ("csv", "")


@pytest.mark.parametrize(
    "members",
    [
        {"reviews_csv": CSV},
        {"reviews_csv": CSV, "__MACOSX___reviews_csv": b"\0\x05", "_DSStore": b"x"},
        {"data__reviews_csv": CSV, "README_md": b"about", "LICENSE_txt": b"MIT", "Thumbs_db": b"x"},
        {"reviews_jsonl": JSON_LINES},
        {"reviews_csv_gz": gzip.compress(CSV)},
        {"reviews_parquet": parquet()},
        {"reviews": JSON_LINES},
        {"data_txt": CSV, "readme_txt": b"about"},
    ],
    ids=lambda members: ",".join(members),
)
def test_the_one_table_of_a_zip_is_found(tmp_path: Path, members: dict[str, bytes]) -> None:
    for name in ("archive.zip", "reviews.csv.zip"):
        assert_frame_equal(read_table(written(tmp_path / name, zipped(**members))), TABLE)


def test_which_file_of_a_zip_is_read_is_said(tmp_path: Path) -> None:
    zipped_file = written(tmp_path / "a.zip", zipped(**{"sample.csv": CSV, "reviews.txt": CSV}))
    [chunk] = read_chunks(zipped_file)
    assert chunk.seen.endswith("sample.csv of the zip")


def test_a_wide_text_that_is_named_as_excel_s_is_text(tmp_path: Path) -> None:
    found = read_table(written(tmp_path / "a.xls", CSV.decode().replace(",", "\t").encode("utf-16")))
    assert found.columns == TABLE.columns


def test_of_several_tables_one_is_to_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "archive.zip", zipped(a_csv=CSV, b_csv=b"text,rating\nbad,1\n", readme_md=b"x"))
    assert refusal(path) == (
        "archive.zip: the zip holds 2 files: a.csv, b.csv; name one, e.g. archive.zip::a.csv"
    )
    named = path.with_name("archive.zip::b.csv")
    assert read_table(named).rows() == [("bad", "1")]
    nowhere = path.with_name("archive.zip::c.csv")
    assert "no file 'c.csv', the zip holds 2 files: a.csv, b.csv" in refusal(nowhere)
    assert "holds no file; give one" in refusal(written(tmp_path / "empty.zip", zipped()))


def test_a_file_in_a_folder_of_a_zip_is_named_with_its_archive(tmp_path: Path) -> None:
    archive = written(tmp_path / "a.zip", zipped(old__a_csv=CSV, new__a_csv=b"text,rating\nbad,1\n"))
    assert read_table(Path(f"{archive}::new/a.csv")).rows() == [("bad", "1")]
    with pytest.raises(UserError) as refused:
        list(read_chunks(Path(f"{archive}::next/a.csv")))
    there = "no file 'next/a.csv', the zip holds 2 files: old/a.csv, new/a.csv"
    assert str(refused.value) == f"a.zip::next/a.csv: {there}; name one, e.g. a.zip::old/a.csv"


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(a_csv=content)])
def test_what_is_packed_in_a_zip_is_held_to_the_same_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr("starcast.reviews.unpack.ALWAYS_ALLOWED", 2**20)
    content = zipped(a_csv_gz=gzip.compress(b"text\n" + b"boom\n" * 10 * 2**20))
    assert "unpacks to more than 200 times its size" in refusal(written(tmp_path / "bomb.zip", content))
