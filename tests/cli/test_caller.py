"""Relative paths and stores: the caller's, whoever began the process and wherever that stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from starcast.cli import caller
from starcast.cli.caller import FOLDER, RUN, absolute_store, make_stores_absolute, with_absolute_paths
from starcast.cli.errors import UserError
from starcast.cli.parameters import Parameters

PACKAGE = Path(caller.__file__).parents[2]


class Files(Parameters):
    """A made-up step's files."""

    data: str = "sample"
    output: str = "out.csv"
    test_data: str | None = None


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The caller's folder and the project's, which is the current one."""
    (mine := tmp_path / "my own").mkdir()
    (project := tmp_path / "project").mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setattr(caller, "caller_folder", lambda: mine)
    return mine, project


@pytest.fixture
def direct(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which a step is called directly."""
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.delenv(RUN, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(command: list[str], folder: Path, **more: str) -> str:
    """What a process prints that stands in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), **more}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize("more", ["", "; exit"], ids=["bash is replaced", "bash waits"])
def test_the_caller_stands_where_the_run_was_begun(tmp_path: Path, more: str) -> None:
    """As MLflow does it: bash in the project's folder, with the run's id in its environment."""
    (elsewhere := tmp_path / "else where").mkdir()
    asked = "from starcast.cli.caller import caller_folder; print(caller_folder())"
    begin = f"""
import os, subprocess
command = '"$PYTHON" -c "$ASKED"{more}'
subprocess.run(["bash", "-c", command], cwd={str(tmp_path)!r}, env=dict(os.environ, {RUN}="abc"))
"""
    found = told([sys.executable, "-c", begin], elsewhere, PYTHON=sys.executable, ASKED=asked)
    assert found == str(elsewhere)


def test_a_run_id_that_the_caller_s_own_shell_has_set_changes_nothing(tmp_path: Path) -> None:
    asked = "from starcast.cli.caller import caller_folder; print(caller_folder())"
    line = f'export {RUN}=abc; "$PYTHON" -c "$ASKED"; true'
    assert told(["bash", "-c", line], tmp_path, PYTHON=sys.executable, ASKED=asked) == str(tmp_path)


def test_run_py_says_where_the_caller_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setenv(RUN, "abc")
    assert caller.caller_folder() == tmp_path


def test_relative_paths_become_absolute(direct: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = with_absolute_paths(Files(data="../mine.csv"), "made")
    assert found == Files(data=f"{direct}/../mine.csv", output=f"{direct}/out.csv")
    assert capsys.readouterr().out == "", "in the current folder there is nothing to tell"


@pytest.mark.parametrize("same", ["sample", "clothing", "/a.csv", "~/a.csv", "s3://b/k.csv", ""])
def test_names_addresses_and_absolute_paths_stay(direct: Path, same: str) -> None:
    assert with_absolute_paths(Files(data=same), "made").data == same


def test_the_caller_s_file_is_meant_and_told(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    mine, project = folders
    (mine / "a.zip").touch()
    found = with_absolute_paths(Files(data="a.zip::b.csv", test_data="absent.csv"), "made")
    assert found == Files(
        data=f"{mine}/a.zip::b.csv", output=f"{mine}/out.csv", test_data=f"{mine}/absent.csv"
    )
    said = f"made: data is {mine}/a.zip::b.csv"
    assert capsys.readouterr().out.splitlines()[0] == said
    (project / "a.zip").touch()
    (project / "out.csv").touch()
    with_absolute_paths(Files(data="a.zip::b.csv"), "made")
    told = capsys.readouterr().out.splitlines()
    assert told == [f"{said}, not {project}/a.zip::b.csv", f"made: output is {mine}/out.csv"]


def test_a_file_of_the_project_s_folder_alone_is_refused_with_its_path(folders: tuple[Path, Path]) -> None:
    mine, project = folders
    (project / "a.csv").touch()
    with pytest.raises(UserError) as refused:
        with_absolute_paths(Files(data="a.csv"), "made")
    advice = (
        f"relative paths count from the folder of the command; for the project's own give {project}/a.csv"
    )
    assert str(refused.value) == f"parameter data: no {mine}/a.csv, and {advice}"


STORES = [
    ("sqlite:///rel.db", "sqlite:///{}/rel.db"),
    ("sqlite:///./a b.db?timeout=9", "sqlite:///{}/a b.db?timeout=9"),
    ("mlruns", "{}/mlruns"),
    ("./mlruns", "{}/mlruns"),
    ("file:rel", "file://{}/rel"),
    ("file:./rel", "file://{}/rel"),
    *[
        (same, same)
        for same in (
            *("", "sqlite:////a.db", "sqlite:///:memory:", "/mlruns", "file:/mlruns", "file:///mlruns"),
            *("https://a.example/b", "postgresql+psycopg://a@b/c", "databricks", "databricks://me", "uc"),
        )
    ],
]


@pytest.mark.parametrize(("given", "meant"), STORES)
def test_a_store_s_address_means_one_place(direct: Path, given: str, meant: str) -> None:
    assert absolute_store(given) == meant.format(direct)


def test_every_store_of_the_environment_is_made_absolute(direct: Path) -> None:
    environment = {"MLFLOW_TRACKING_URI": "sqlite:///a.db", "MLFLOW_REGISTRY_URI": "b", "HOME": "c"}
    make_stores_absolute(environment)
    assert environment == {
        "MLFLOW_TRACKING_URI": f"sqlite:///{direct}/a.db",
        "MLFLOW_REGISTRY_URI": f"{direct}/b",
        "HOME": "c",
    }
