"""Read files whose columns have types: Parquet, Arrow (also as Feather) and Excel, a few rows at a time."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars import selectors

from starcast.cli.errors import UserError, first_line
from starcast.cli.installing import install_command
from starcast.reviews.encodings import is_utf8
from starcast.reviews.layouts import unique_names
from starcast.reviews.parameters import Reading
from starcast.reviews.parquet import MANY, to_table
from starcast.reviews.parsing import SHOWN, Chunk, Rejected
from starcast.reviews.unpack import check_growth, kind_of, open_unpacked, split_address, table_name

ROWS = 1_000  # rows decoded at once: a row may have any length
LARGE = 4 * 2**20  # bytes of rows that are passed on together
NOT_READ = (  # Polars has no such types, and would end in a panic
    *(pa.types.is_decimal256, pa.types.is_interval, pa.types.is_union, pa.types.is_run_end_encoded),
    *(pa.types.is_list_view, pa.types.is_large_list_view),
)
Batches = Iterator[tuple[pa.RecordBatch, float]]  # with the share of the file that is read with each


def read_typed(path: Path, kind: str, reading: Reading) -> Iterator[Chunk]:
    """Yield all rows in order; bytes that are UTF-8, and categories, become text.

    Raises:
        UserError: the file is empty or damaged, unpacks to far too much, or has a column of a type that is
            not read; a text is not UTF-8, unless such rows are to be rejected.
    """
    textual, rows = list[str](), 0
    try:
        with _opened(path) as source:
            if not source.seek(0, io.SEEK_END):
                raise UserError(f"{table_name(path)}: the file is empty; give one with reviews")
            seen, batches = OPEN[kind](path, source)
            for table, share in _gathered(batches):
                if not rows:
                    textual = [each.name for each in table if each.dtype == pl.Binary and _is_text(each)]
                texts, rejected = _with_texts(table, textual, rows, table_name(path), reading.reject)
                rows += table.height
                yield Chunk(texts, share, seen, rejected)
    except (pa.ArrowException, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UserError(
            f"{table_name(path)}: not readable as {kind} ({first_line(error)}); fix the file"
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # These formats are read from their end, so a compressed file is first unpacked to the disk.
    with open_unpacked(path) as unpacked, tempfile.TemporaryFile() as plain:
        if not unpacked.compression:
            yield unpacked.raw
            return
        while data := unpacked.read(LARGE):
            plain.write(data)
        yield plain


def _gathered(batches: Batches) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield tables of as many batches as are worth handling together."""
    held = list[pa.RecordBatch]()
    share = 0.0
    for batch, share in batches:
        batch.validate(full=True)  # otherwise Arrow trusts the file that its texts are UTF-8
        held.append(batch)
        if sum(each.nbytes for each in held) > LARGE or sum(each.num_rows for each in held) >= MANY:
            yield to_table(*held), share
            held = []
    if held:
        yield to_table(*held), share


def _check_types(schema: pa.Schema, name: str) -> None:
    """Raise a UserError if a column, or what is nested in it, has a type that Polars has not."""
    for field in schema:
        nested = [field.type]
        while nested:
            kind = nested.pop()
            if any(is_one(kind) for is_one in NOT_READ):
                what = f"column {field.name!r} has the type {field.type}, which is not read"
                raise UserError(f"{name}: {what}; write the file again without it, or with it as text")
            nested += [kind.field(number).type for number in range(kind.num_fields)]
    doubled = [column for number, column in enumerate(schema.names) if column in schema.names[:number]]
    if doubled:
        raise UserError(f"{name}: two columns {doubled[0]!r}; rename one")


def _parquet(path: Path, source: BinaryIO) -> tuple[str, Batches]:
    file = pq.ParquetFile(source, pre_buffer=False, buffer_size=2**20, arrow_extensions_enabled=False)
    _check_types(file.schema_arrow, table_name(path))
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    check_growth(table_name(path), source.tell(), sum(group.total_byte_size for group in groups))
    rows = max(file.metadata.num_rows, 1)
    batches = enumerate(file.iter_batches(ROWS), start=1)
    return "", ((batch, min(1.0, number * ROWS / rows)) for number, batch in batches)


def _arrow(path: Path, source: BinaryIO) -> tuple[str, Batches]:
    """Return the batches of an Arrow file, which is also Feather's format, or of a stream."""
    size = source.tell()
    source.seek(0)
    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    opened = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
    _check_types(opened.schema, table_name(path))
    count = opened.num_record_batches if is_file else 0
    batches = (opened.get_batch(number) for number in range(count)) if is_file else iter(opened)

    def slices() -> Batches:
        """Yield a few rows at a time: a batch may hold all."""
        given = 0
        for number, batch in enumerate(batches, start=1):
            given += batch.nbytes
            check_growth(table_name(path), size, given)
            for begin in range(0, batch.num_rows, MANY):
                yield batch.slice(begin, MANY), number / count if count else source.tell() / size

    return "", slices()


def _excel(path: Path, source: BinaryIO) -> tuple[str, Batches]:
    """Return the rows of the sheet that the address names, else of the first one that is not empty."""
    try:
        import fastexcel  # an extra
    except ImportError:
        how = f"reading Excel needs one more package: {install_command('fastexcel')}"
        raise UserError(f"{table_name(path)}: {how}, or save the sheet as CSV") from None

    source.seek(0)
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            check_growth(table_name(path), source.tell(), sum(each.file_size for each in archive.infolist()))
    source.seek(0)
    try:
        book = fastexcel.read_excel(source.read())
        named = "" if kind_of(path).compression else split_address(path)[1]
        names = [named] if named in book.sheet_names else book.sheet_names
        if named and named not in names:
            raise UserError(f"{table_name(path)}: no sheet {named!r}; there are {', '.join(names)}")
        sheets = (book.load_sheet(name, dtypes="string") for name in names)
        sheet = next((each for each in sheets if each.width and each.height), None)
    except fastexcel.FastExcelError as error:
        raise UserError(
            f"{table_name(path)}: not readable as Excel ({first_line(error)}); save it as CSV"
        ) from None
    if sheet is None:
        raise UserError(f"{table_name(path)}: no sheet has a row below its header; give one with reviews")
    header = book.load_sheet(sheet.name, header_row=None, n_rows=1, dtypes="string").to_polars().row(0)
    rows = sheet.to_polars()
    # fastexcel calls the second of two columns `rating` `rating_1`, as another column might be called.
    rows.columns = unique_names(name or made for name, made in zip(header, rows.columns, strict=True))
    rows = rows.filter(~pl.all_horizontal(pl.all().is_null())).to_arrow()
    others = [each for each in book.sheet_names if each != sheet.name]
    seen = f"sheet {sheet.name!r}" + (f", not {', '.join(map(repr, others))}" if others else "")
    return seen, ((batch, 1.0) for batch in rows.to_batches(MANY))


OPEN: dict[str, Callable[[Path, BinaryIO], tuple[str, Batches]]] = {
    "parquet": _parquet,
    "arrow": _arrow,
    "excel": _excel,
}


def _with_texts(
    table: pl.DataFrame, textual: list[str], before: int, name: str, reject: bool
) -> tuple[pl.DataFrame, dict[int, Rejected]]:
    """Return a table with text in place of categories and of the bytes in some columns, and rejected rows."""
    table = table.with_columns((selectors.categorical() | selectors.enum()).cast(pl.String))
    rejected = dict[int, Rejected]()
    try:
        return table.with_columns(selectors.by_name(*textual).cast(pl.String)), rejected
    except pl.exceptions.ComputeError:  # not UTF-8
        for column in textual:
            for row, value in enumerate(table[column]):
                if value is not None and not is_utf8(value):
                    reason = f"column {column!r} holds bytes that are not UTF-8"
                    if not reject:
                        where = f"data row {before + row + 1:,}"
                        raise UserError(
                            f"{name}: {reason}, first in {where}; write it again as text"
                        ) from None
                    rejected.setdefault(row, Rejected("not UTF-8", value[:SHOWN].decode("utf-8", "replace")))
    kept = [row not in rejected for row in range(table.height)]
    texts = {
        column: [_decoded(value) if keep else None for keep, value in zip(kept, table[column], strict=True)]
        for column in textual
    }
    table = table.with_columns(pl.Series(column, values, pl.String) for column, values in texts.items())
    return table.with_columns(pl.when(pl.Series(kept)).then(pl.all()).name.keep()), rejected


def _is_text(values: pl.Series) -> bool:
    """Return whether at least half of these bytes are UTF-8: pictures never are."""
    known = values.drop_nulls().to_list()
    return 2 * sum(map(is_utf8, known)) >= len(known)


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8")
