"""The commands that are printed: for the environment, the folder and the store in use, without a password."""

import shlex
import sys
from pathlib import Path

import mlflow
import pytest

from starcast.tracking import commands
from starcast.tracking.commands import LAUNCHER, command_line, where_to_look

PROJECT = Path(commands.__file__).parents[2]
PYTHON = shlex.quote(sys.executable)


@pytest.fixture
def uri(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No launcher, no user, and the project's own store; returns what sets another one."""
    monkeypatch.delenv(LAUNCHER, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: f"sqlite:///{PROJECT}/mlflow.db")
    return monkeypatch


def test_without_a_launcher_it_names_the_folder_and_this_python(uri: pytest.MonkeyPatch) -> None:
    found = command_line("study-a", reason="it's worse", workers=2)
    given = """--reason='it'"'"'s worse' --workers=2"""
    assert found == f"cd {PROJECT} && {PYTHON} -m steps.study_a {given}"


def test_with_a_launcher_it_begins_as_that_says(uri: pytest.MonkeyPatch) -> None:
    uri.setenv(LAUNCHER, "python3 run.py")
    assert command_line("promote", model="a b") == "python3 run.py promote -P model='a b'"


@pytest.mark.parametrize(
    ("store", "user", "setting"),
    [
        ("sqlite:////elsewhere/a b.db", "", "MLFLOW_TRACKING_URI='sqlite:////elsewhere/a b.db' "),
        ("http://example.org", "", "MLFLOW_TRACKING_URI=http://example.org "),
        ("http://example.org", "ann", ""),
        ("postgresql+psycopg://ann:abc@db/mlflow", "", ""),
    ],
)
def test_another_store_is_named_but_no_password(
    uri: pytest.MonkeyPatch, store: str, user: str, setting: str
) -> None:
    uri.setattr(mlflow, "get_tracking_uri", lambda: store)
    if user:
        uri.setenv("MLFLOW_TRACKING_USERNAME", user)
    assert command_line("promote") == f"cd {PROJECT} && {setting}{PYTHON} -m steps.promote"
    uri.setenv(LAUNCHER, "python3 run.py")
    assert command_line("promote") == f"{setting}python3 run.py promote"


def test_a_relative_store_is_that_of_the_current_folder(uri: pytest.MonkeyPatch, tmp_path: Path) -> None:
    uri.chdir(tmp_path)
    uri.setattr(mlflow, "get_tracking_uri", lambda: "sqlite:///mlflow.db")
    assert f"MLFLOW_TRACKING_URI=sqlite:///{tmp_path}/mlflow.db" in command_line("promote")
    uri.chdir(PROJECT)
    assert "MLFLOW_TRACKING_URI" not in command_line("promote")


def test_how_to_open_the_pages(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LAUNCHER, raising=False)
    with mlflow.start_run() as run:
        command, page, table = where_to_look(run.info.run_id)
        assert command.endswith(f"ui --workers 1 --backend-store-uri {mlflow.get_tracking_uri()}")
        assert page.endswith(f"{run.info.run_id}?workflowType=machine_learning")
        assert table.endswith(f"experiments/{run.info.experiment_id}/runs?workflowType=machine_learning")
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "postgresql+psycopg://ann:abc@db/mlflow")
        assert where_to_look(run.info.run_id)[0].endswith('--backend-store-uri "$MLFLOW_TRACKING_URI"')
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: f"sqlite:///{PROJECT}/mlflow.db")
        monkeypatch.setenv(LAUNCHER, "python3 run.py")
        assert where_to_look(run.info.run_id)[0] == "open the UI: python3 run.py ui"
        monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "https://ann:abc@example.org/mlflow/")
        assert len(where_to_look(run.info.run_id)) == 2
        assert where_to_look(run.info.run_id)[0].startswith("look at the run: https://example.org/mlflow/#/")
