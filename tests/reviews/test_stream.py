"""Reading in chunks: cut where rows end, the same table as at once, in bounded memory."""

import csv
import gzip
import io
import json
import tracemalloc
import zipfile
import zlib
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.reviews import blocks, stream, unpack
from starcast.reviews.inspection import to_reviews
from starcast.reviews.layouts import Layout
from starcast.reviews.stream import read_chunks
from tests.reviews.tables import read_table

VALUES = st.text(st.sampled_from('ab ",\n\r\té雨'), max_size=12)
TABLES = st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30)
SOME_JSON = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers(), max_size=2)
)
OBJECTS = st.lists(
    st.dictionaries(st.sampled_from(["text", "a", "b", "c"]), SOME_JSON, max_size=4), min_size=1, max_size=12
)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few bytes: every row meets a border."""
    monkeypatch.setattr(blocks, "BLOCK", 7)


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def csv_bytes(table: list[tuple[str, str]], line_end: str = "\n") -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator=line_end).writerows([("text", "more"), *table])
    return file.getvalue().encode()


def zipped(content: bytes, name: str = "reviews.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        for _ in read_chunks(path):
            pass
    assert "\n" not in str(refused.value)
    return str(refused.value)


@settings(max_examples=100)
@given(
    table=TABLES,
    block=st.integers(1, 40),
    line_end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_csv_in_chunks_is_the_table_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    table: list[tuple[str, str]],
    block: int,
    line_end: str,
    mark: bytes,
) -> None:
    content = csv_bytes(table, line_end)
    path = written(tmp_path_factory.getbasetemp() / "chunks.csv", mark + content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", block)
        read = read_table(path)
    assert read.rows() == table
    assert_frame_equal(read, pl.read_csv(io.BytesIO(content), infer_schema=False))


@settings(max_examples=100)
@given(
    lines=st.lists(st.text(st.sampled_from('ab",é雨'), min_size=1, max_size=9), min_size=1, max_size=20),
    block=st.integers(1, 30),
)
def test_tsv_with_bare_quotes_is_cut_at_line_ends(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], block: int
) -> None:
    content = "\r\n".join(["n\ttext", *(f"{number}\t{text}" for number, text in enumerate(lines))]).encode()
    path = written(tmp_path_factory.getbasetemp() / "chunks.tsv", content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", block)
        assert read_table(path)["text"].to_list() == lines


@settings(max_examples=100)
@given(objects=OBJECTS.filter(any), block=st.integers(1, 40))
@example(objects=[{"a": [1]}, {"a": {"b": 2}, "text": "x"}], block=9)  # types that nothing holds together
def test_json_lines_keep_every_key_and_value_wherever_they_come(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, object]], block: int
) -> None:
    path = written(
        tmp_path_factory.getbasetemp() / "chunks.jsonl", "\n\n".join(map(json.dumps, objects)).encode()
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(blocks, "BLOCK", block)
        chunks = [chunk.table for chunk in read_chunks(path)]
    table = pl.concat(chunks)
    assert set(table.columns) == {key for each in objects for key in each}
    for row, given_object in zip(table.to_dicts(), objects, strict=True):
        for key, value in row.items():
            wanted = given_object.get(key)
            assert value == (wanted if wanted is None or isinstance(wanted, str) else json.dumps(wanted)), key


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"text,n\nfine,1\n\n \nbad,2\n\n\n", [("fine", "1"), ("bad", "2")]),
        (b"\n\r\ntext,n\nfine,1", [("fine", "1")]),
        (b'"te\nxt",n\n"a\n\n""b""\n",1\n', [('a\n\n"b"\n', "1")]),
        (b"text,n,,\nfine,1,,\nbad,2,,\n", [("fine", "1", None, None), ("bad", "2", None, None)]),
        (b"text,n\nfine,1,,\nbad,2\n", [("fine", "1"), ("bad", "2")]),
    ],
    ids=["blank lines", "empty lines first", "line ends in quotes", "empty columns", "empty fields too many"],
)
def test_odd_rows_are_read_as_they_are_meant(
    tmp_path: Path, content: bytes, expected: list[tuple[str | None, str | None]]
) -> None:
    assert read_table(written(tmp_path / "odd.csv", content)).rows() == expected


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("a.csv", b"text,n\n" + b"fine,1\n" * 50 + b"caf\xe9,2\n" + b"fine,1\n" * 50, "byte 0xe9 in line 52"),
        ("a.csv", b'\n\ntext,n\n"two\nlines",1\ncaf\xe9,2\n', "byte 0xe9 in line 6"),
        ("a.csv", b"text,n\nfine\nbad,2\n", "fewer fields, 1, in the row that ends in line 2 than"),
        ("a.csv", b"text,n\n" + b'"a\nb",1\n' * 20 + b"a,b,c\n", "3, in the row that ends in line 42 "),
        ("a.tsv", b"text\tn\n" + b"a\t1\n" * 20 + b"a\tb\tc\n", "in the row that ends in line 22"),
        ("a.jsonl", b'{"text": "a"}\n' * 30 + b'{"text": "a"\n', "line 31: "),
        ("a.jsonl", b'{"text": "a"}\n' * 30 + b"[1, 2]\n", "line 31: no JSON object"),
        ("a.jsonl", b'{"text": "a"}\n' * 30 + b'"text"\n', "line 31: no JSON object"),
        ("a.csv", b"text,n\n", "a header and no rows"),
        ("a.csv", b"", "the file is empty"),
        ("a.parquet", b"", "the file is empty"),
    ],
)  # fmt: skip
def test_a_mistake_far_down_is_told_with_its_line(
    tmp_path: Path, name: str, content: bytes, phrase: str
) -> None:
    assert phrase in refusal(written(tmp_path / name, content))


@pytest.mark.parametrize("depth", [400, 1_000, 100_000])
def test_json_nested_without_end_is_read_or_refused_and_ends_no_process(tmp_path: Path, depth: int) -> None:
    content = b'{"text": "fine", "deep": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}\n"
    path = written(tmp_path / "deep.jsonl", content)
    if depth > 900:
        assert "not readable as JSON" in refusal(path)
    else:
        assert read_table(path)["text"].to_list() == ["fine"]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_chunks_are_small_and_say_how_far_they_are(tmp_path: Path, kind: str) -> None:
    table = pl.DataFrame(
        {"n": [f"{number}" for number in range(35_000)], "text": ["some words " * 20] * 35_000}
    )
    path = tmp_path / f"many.{kind}"
    {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[kind](path)
    chunks = list(read_chunks(path))
    assert max(chunk.table.height for chunk in chunks) <= stream.ROWS
    shares = [chunk.share for chunk in chunks]
    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.7
    assert shares[-1] == 1
    assert_frame_equal(pl.concat([chunk.table for chunk in chunks]), table)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"text": ["a", None], "n": [1, 2], "when": [date(2024, 1, 1), None], "tags": [["x"], []]}
    )
    table.write_parquet(tmp_path / "typed.parquet")
    assert_frame_equal(read_table(tmp_path / "typed.parquet"), table)


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.zip", ".csv.zst", ".parquet.gz"])
def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(unpack, "ALWAYS_ALLOWED", 2**20)
    content = b"text\n" + b"boom\n" * 10 * 2**20
    pack = {
        ".gz": gzip.compress,
        ".zip": zipped,
        ".zst": lambda data: bytes(pa.Codec("zstd").compress(data, asbytes=True)),
    }
    path = written(tmp_path / f"bomb{ending}", pack[path_end(ending)](content))
    assert "unpacks to more than 200 times its size" in refusal(path)


def path_end(ending: str) -> str:
    return "." + ending.rsplit(".", 1)[1]


def test_a_parquet_bomb_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "ALWAYS_ALLOWED", 2**20)
    table = pa.table({"text": ["x" * 900_000] * 30})
    pq.write_table(table, tmp_path / "bomb.parquet", compression="zstd", use_dictionary=False)
    assert "unpacks to more than 200 times its size" in refusal(tmp_path / "bomb.parquet")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl"])
@pytest.mark.parametrize("level", [1, 5, 6, 9])
def test_what_is_packed_under_a_plain_name_is_unpacked_unless_it_cannot_be_told(
    tmp_path: Path, name: str, level: int
) -> None:
    plain = b'{"text": "a", "rating": 5}\n' * 100 if name == "a.jsonl" else b"text,rating\nfine,5\n" * 100
    for content in (gzip.compress(plain, level), pa.compress(plain, "zstd", asbytes=True)):
        assert_frame_equal(
            read_table(written(tmp_path / name, content)), read_table(written(tmp_path / f"b{name}", plain))
        )
    with pytest.raises(UserError, match=r"not UTF-8|not readable as"):
        list(read_chunks(written(tmp_path / name, zlib.compress(plain, level))))


def test_a_header_that_begins_like_something_packed_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"x^2,text\n1,fine\n")
    assert read_table(tmp_path / "a.csv").rows() == [("1", "fine")]


def test_a_small_file_may_unpack_to_any_number_of_times_its_size(tmp_path: Path) -> None:
    path = written(tmp_path / "dull.csv.gz", gzip.compress(b"text\n" + b"fine\n" * 200_000))
    assert read_table(path).height == 200_000


def test_the_name_inside_a_zip_is_never_a_path(tmp_path: Path) -> None:
    path = written(tmp_path / "reviews.csv.zip", zipped(b"text\nfine\n", "../../escaped.csv"))
    assert read_table(path)["text"].to_list() == ["fine"]
    assert [file.name for file in tmp_path.iterdir()] == ["reviews.csv.zip"]
    assert not (tmp_path.parent.parent / "escaped.csv").exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_otherwise_is_refused(tmp_path: Path, method: int) -> None:
    assert "not packed with deflate" in refusal(
        written(tmp_path / "reviews.csv.zip", zipped(b"text\nfine\n", method=method))
    )


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_review_longer_than_any_is_refused_with_its_row(tmp_path: Path, kind: str) -> None:
    longest = "雨" * stream.LONGEST_VALUE
    table = pl.DataFrame({"text": ["fine", longest, "fine", longest + "!"]})
    path = tmp_path / f"long.{kind}"
    {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[kind](path)
    assert "column 'text' holds 1,000,001 characters in data row 4" in refusal(path)
    table.head(3).write_csv(tmp_path / "fits.csv")
    assert read_table(tmp_path / "fits.csv").height == 3


@pytest.mark.parametrize(
    ("name", "content", "phrase"),
    [
        ("a.csv", b"text\n" + b"x" * 2**26, "no end of the line"),
        ("a.jsonl", b'{"text": "' + b"x" * 2**26, "an object that does not end"),
        ("a.csv", b'text\n"open\n' + b"fine\n" * 2**25, "from line 2 on (a quote that is opened there"),
    ],
    ids=["CSV", "JSON lines", "open quote"],
)
def test_a_file_without_rows_does_not_fill_the_memory(
    tmp_path: Path, name: str, content: bytes, phrase: str
) -> None:
    path = written(tmp_path / name, content)
    tracemalloc.start()
    try:
        said = refusal(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "more than 16 MiB in one row" in said
    assert phrase in said
    assert peak < len(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"," * 10_000 + b"\n" + b"," * 10_000),
        ("a.tsv", b"\t" * 10_000 + b"\n" + b"\t" * 10_000),
        (
            "a.jsonl",
            b"\n".join(
                b"{%b}" % b", ".join(b'"%d": 1' % (i * 100 + k) for k in range(100)) for i in range(101)
            ),
        ),
    ],
)
def test_more_columns_than_any_table_has_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    assert "more than 10,000 columns" in refusal(written(tmp_path / name, content))


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_are_found_by_names_that_polars_reads_as_patterns(tmp_path: Path, ending: str) -> None:
    names, path = ["*", "^.*$", "text", "^t.*$"], tmp_path / f"reviews.{ending}"
    table = pl.DataFrame([pl.Series(name, [f"{name} is fine", f"{name} is not"]) for name in names])
    {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[ending](path)
    [chunk] = read_chunks(path)
    assert chunk.table.columns == names
    found = to_reviews(chunk.table, Layout("plain", "*", "^.*$", "^t.*$"), slices=("*",))
    expected = ["* is fine", "^.*$ is fine", "^t.*$ is fine", "* is fine"]
    assert list(found.row(0)[1:]) == expected
