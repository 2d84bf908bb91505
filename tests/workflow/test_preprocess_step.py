"""The preprocess step on a real store: what it leaves, and when it is reused."""

from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.reviews.parameters import DataParameters
from starcast.tracking.artifacts import fetch
from starcast.workflow import prepare as preparing
from starcast.workflow.prepare import Prepared, preprocess


def prepare(file: Path, **parameters: object) -> Prepared:
    return preprocess(DataParameters.model_validate({"data": str(file), **parameters}))


def test_leaves_splits_figures_and_lineage(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    prepared = prepare(reviews_file)
    run = store.get_run(prepared.run_id)
    files = {item.path for item in store.list_artifacts(prepared.run_id)}
    assert {
        "splits",
        "report.json",
        "length_before_cleaning.png",
        "length_after_cleaning.png",
        "rating_shares.png",
    } <= files
    assert (
        sum(pl.read_parquet(prepared.split(name)).height for name in ("train", "validation", "test")) == 300
    )
    assert run.data.params["data"] == str(reviews_file)
    assert "-m steps.preprocess " in run.data.tags["command"]
    assert f" --data={reviews_file} " in run.data.tags["command"]
    [raw] = run.inputs.dataset_inputs
    assert raw.dataset.digest == prepared.report["digests"]["file"]


def test_same_again_is_reused_and_says_so(
    store: mlflow.MlflowClient, reviews_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = prepare(reviews_file)
    again = prepare(reviews_file)
    assert again.run_id == first.run_id
    assert f"reused the finished run {first.run_id}" in capsys.readouterr().out
    assert pl.read_parquet(again.split("test")).equals(pl.read_parquet(first.split("test")))


@pytest.mark.parametrize(
    "change", [{"seed": 7}, {"split": "study_a"}, {"title_column": "title"}, {"sample_size": 200}]
)
def test_other_parameters_make_a_new_run(
    store: mlflow.MlflowClient, reviews_file: Path, change: dict[str, object]
) -> None:
    first = prepare(reviews_file)
    assert prepare(reviews_file, **change).run_id != first.run_id


def test_a_changed_file_makes_a_new_run(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    first = prepare(reviews_file)
    reviews_file.write_text(reviews_file.read_text() + "one more review,Title,5\n")
    again = prepare(reviews_file)
    assert again.run_id != first.run_id


def test_changed_code_makes_a_new_run(
    store: mlflow.MlflowClient, reviews_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(reviews_file)
    edited = tmp_path / "clean.py"
    edited.write_text("# another recipe")
    monkeypatch.setattr(preparing, "CODE", [edited])
    assert prepare(reviews_file).run_id != first.run_id


def test_a_run_without_its_splits_is_not_reused(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    first = prepare(reviews_file)
    for split in ("train", "validation", "test"):
        fetch(first.run_id, f"splits/{split}.parquet").unlink()
    assert prepare(reviews_file).run_id != first.run_id


def test_title_stands_in_front_of_the_text(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    table = pl.read_parquet(prepare(reviews_file, title_column="title").split("train"))
    assert table["cleaned"].str.starts_with("title ").all()
    assert set(table.columns) == {"review_id", "text", "rating", "title", "cleaned"}


def test_no_text_stands_on_two_sides(store: mlflow.MlflowClient, tmp_path: Path, reviews_file: Path) -> None:
    table = pl.read_csv(reviews_file)
    doubled = tmp_path / "doubled.csv"
    pl.concat([table, table, table]).write_csv(doubled)
    prepared = prepare(doubled)
    texts = pl.concat([pl.read_parquet(prepared.split(name)) for name in ("train", "validation", "test")])[
        "text"
    ]
    assert texts.n_unique() == len(texts) == 300
    assert prepared.report["dropped"]["same text as an earlier review"] == 600
