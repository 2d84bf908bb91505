"""`predict` on Spark: the same answers to the same rows, in the same order, as without; whole outputs."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import polars as pl
import pytest
from mlflow.entities import Run
from polars.testing import assert_frame_equal

from starcast.cli import progress
from starcast.cli.errors import UserError
from starcast.reviews import stream
from starcast.spark.jobs import run_jobs
from starcast.spark.reviews import SETTINGS, read_reviews
from starcast.spark.session import spark_session
from starcast.tracking import scoring
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.train import train
from tests.conftest import make_reviews, statuses
from tests.reviews.tables import read_table
from tests.workflow.spark_cluster import Cluster, needs_spark

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = needs_spark
NUMBERS = [*(f"probability_{rating}" for rating in range(1, 6)), "expected_rating", "confidence"]
AWKWARD = [
    'say "no"',
    "two\nlines",
    "",
    None,
    "comma, tab\tand \\ slash",
    '"',
    "très 素晴らしい 🙂",
    " blanks ",
    "lovely\r\nsoft",
    "NA",
]


@pytest.fixture(scope="module")
def session() -> Iterator["SparkSession"]:
    """Spark in this process, with a file's parts so small that every file has some."""
    with spark_session(
        "local[2]", "tests", {**SETTINGS, "spark.sql.files.maxPartitionBytes": "3000"}
    ) as started:
        yield started


def awkward_reviews() -> pl.DataFrame:
    """240 reviews: `id`, `review.text` with anything in it, `Title` with gaps."""
    texts = [*AWKWARD, *make_reviews(230)["text"]]
    titles = [None if n % 3 else f"Title {n}" for n in range(len(texts))]
    return pl.DataFrame({"id": [f"{n:03}" for n in range(len(texts))], "review.text": texts, "Title": titles})


def one_line(table: pl.DataFrame) -> pl.DataFrame:
    """As much of it as a format without quotes holds."""
    return table.with_columns(pl.col("review.text").str.replace_all(r"[\t\r\n]", " ").replace("", None))


def write_files(folder: Path) -> list[Path]:
    """The same reviews in every format."""
    table, plain = awkward_reviews(), one_line(awkward_reviews())
    table.write_csv(folder / "in.csv")
    tsv = plain.write_csv(separator="\t", quote_style="never").encode()
    (folder / "in.tsv").write_bytes(tsv)
    (folder / "mark.tsv").write_bytes(b"\xef\xbb\xbf\n" + tsv)
    (folder / "windows.tsv").write_bytes(tsv.replace(b"\n", b"\r\n"))
    (folder / "ends.tsv").write_bytes(tsv.removesuffix(b"\n"))
    lines = [
        {name: value for name, value in row.items() if value is not None}
        for row in table.iter_rows(named=True)
    ]
    lines.append({"id": 7, "shop": ["late", 1]})
    (folder / "in.jsonl").write_text("\n".join(map(json.dumps, lines)))
    table.with_columns(n=pl.int_range(pl.len())).write_parquet(folder / "in.parquet", row_group_size=50)
    (folder / "_hidden[1].tsv").write_bytes(tsv)
    (folder / "column.tsv").write_text("review\nlovely\n\nawful\n")
    for name in ("in.csv", "in.tsv", "in.jsonl"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    return sorted(folder.iterdir())


def test_every_format_is_read_as_without_spark(
    session: "SparkSession", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in write_files(tmp_path):
        expected = read_table(file)
        found = read_reviews(session, file, expected.columns)
        table = pl.from_arrow(found.toArrow())
        assert isinstance(table, pl.DataFrame)
        assert_frame_equal(table.rename(dict(zip(table.columns, expected.columns, strict=True))), expected)


def test_plain_lines_are_read_by_several_tasks(session: "SparkSession", tmp_path: Path) -> None:
    write_files(tmp_path)
    for name in ("in.tsv", "in.jsonl", "in.parquet"):
        columns = next(stream.read_chunks(tmp_path / name)).table.columns
        assert read_reviews(session, tmp_path / name, columns).rdd.getNumPartitions() > 1, name


def test_what_one_task_reads_is_handed_on_in_order(session: "SparkSession", tmp_path: Path) -> None:
    rows = 250_000
    numbered = pl.DataFrame(
        {"id": range(rows), "text": ["a plain review\nof two lines, which takes some bytes"] * rows}
    )
    numbered.cast(pl.String).write_csv(tmp_path / "in.csv")
    found = read_reviews(session, tmp_path / "in.csv", ["id", "text"])
    assert found.rdd.getNumPartitions() == (tmp_path / "in.csv").stat().st_size // (8 * 2**20)
    sizes = found.rdd.mapPartitions(lambda part: [sum(1 for _ in part)]).collect()
    assert min(sizes) > 0
    assert found.toArrow().column("c0").to_pylist() == numbered["id"].cast(pl.String).to_list()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "in.tsv",
            b"id\ttext\n1\tfine\n2\ttoo\tmany\n",
            "part 1 of it: tab-separated, without quoting, but more fields, 3",
        ),
        ("in.tsv", b"id\ttext\n1\tfine\n2\tcaf\xe9\n", "not UTF-8: byte 0xe9 in line"),
        (
            "in.csv",
            b'id,text\n1,"never closed\n' + b"x\n" * 9_000_000,
            "a quote that is opened there and never closed",
        ),
    ],
    ids=["ragged", "latin1", "open quote"],
)
def test_a_mistake_in_a_file_is_told_in_a_line(
    session: "SparkSession", tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    rows = read_reviews(session, tmp_path / name, ["id", "text"])
    with pytest.raises(UserError) as refused:
        run_jobs(session.sparkContext, rows.collect)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_fault_of_the_code_is_no_mistake_of_the_user(session: "SparkSession") -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError("a fault")

    with pytest.raises(Exception, match="ZeroDivisionError: a fault") as failed:
        run_jobs(session.sparkContext, lambda: session.sparkContext.parallelize([1]).foreach(fail))
    assert not isinstance(failed.value, UserError)
    with pytest.raises(KeyError):
        run_jobs(session.sparkContext, lambda: {}["nothing"])


def test_progress_says_how_many_tasks_are_done(
    session: "SparkSession", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def doze(_: object) -> None:
        import time

        time.sleep(0.3)

    monkeypatch.setattr(progress, "EVERY", 0.1)
    run_jobs(session.sparkContext, lambda: session.sparkContext.parallelize(range(8), 8).foreach(doze))
    lines = capsys.readouterr().out.splitlines()
    assert any(re.fullmatch(r"  running 8 Spark tasks: \d+%, about \d+ s left", line) for line in lines), (
        lines
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [("in.parquet.gz", "reads Parquet only uncompressed"), ("_in.parquet", "Parquet only under a name")],
)
def test_parquet_that_spark_does_not_take_is_refused(
    session: "SparkSession", tmp_path: Path, name: str, why: str
) -> None:
    pl.DataFrame({"text": ["fine"]}).write_parquet(tmp_path / "plain")
    content = (tmp_path / "plain").read_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(UserError, match=why):
        read_reviews(session, tmp_path / name, ["text"])


def scored(output: Path) -> pl.DataFrame:
    """All parts of an output, in their order."""
    parts = sorted(path for path in output.iterdir() if path.name.startswith("part-"))
    return pl.concat([read_table(part) for part in parts])


def as_told(client: mlflow.MlflowClient) -> list[tuple[object, ...]]:
    """What the runs of predict say of what they did, but for where."""

    def told(run: Run) -> tuple[object, ...]:
        datasets = [
            (each.dataset.name, each.dataset.digest, each.dataset.schema, each.dataset.profile)
            for each in run.inputs.dataset_inputs
        ]
        return (
            datasets,
            run.data.metrics["reviews"],
            round(run.data.metrics["mean_expected_rating"], 6),
            [run.data.metrics.get(name) for name in ("needs_review", "overruled")],
            run.info.status,
        )

    return [told(run) for run in client.search_runs(["1"], "tags.step = 'predict'")]


def same(on_spark: pl.DataFrame, local: pl.DataFrame) -> None:
    kept = [name for name in local.columns if name not in NUMBERS]
    assert on_spark.columns == local.columns
    assert_frame_equal(on_spark.select(kept), local.select(kept))
    assert_frame_equal(
        on_spark.select(NUMBERS).cast(pl.Float64), local.select(NUMBERS).cast(pl.Float64), abs_tol=1e-6
    )


@pytest.mark.timeout(1500)  # three sessions of Spark: 3 minutes, and over 10 on a machine with other work
def test_answers_are_those_without_spark_here_and_on_a_cluster(
    store: mlflow.MlflowClient,
    cluster: Cluster,
    reviews_file: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train(TrainParameters(data=str(reviews_file), title_column="title"))
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)

    def run(file: str, output: str, **where: object) -> Path:
        given = {
            "input": str(folder / file),
            "text_column": "review.text",
            "title_column": "Title",
            "output": output,
        }
        return predict(PredictParameters.model_validate({**given, **where}))

    run("in.csv", "local.csv")
    run("in.csv", "spark.csv", executor="spark", spark_master="local[2]")
    same(scored(tmp_path / "spark.csv"), read_table(tmp_path / "local.csv"))
    run("in.parquet", "local.jsonl")
    run("in.parquet", "spark.jsonl", executor="spark", spark_master=cluster.master)
    same(scored(tmp_path / "spark.jsonl"), read_table(tmp_path / "local.jsonl"))
    by_format, by_spark = as_told(store)[::2], as_told(store)[1::2]
    assert by_format == by_spark
    assert set(statuses(store)) == {"FINISHED"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    monkeypatch.setattr(scoring, "answering_code", lambda: {"starcast/other.py": "changed since"})
    run("in.csv", "stored.csv", executor="spark", spark_master=cluster.master)
    same(scored(tmp_path / "stored.csv"), read_table(tmp_path / "local.csv"))
    (tmp_path / "spark.csv" / "notes.txt").touch()
    with pytest.raises(UserError, match="is a folder of other files"):
        run("in.csv", "spark.csv", executor="spark", spark_master="local[2]")
