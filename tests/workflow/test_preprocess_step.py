"""The preprocess step on a real store: what it leaves, and when it is reused."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from shutil import copy, copytree, rmtree
from typing import Any
from urllib.parse import urlsplit

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.reviews.clean import Cleaner
from starcast.reviews.parameters import DataParameters
from starcast.reviews.split import LEARNED_FROM
from starcast.tracking import history
from starcast.workflow import prepare as preparing
from starcast.workflow.prepare import Prepared, prepare_once, preprocess

TRAIN, TEST = "splits/train.parquet", "splits/test.parquet"


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


def test_files_of_one_name_in_a_zip_are_not_taken_for_each_other(
    store: mlflow.MlflowClient, reviews_file: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        header, *rows = reviews_file.read_text().splitlines(keepends=True)
        archive.writestr("2023/reviews.csv", header + "".join(rows[:150]))
        archive.writestr("2024/reviews.csv", header + "".join(rows[150:]))
    first, second = (prepare(tmp_path / f"a.zip::{year}/reviews.csv") for year in (2023, 2024))
    assert second.run_id != first.run_id
    assert [each.report["file"] for each in (first, second)] == [
        f"a.zip::{year}/reviews.csv" for year in (2023, 2024)
    ]


def test_a_changed_file_makes_a_new_run(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    first = prepare(reviews_file)
    reviews_file.write_text(reviews_file.read_text() + "one more review,Title,5\n")
    again = prepare(reviews_file)
    assert again.run_id != first.run_id


@pytest.mark.parametrize("changed", ["code_digest", "package_versions"])
def test_changed_code_or_packages_make_a_new_run(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    first = prepare(reviews_file)
    monkeypatch.setattr(preparing, changed, lambda _: {"polars": "another"})
    assert prepare(reviews_file).run_id != first.run_id


def test_the_key_covers_the_packages_that_read_clean_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    known = dict[str, Any]()
    monkeypatch.setattr(history, "reuse_key", known.update)
    preparing._reuse_key(DataParameters.model_validate({}), {}, Cleaner.create("light", False))
    packages = known["packages"]
    named = {"python", "polars", "polars_hash", "pyarrow", "numpy", "nltk", "charset_normalizer", "sklearn"}
    assert {name for name in named if packages[name]} == named
    assert "mlflow" not in packages


DAMAGES: dict[str, Callable[[Path, Path], object]] = {  # take the files of a run, and those of another run
    "the test set replaced by the training set": lambda kept, _: copy(kept / TRAIN, kept / TEST),
    "a set cut off": lambda kept, _: os.truncate(kept / TRAIN, (kept / TRAIN).stat().st_size // 2),
    "an empty set": lambda kept, _: os.truncate(kept / TRAIN, 0),
    "a missing set": lambda kept, _: (kept / "splits/validation.parquet").unlink(),
    "all sets missing": lambda kept, _: rmtree(kept / "splits"),
    "another table": lambda kept, _: pl.DataFrame({"a": [[1.5]]}).write_parquet(kept / TEST),
    "the report of another run": lambda kept, other: copy(other / "report.json", kept / "report.json"),
    "all files of another run": lambda kept, other: copytree(other, kept, dirs_exist_ok=True),
    "a report cut off": lambda kept, _: os.truncate(kept / "report.json", 20),
    "a report of another form": lambda kept, _: (kept / "report.json").write_text("[1]"),
    "no report": lambda kept, _: (kept / "report.json").unlink(),
    "no files": lambda kept, _: rmtree(kept),
}


def test_a_run_whose_files_are_not_what_it_wrote_is_not_reused_and_named(
    store: mlflow.MlflowClient, reviews_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = prepare(reviews_file, seed=7)
    for name, damage in DAMAGES.items():
        first = prepare(reviews_file)
        damage(kept_by(store, first), kept_by(store, other))
        capsys.readouterr()
        again = prepare(reviews_file)
        line = next(line for line in capsys.readouterr().out.splitlines() if "made anew" in line)
        assert again.run_id != first.run_id, name
        assert first.run_id in line, name
        described = store.get_run(again.run_id).data.tags["mlflow.note.content"]
        assert line.removeprefix("preprocess: ") in described, name
        assert again.report["digests"] == first.report["digests"], name
        assert prepare(reviews_file).run_id == again.run_id, f"{name}: the whole one is reused from now on"


def kept_by(store: mlflow.MlflowClient, prepared: Prepared) -> Path:
    """The folder of a run's files."""
    return Path(urlsplit(str(store.get_run(prepared.run_id).info.artifact_uri)).path)


def test_a_continued_run_makes_lost_splits_again_or_is_refused(
    store: mlflow.MlflowClient, reviews_file: Path
) -> None:
    asked, cut = DataParameters.model_validate({"data": str(reviews_file)}), DAMAGES["a set cut off"]
    with mlflow.start_run() as continued:
        first = prepare_once(asked)
        first.log_inputs(LEARNED_FROM)
        cut(kept_by(store, first), Path())
        again = prepare_once(asked)
        assert again.run_id != first.run_id
        assert store.get_run(continued.info.run_id).data.tags["prepared_run_id"] == again.run_id
        assert prepare_once(asked).run_id == again.run_id
        cut(kept_by(store, again), Path())
        with pytest.raises(UserError, match="this code makes another train split than the run began with"):
            prepare_once(asked.model_copy(update={"seed": 7}))
        reviews_file.unlink()
        with pytest.raises(UserError, match=f"{again.run_id}.*cannot be made again.*start a new run"):
            prepare_once(asked)


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
