"""A store that is moved or copied with its project finds its files; old places are left alone."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

from starcast.cli.errors import UserError
from starcast.tracking import moved, runs
from starcast.tracking.artifacts import fetch


@pytest.fixture
def project(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder `a` with a store in it, which a step has used, with a registered model."""
    folder = tmp_path / "a"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    use(folder, monkeypatch)
    mlflow.create_experiment("moving", artifact_location=str(folder / "mlruns" / "1"))
    mlflow.create_experiment("by address", artifact_location=(folder / "mlruns" / "with space").as_uri())
    for name in ("moving", "by address"):
        mlflow.set_experiment(name)
        step(name)
    client = mlflow.MlflowClient()
    client.create_registered_model("model")
    client.create_model_version("model", str(folder / "mlruns" / "1" / "models" / "m-1"), kept("moving"))
    yield folder
    mlflow.set_tracking_uri(None)
    mlflow.tracking.fluent._active_experiment_id = None


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")


def step(experiment: str) -> str:
    mlflow.set_experiment(experiment)
    with runs.step_run("made up", {}, "made up") as run_id:
        mlflow.log_text("kept", "kept.txt")
    return run_id


def kept(experiment: str) -> str:
    """The first run of an experiment."""
    number = mlflow.get_experiment_by_name(experiment).experiment_id
    found = mlflow.MlflowClient().search_runs([number], order_by=["attributes.start_time"])
    return str(found[0].info.run_id)


@pytest.mark.parametrize("way", [shutil.move, shutil.copytree])
def test_a_project_that_is_moved_or_copied_goes_on_where_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: object
) -> None:
    there = project.with_name("b")
    way(project, there)  # type: ignore[operator]
    use(there, monkeypatch)
    before = sorted(project.rglob("*"))
    for experiment in ("moving", "by address"):
        first, second = kept(experiment), step(experiment)
        for run_id in (first, second):
            assert fetch(run_id, "kept.txt").is_relative_to(there)
    assert sorted(project.rglob("*")) == before, "nothing is written to the old place"
    assert (
        mlflow.MlflowClient().get_model_version("model", "1").source.startswith(f"{there}/mlruns/1/models/")
    )
    said = capsys.readouterr().err
    assert said.count("was moved or copied: its files, named in") == 1
    assert f"named in {project}, are those in {there}" in said


@pytest.mark.parametrize("way", [shutil.move, shutil.copytree])
def test_a_store_without_runs_begins_where_it_is(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch, way: object
) -> None:
    before, there = tmp_path / "a", tmp_path / "b"
    before.mkdir()
    shutil.copy(empty_database, before / "mlflow.db")
    use(before, monkeypatch)
    mlflow.create_experiment("empty", artifact_location=str(before / "mlruns" / "1"))
    way(before, there)  # type: ignore[operator]
    use(there, monkeypatch)
    assert fetch(step("empty"), "kept.txt").is_relative_to(there / "mlruns" / "1")
    assert not (before / "mlruns").exists()
    mlflow.set_tracking_uri(None)
    mlflow.tracking.fluent._active_experiment_id = None


def test_a_place_that_was_chosen_is_left_alone(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "disk" / "artifacts"
    mlflow.create_experiment("elsewhere", artifact_location=str(chosen))
    first, second = step("elsewhere"), step("elsewhere")
    assert all(fetch(run_id, "kept.txt").is_relative_to(chosen) for run_id in (first, second))
    assert "was moved" not in capsys.readouterr().err


def test_files_that_were_taken_away_are_said_and_not_begun_anew(project: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "disk" / "artifacts"
    mlflow.create_experiment("elsewhere", artifact_location=str(chosen))
    first = step("elsewhere")
    chosen.rename(tmp_path / "away")
    with pytest.raises(UserError, match=f"the files of experiment 'elsewhere' are not at {chosen}, where"):
        step("elsewhere")
    with pytest.raises(UserError, match=f"kept.txt of run {first} is gone: it is not at {chosen}/{first}/"):
        fetch(first, "kept.txt")
    assert not chosen.exists()
    (tmp_path / "away").rename(chosen)
    assert fetch(step("elsewhere"), "kept.txt").read_text() == "kept"


def test_a_relative_place_of_an_old_store_is_left_alone(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("UPDATE experiments SET artifact_location = './mlruns/0'")
    use(tmp_path, monkeypatch)
    moved.follow(str(tmp_path / "mlflow.db"))
    assert mlflow.get_experiment("0").artifact_location == "./mlruns/0"
