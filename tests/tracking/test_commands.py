"""The commands that are printed: for the environment, the folder and the store in use, without a password."""

import shlex
import sys
from pathlib import Path

import mlflow
import pytest

from starcast.tracking import commands
from starcast.tracking.commands import LAUNCHER, command_line, repeat_by_url, where_to_look

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


@pytest.mark.parametrize(
    ("source", "commit", "environment", "begins"),
    [
        (
            "https://ann:abc@git.example/a b.git#sub",
            "12ab",
            "uv",
            "'https://git.example/a b.git#sub' -v 12ab",
        ),
        ("git@git.example:team/starcast.git", "12ab", "local", "git@git.example:team/starcast.git -v 12ab"),
        ("https://files.example/starcast.zip", "", "local", "https://files.example/starcast.zip"),
    ],
)
def test_a_run_by_an_address_is_repeated_by_it_and_its_commit(
    uri: pytest.MonkeyPatch, source: str, commit: str, environment: str, begins: str
) -> None:
    uri.setenv(LAUNCHER, "")  # restored after the test
    tags = {"mlflow.source.name": source, "mlflow.source.type": "PROJECT", "mlflow.source.git.commit": commit}
    repeat_by_url(tags if environment == "local" else {**tags, "mlflow.project.env": environment})
    assert command_line("train", data="a b") == (
        f"mlflow run {begins} --env-manager {environment} -e train -P data='a b'"
    )


@pytest.mark.parametrize("source", ["file:///home/ann/starcast#sub", "/home/ann/starcast", ""])
@pytest.mark.parametrize("kind", ["PROJECT", "LOCAL"])
def test_a_run_of_a_folder_is_repeated_from_it(uri: pytest.MonkeyPatch, source: str, kind: str) -> None:
    repeat_by_url({"mlflow.source.name": source, "mlflow.source.type": kind})
    assert command_line("train") == f"cd {PROJECT} && {PYTHON} -m steps.train"


def test_how_to_open_the_pages(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LAUNCHER, raising=False)
    with mlflow.start_run() as run:
        assert where_to_look(run.info.run_id) == [], "the step around it says so"
    command, page = where_to_look(run.info.run_id)
    assert command.endswith(f"ui --workers 1 --backend-store-uri {mlflow.get_tracking_uri()}")
    assert page.endswith(f"{run.info.run_id}?workflowType=machine_learning")
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "postgresql+psycopg://ann:abc@db/mlflow")
    assert where_to_look(run.info.run_id)[0].endswith('--backend-store-uri "$MLFLOW_TRACKING_URI"')
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: f"sqlite:///{PROJECT}/mlflow.db")
    monkeypatch.setenv(LAUNCHER, "mlflow run https://git.example/a -v 12ab -e")
    assert " -m mlflow ui --workers 1 " in where_to_look(run.info.run_id)[0]
    monkeypatch.setenv(LAUNCHER, "python3 run.py")
    assert where_to_look(run.info.run_id)[0] == "open the UI: python3 run.py ui"
    monkeypatch.setattr(mlflow, "get_tracking_uri", lambda: "https://ann:abc@example.org/mlflow/")
    assert len(where_to_look(run.info.run_id)) == 1
    assert where_to_look(run.info.run_id)[0].startswith("look at the run: https://example.org/mlflow/#/")
