"""Parquet, Arrow and Excel: texts of every type that holds some; what is not read is named."""

import builtins
import io
import uuid
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.cli.installing import install_command
from starcast.reviews.layouts import recognise
from starcast.reviews.opening import open_files
from starcast.reviews.parameters import DataParameters, Reading
from starcast.reviews.stream import read_chunks
from tests.reviews.tables import read_table

TEXTS = [f"fine words {number}, naïve" for number in range(200)]


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as refused:
        list(read_chunks(path))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(TEXTS).dictionary_encode(),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array([text.encode() for text in TEXTS]),
        pa.array([text.encode() for text in TEXTS], pa.large_binary()),
        pa.array([text.encode() for text in TEXTS]).dictionary_encode(),
    ],
    ids=lambda texts: str(texts.type)[:20],
)
def test_texts_of_any_type_are_texts(tmp_path: Path, texts: pa.Array) -> None:
    path = parquet(tmp_path / "a.parquet", text=texts, rating=pa.array([1, 5] * 100))
    table = read_table(path)
    assert table["text"].to_list() == TEXTS
    assert table.schema == {"text": pl.String, "rating": pl.Int64}


@pytest.mark.parametrize("ending", ["arrow", "feather", "ipc", "parquet", "txt"])
@pytest.mark.parametrize("stream", [False, True])
def test_arrow_is_read_as_a_file_and_as_a_stream(tmp_path: Path, ending: str, stream: bool) -> None:
    table = pl.DataFrame({"text": TEXTS * 200, "n": range(40_000)})
    path = tmp_path / f"a.{ending}"
    (table.write_ipc_stream if stream else table.write_ipc)(path)
    chunks = list(read_chunks(path))
    assert len(chunks) >= 4
    assert chunks[-1].share == pytest.approx(1, abs=1e-3)
    assert_frame_equal(pl.concat([chunk.table for chunk in chunks]), table)
    pyarrow.feather.write_feather(table.to_arrow(), path, compression="zstd")
    assert_frame_equal(read_table(path), table)
    path.write_bytes(path.read_bytes()[:-50])
    assert "not readable as arrow" in refusal(path)


def test_bytes_that_are_not_utf_8_are_named_or_rejected(tmp_path: Path) -> None:
    texts = [b"fine", "café".encode("latin-1"), None, b"bad", "naïve".encode()]
    path = parquet(tmp_path / "a.parquet", text=texts, rating=[5, 4, 3, 2, 1])
    assert refusal(path) == (
        "a.parquet: column 'text' holds bytes that are not UTF-8, first in data row 2; write it again as text"
    )
    [chunk] = read_chunks(path, Reading(reject=True))
    assert chunk.table.rows() == [("fine", 5), (None, None), (None, 3), ("bad", 2), ("naïve", 1)]
    assert chunk.rejected == {1: ("not UTF-8", "caf\ufffd")}


def test_text_that_is_damaged_is_refused(tmp_path: Path) -> None:
    damaged = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), pa.py_buffer(b"caf\xe9"))
    assert "not readable as parquet" in refusal(parquet(tmp_path / "a.parquet", text=damaged, rating=["5"]))


def test_pictures_beside_the_text_stay_bytes(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", text=["fine"] * 3, image=[b"\xff\xd8\xff\xe0"] * 3)
    assert read_table(path).schema == {"text": pl.String, "image": pl.Binary}


def test_a_table_without_text_says_what_it_has(tmp_path: Path) -> None:
    table = read_table(parquet(tmp_path / "a.parquet", id=[1, 2], rating=[5, 4]))
    with pytest.raises(UserError, match="id, rating"):
        recognise(table.columns)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal(1)], pa.decimal256(60, 2)),
        pa.array([[Decimal(1)]], pa.list_(pa.decimal256(60, 2))),
    ],
    ids=["decimal256", "nested"],
)
def test_a_type_that_is_not_read_is_named(
    tmp_path: Path, values: pa.Array, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "column 'odd' has the type" in refusal(parquet(tmp_path / "a.parquet", text=["fine"], odd=values))
    assert capfd.readouterr().err == ""


def test_dates_and_decimals_keep_their_types(tmp_path: Path) -> None:
    row = {"text": "fine", "when": date(2024, 1, 2), "price": Decimal("1.50"), "tags": ["a"]}
    path = parquet(tmp_path / "a.parquet", **{name: [value] for name, value in row.items()})
    assert read_table(path).to_dicts() == [row]


def workbook(path: Path, **sheets: list[list[object]]) -> Path:
    """Write a workbook with one sheet per argument, in the few files that Excel needs."""
    pytest.importorskip("fastexcel")
    main, names = "http://schemas.openxmlformats.org", list(sheets)

    def cell(value: object) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    files = {
        "[Content_Types].xml": f'<Types xmlns="{main}/package/2006/content-types"><Default Extension="xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{main}/package/2006/relationships"><Relationship Id="r" '
        f'Type="{main}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>'
        "</Relationships>",
        "xl/workbook.xml": f'<workbook xmlns="{main}/spreadsheetml/2006/main" '
        f'xmlns:r="{main}/officeDocument/2006/relationships"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in enumerate(names, start=1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{main}/package/2006/relationships">'
        + "".join(
            f'<Relationship Id="r{n}" Target="s{n}.xml" '
            f'Type="{main}/officeDocument/2006/relationships/worksheet"/>'
            for n, _ in enumerate(names, start=1)
        )
        + "</Relationships>",
    }
    for number, rows in enumerate(sheets.values(), start=1):
        cells = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        files[f"xl/s{number}.xml"] = (
            f'<worksheet xmlns="{main}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


ROWS: list[list[object]] = [
    ["text", "stars", "id"],
    ["fine\nwords", 5, 7],
    [None, None, None],
    ["bad", 1.5, 8],
]
AS_TEXT = [("fine\nwords", "5", "7"), ("bad", "1.5", "8")]


def test_the_first_sheet_with_rows_is_read_and_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", About=[], Reviews=ROWS, Other=[["text"], ["other"]])
    [chunk] = read_chunks(path)
    assert chunk.table.rows() == AS_TEXT
    assert chunk.seen == "sheet 'Reviews', not 'About', 'Other'"
    assert read_table(tmp_path / "a.xlsx::Other").rows() == [("other",)]
    assert "no sheet 'Nowhere'; there are About, Reviews, Other" in refusal(tmp_path / "a.xlsx::Nowhere")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(path, "a.xlsx")
    (tmp_path / "b.zip").write_bytes(packed.getvalue())
    assert read_table(tmp_path / "b.zip::a.xlsx").rows() == read_table(tmp_path / "b.zip").rows() == AS_TEXT


def test_a_sheet_that_is_no_table_of_reviews_is_named_with_the_others(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", Summary=[["month", "count"], ["May", 3]], Reviews=ROWS)
    with pytest.raises(UserError) as refused:
        open_files(DataParameters(data=str(path)), {"data": path})
    said = str(refused.value)
    assert said.startswith(
        "a.xlsx, sheet 'Summary', not 'Reviews': no known layout has the columns month, count"
    )
    assert said.endswith(f"or name another sheet: {path}::<sheet>")


def test_a_column_that_comes_twice_in_a_sheet_is_refused_if_it_is_read(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", A=[["text", "rating", "n", "n", ""], ["fine words", 5, 1, 2, 3]])
    [chunk] = read_chunks(path)
    assert chunk.table.columns[:4] == ["text", "rating", "n", "n_duplicated_0"]
    open_files(DataParameters(data=str(path)), {"data": path})
    path = workbook(tmp_path / "b.xlsx", A=[["text", "rating", "rating"], ["fine words", 5, 1]])
    with pytest.raises(UserError, match="two columns 'rating'; rename the one that is not meant"):
        open_files(DataParameters(data=str(path)), {"data": path})


def test_a_workbook_that_is_damaged_or_empty_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", Empty=[["text", "stars"]])
    assert "no sheet has a row below its header" in refusal(path)
    path.write_bytes(path.read_bytes()[:300])
    assert "a.xlsx: " in refusal(path)


def test_without_the_package_excel_is_answered_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = workbook(tmp_path / "a.xlsx", Reviews=ROWS), builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "fastexcel":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert f"{install_command('fastexcel')}, or save the sheet as CSV" in refusal(path)


def test_columns_of_types_that_arrow_adds_are_no_hindrance(tmp_path: Path) -> None:
    ids = pa.array([uuid.uuid4().bytes for _ in range(2)], pa.uuid())
    table = pa.table({"id": ids, "text": ["fine", "bad"], "rating": [5, 1]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").select("text", "rating").rows() == [("fine", 5), ("bad", 1)]
