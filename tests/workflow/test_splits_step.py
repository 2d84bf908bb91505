"""`preprocess` with splits that the data say: a column or files that name them, groups, and times."""

from datetime import date, timedelta
from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.reviews.parameters import DataParameters
from starcast.reviews.split import SPLITS
from starcast.workflow.prepare import Prepared, preprocess
from tests.conftest import make_reviews, statuses

SIZE = 300


def reviews() -> pl.DataFrame:
    """Reviews with a column for each rule, of which the rows are in mixed order."""
    row = pl.int_range(SIZE)
    return make_reviews(SIZE).with_columns(
        pl.when(row % 5 == 4)
        .then(pl.lit("Test"))
        .when(row % 5 == 3)
        .then(pl.lit("dev"))
        .otherwise(pl.lit("train"))
        .alias("part"),
        (row * 7 % 40).alias("product"),
        pl.Series("day", [date(2014, 1, 1) + timedelta(number * 7 % 100) for number in range(SIZE)]),
    )


def prepare(file: Path, **parameters: object) -> Prepared:
    return preprocess(DataParameters.model_validate({"data": str(file), **parameters}))


def rows_of(prepared: Prepared) -> dict[str, set[int]]:
    return {name: set(pl.read_parquet(prepared.split(name))["review_id"]) for name in SPLITS}


def written(table: pl.DataFrame, path: Path) -> Path:
    {".csv": table.write_csv, ".jsonl": table.write_ndjson, ".parquet": table.write_parquet}[path.suffix](
        path
    )
    return path


def test_a_column_that_names_the_splits_is_kept(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    file = written(reviews(), tmp_path / "reviews.csv")
    found = rows_of(prepare(file, split="given", split_column="part"))
    for name, rest in zip(SPLITS, ((0, 1, 2), (3,), (4,)), strict=True):
        assert found[name] == {row for row in range(SIZE) if row % 5 in rest}


def test_a_text_of_the_test_is_not_learned_from(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = reviews()
    texts = table["text"].to_list()
    texts[0], texts[1] = f"{texts[4].upper()}. ", texts[3]  # train repeats test and validation, cleaned
    texts[8], texts[9] = texts[4], texts[4]  # validation repeats test, and test itself
    texts[11] = texts[10]
    file = written(table.with_columns(text=pl.Series(texts)), tmp_path / "reviews.csv")
    prepared = prepare(file, split="given", split_column="part")
    found = rows_of(prepared)
    assert found["test"] == set(range(4, SIZE, 5))
    assert found["validation"] == set(range(3, SIZE, 5)) - {8}
    assert not found["train"] & {0, 1, 11}
    assert prepared.report["dropped"]["same text as a review of the given test or validation split"] == 3
    assert prepared.report["dropped"]["same text as an earlier review"] == 1


def test_splits_in_files_of_their_own(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = make_reviews(SIZE)
    train, test = written(table[:200], tmp_path / "train.csv"), written(table[200:], tmp_path / "test.jsonl")
    prepared = prepare(train, split="given", test_data=str(test))
    found = rows_of(prepared)
    assert found["test"] == set(range(200, SIZE))
    assert found["train"] | found["validation"] == set(range(200))
    assert len(found["validation"]) == 60
    assert "no validation split is given: it is drawn from train" in prepared.report["lines"]
    raw = store.get_run(prepared.run_id).inputs.dataset_inputs
    assert {each.dataset.name for each in raw} == {"train.csv", "test.jsonl"}
    assert prepare(train, split="given", test_data=str(test)).run_id == prepared.run_id
    written(table[201:], test)
    assert prepare(train, split="given", test_data=str(test)).run_id != prepared.run_id


def test_three_files_are_read_in_the_order_of_the_splits(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = make_reviews(SIZE)
    parts = zip(SPLITS, (table[:170], table[170:240], table[240:]), strict=True)
    files = {name: str(written(part, tmp_path / f"{name}.parquet")) for name, part in parts}
    prepared = prepare(
        Path(files["train"]), split="given", test_data=files["test"], validation_data=files["validation"]
    )
    sizes = [len(rows) for rows in rows_of(prepared).values()]
    assert sizes == [170, 70, 60]
    assert rows_of(prepared)["validation"] == set(range(170, 240))


def test_a_file_without_the_columns_of_the_first_is_refused(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    table = make_reviews(SIZE)
    train = written(table, tmp_path / "train.csv")
    test = written(table.rename({"rating": "stars"}), tmp_path / "test.csv")
    with pytest.raises(UserError, match=r"^test_data: no column 'rating'; the file has text, title, stars"):
        prepare(train, split="given", test_data=str(test))
    with pytest.raises(UserError, match=r"^test_data '.*none\.csv': no such file"):
        prepare(train, split="given", test_data=str(tmp_path / "none.csv"))
    assert statuses(store) == ["FAILED", "FAILED"]


def test_no_product_is_on_two_sides(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = reviews()
    prepared = prepare(written(table, tmp_path / "reviews.csv"), split="group", group_column="product")
    sides = [set(table["product"].gather(sorted(rows))) for rows in rows_of(prepared).values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 40
    assert any(line.startswith("split by group: 40 groups, ") for line in prepared.report["lines"])


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_the_latest_are_the_test(store: mlflow.MlflowClient, tmp_path: Path, ending: str) -> None:
    table = reviews()
    prepared = prepare(written(table, tmp_path / f"reviews{ending}"), split="time", time_column="day")
    days = [table["day"].gather(sorted(rows)) for rows in rows_of(prepared).values()]
    assert max(days[0]) < min(days[1]) <= max(days[1]) < min(days[2])
    assert len(days[2]) == SIZE / 5
    assert any("test 2014-03-22 to 2014-04-10" in line for line in prepared.report["lines"])


def test_rows_without_a_group_are_dropped_and_counted(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = reviews().with_columns(product=pl.when(pl.int_range(SIZE) > 3).then("product"))
    prepared = prepare(written(table, tmp_path / "reviews.csv"), split="group", group_column="product")
    assert prepared.report["dropped"]["nothing in the column that the split goes by"] == 4


def test_times_that_cannot_be_read_are_refused_or_dropped(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    times = [str(day) for day in reviews()["day"]]
    times[7] = "soon"
    file = written(reviews().with_columns(day=pl.Series(times)), tmp_path / "reviews.csv")
    asked = {"split": "time", "time_column": "day"}
    with pytest.raises(UserError, match=r"1: not a time in column 'day', but 'soon'\), first in data row 8;"):
        prepare(file, **asked)
    prepared = prepare(file, **asked, on_bad_rows="drop")
    [(row, beginning)] = rejected(store, prepared).select("row", "beginning").rows()
    assert (row, beginning) == (8, reviews()["text"][7][:80])


def rejected(store: mlflow.MlflowClient, prepared: Prepared) -> pl.DataFrame:
    return pl.read_csv(store.download_artifacts(prepared.run_id, "rejected_rows.csv"))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"split": "time", "time_column": "title"},
            r"^time_column: nothing in column 'title' is a time, but 'Title .*'; name another",
        ),
        (
            {"split": "given", "split_column": "title"},
            r"^split_column: nothing in column 'title' is train, validation or test, but 'Title ",
        ),
        (
            {"split": "group", "group_column": "user"},
            r"^group_column: no column 'user'; the file has text, title",
        ),
    ],
)
def test_a_wrong_column_is_named(
    store: mlflow.MlflowClient, tmp_path: Path, parameters: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(written(reviews(), tmp_path / "reviews.csv"), **parameters)
    assert statuses(store) == ["FAILED"]


def test_days_that_cannot_be_told_from_months_are_refused(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = reviews().with_columns(
        pl.format("{}/{}/2014", pl.int_range(SIZE) % 11 + 1, pl.int_range(SIZE) % 12 + 1).alias("day")
    )
    file = written(table, tmp_path / "reviews.csv")
    with pytest.raises(
        UserError,
        match=r"^time_column: nothing in column 'day' tells days from months; pass time_format=day_first or",
    ):
        prepare(file, split="time", time_column="day")
    prepare(file, split="time", time_column="day", time_format="day_first")
