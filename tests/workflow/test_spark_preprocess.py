"""`preprocess` on Spark: the same rows in the same splits as without, also when a worker dies on the way."""

import re
import threading
import time
from functools import partial
from pathlib import Path

import mlflow
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from starcast.cli.errors import UserError
from starcast.reviews.split import SPLITS
from starcast.spark.parameters import PreprocessParameters
from starcast.spark.reviews import SETTINGS
from starcast.tracking.artifacts import fetch
from starcast.workflow.prepare import Prepared, preprocess
from tests.conftest import make_reviews, statuses
from tests.workflow.processes import LONG
from tests.workflow.spark_cluster import Cluster, needs_spark

pytestmark = needs_spark
REVIEWS = 600


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task for every few reviews."""
    monkeypatch.setitem(SETTINGS, "spark.sql.files.maxPartitionBytes", "10000")


def reviews_with_all_that_is_checked() -> pl.DataFrame:
    """Reviews: some lack text or rating, some repeat a text, some hold quotes and other scripts."""
    table = make_reviews(REVIEWS).select("text", pl.col("rating").cast(pl.String), title=pl.lit("A title"))
    texts = table["text"].to_list()
    texts[5], texts[70], texts[71] = "", texts[69], texts[69]
    texts[100], texts[300] = 'the "best" — très 素晴らしい, don\u2019t', texts[5]
    ratings = [None if row == 9 else rating for row, rating in enumerate(table["rating"])]
    return table.with_columns(text=pl.Series(texts), rating=pl.Series(ratings))


def prepare(file: Path, executor: str, master: str = "local[2]", **parameters: object) -> Prepared:
    asked = {"data": str(file), "executor": executor, "spark_master": master, **parameters}
    return preprocess(PreprocessParameters.model_validate(asked), anew=True)


def assert_equal(there: Prepared, here: Prepared) -> None:
    assert there.report == here.report
    for name in SPLITS:
        assert_frame_equal(pl.read_parquet(there.split(name)), pl.read_parquet(here.split(name)))


def test_splits_digests_and_figures_are_those_made_here(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    file = tmp_path / "reviews.tsv"
    reviews_with_all_that_is_checked().write_csv(file, separator="\t", quote_style="never")
    there, here = (
        prepare(file, executor, sample_size=500, title_column="title") for executor in ("spark", "local")
    )
    assert there.split("train").is_dir()
    assert len(list(there.split("train").iterdir())) > 2
    assert_equal(there, here)
    inputs = [store.get_run(each.run_id).inputs.dataset_inputs[0].dataset for each in (there, here)]
    assert inputs[0].digest == inputs[1].digest
    assert inputs[0].schema == inputs[1].schema


def test_quoted_fields_with_line_ends_are_read_as_here(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    file = tmp_path / "reviews.csv.gz"
    table = reviews_with_all_that_is_checked().with_columns(pl.col("text").str.replace(" ", "\n"))
    table.write_csv(file, compression="gzip")
    assert_equal(prepare(file, "spark"), prepare(file, "local"))


@pytest.mark.parametrize(
    ("ending", "rule"),
    [
        (".tsv", {"split": "given", "split_column": "part"}),
        (".jsonl", {"split": "group", "group_column": "product"}),
        (".parquet", {"split": "time", "time_column": "day"}),
    ],
)
def test_splits_that_the_data_say_are_those_made_here(
    store: mlflow.MlflowClient, tmp_path: Path, ending: str, rule: dict[str, str]
) -> None:
    row = pl.int_range(REVIEWS)
    table = reviews_with_all_that_is_checked().with_columns(
        pl.when(row % 4 == 0).then(pl.lit("test")).otherwise(pl.lit("train")).alias("part"),
        (row * 7 % 50).alias("product"),
        pl.from_epoch(row * 7 % 100, "d").alias("day"),
    )
    file = tmp_path / f"reviews{ending}"
    writing = {".tsv": partial(table.write_csv, separator="\t", quote_style="never")}
    writing |= {".jsonl": table.write_ndjson, ".parquet": table.write_parquet}
    writing[ending](file)
    assert_equal(*(prepare(file, executor, **rule) for executor in ("spark", "local")))


def test_splits_in_files_of_their_own_are_those_made_here(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    table = reviews_with_all_that_is_checked()
    train, test = tmp_path / "train.tsv", tmp_path / "test.csv.gz"
    table[:400].write_csv(train, separator="\t", quote_style="never")
    table[400:].write_csv(test, compression="gzip")
    there, here = (
        prepare(train, executor, split="given", test_data=str(test)) for executor in ("spark", "local")
    )
    assert_equal(there, here)
    datasets = [
        {each.dataset.name: each.dataset.profile for each in store.get_run(one.run_id).inputs.dataset_inputs}
        for one in (there, here)
    ]
    assert datasets[0] == datasets[1]


def test_what_the_checks_refuse_is_told_with_its_row(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    file = tmp_path / "reviews.tsv"
    table = make_reviews(REVIEWS).select("text", pl.col("rating").cast(pl.String))
    table = table.with_columns(
        rating=pl.when(pl.int_range(pl.len()) == 431).then(pl.lit("six")).otherwise("rating")
    )
    table.write_csv(file, separator="\t", quote_style="never")
    message = "1 of 600 rows are bad (1: rating not on the scale 1-5), first 'six' in data row 432"
    for executor in ("spark", "local"):
        with pytest.raises(UserError, match=re.escape(message)):
            prepare(file, executor)
    assert statuses(store) == ["FAILED", "FAILED"]


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.tsv", "reviews.jsonl"])
def test_rows_that_cannot_be_read_are_listed_as_here(
    store: mlflow.MlflowClient, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    table = make_reviews(REVIEWS).select("text", pl.col("rating").cast(pl.String))
    if name.endswith(".jsonl"):
        lines = table.write_ndjson().splitlines(keepends=True)
        torn = [lines[0][:20] + "\n", '["no object"]\n']
    else:
        separator = "\t" if name.endswith(".tsv") else ","
        lines = table.write_csv(separator=separator, include_header=False).splitlines(keepends=True)
        torn = [separator.join(["a", "row", "5"]) + "\n", "half a row\n"]
        lines.insert(0, separator.join(table.columns) + "\n")
    file.write_text("".join([*lines[:150], torn[0], *lines[150:400], torn[1], *lines[400:]]))
    there, here = (prepare(file, executor, on_bad_rows="drop") for executor in ("spark", "local"))
    assert_equal(there, here)
    listed = [pl.read_csv(fetch(each.run_id, "rejected_rows.csv")) for each in (there, here)]
    assert_frame_equal(*listed)
    assert listed[0].height == 2


def test_a_worker_that_is_killed_costs_time_and_nothing_else(
    store: mlflow.MlflowClient, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "spark.sql.files.maxPartitionBytes", "80000")
    file = tmp_path / "reviews.tsv"
    table = pl.concat([make_reviews(REVIEWS)] * 40).select(
        pl.col("text") + " " + pl.int_range(pl.len()).cast(pl.String), "rating"
    )
    table.write_csv(file, separator="\t", quote_style="never")
    written: list[int] = []

    def kill_when_it_writes() -> None:
        end = time.monotonic() + LONG
        while not written and time.monotonic() < end:
            written.extend([1] * len(list((tmp_path / "artifacts").glob("*/artifacts/splits/*/*"))))
            time.sleep(0.02)
        cluster.kill("worker-1")

    killing = threading.Thread(target=kill_when_it_writes)
    killing.start()
    there = prepare(Path(file.name), "spark", cluster.master)  # executors work in other folders
    killing.join()
    parts = len(list(there.split("train").iterdir()))
    assert 0 < len(written) < 3 * parts  # in the middle of it
    assert_equal(there, prepare(file, "local"))
