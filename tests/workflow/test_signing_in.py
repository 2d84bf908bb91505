"""Basic auth on: who is not let in, or may not write, reads one line; nothing is half done."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import mlflow
import polars as pl
import pytest
from mlflow.server.auth.client import AuthServiceClient

from starcast.cli.errors import UserError
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.train import train
from tests.conftest import make_reviews
from tests.workflow.processes import Server, Watched
from tests.workflow.sign_in import ADMIN, PASSWORD, sign_in, signing_server
from tests.workflow.test_project import MODELS

USERS = {"reader": "readers-own-Password", "writer": "writers-own-Password"}
CLOSED = "closed"  # an experiment that neither of them may see
SIGN_IN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Server]:
    """A server that knows an admin, a reader, and a writer of the experiment Default."""
    with (
        signing_server(tmp_path_factory.mktemp("server"), empty_database) as made,
        pytest.MonkeyPatch.context() as patch,
    ):
        sign_in(patch, ADMIN, PASSWORD)
        users, closed = (
            AuthServiceClient(made.address),
            mlflow.MlflowClient(made.address).create_experiment(CLOSED),
        )
        for name, password in USERS.items():
            users.create_user(name, password)
            users.grant_user_permission(name, "experiment", closed, "DENY")
        users.grant_user_permission("writer", "experiment", "0", "EDIT")
        yield made


@pytest.fixture
def used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server is the store in use, from an empty folder."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(server.address)
    yield server
    mlflow.set_tracking_uri(None)


def mistake(entry_point: str) -> str:
    """What an entry point says with its default parameters."""
    step = import_module(f"steps.{entry_point.replace('-', '_')}")
    with pytest.raises(UserError) as caught:
        step.run(MODELS[entry_point]())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def runs(server: Server) -> list[mlflow.entities.Run]:
    client = server.client()
    return client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])


@pytest.mark.parametrize("entry_point", MODELS)
def test_who_is_not_known_or_may_only_read_begins_no_run(
    used: Server, monkeypatch: pytest.MonkeyPatch, entry_point: str
) -> None:
    before = len(runs(used))
    sign_in(monkeypatch, "reader", "wrong")
    said = f"tracking server {used.address} does not know user 'reader' with that password: {SIGN_IN}"
    assert mistake(entry_point).startswith(said)
    sign_in(monkeypatch, "", "")
    assert mistake(entry_point).startswith(
        f"tracking server {used.address} wants a user name and a password: {SIGN_IN}"
    )
    sign_in(monkeypatch, "reader", USERS["reader"])
    refused = mistake(entry_point)
    assert "does not let reader do this" in refused
    assert "ask its administrator for EDIT permission on experiment Default" in refused
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", CLOSED)
    assert f"EDIT permission on experiment {CLOSED}, or name another in MLFLOW_EXPERIMENT_NAME" in mistake(
        entry_point
    )
    assert len(runs(used)) == before


def test_a_command_says_it_in_one_line(server: Server, tmp_path: Path) -> None:
    given = {"MLFLOW_TRACKING_USERNAME": "reader", "MLFLOW_TRACKING_PASSWORD": "wrong-Password"}
    with Watched((sys.executable, "-m", "steps.predict"), tmp_path, server.address, **given) as command:
        assert command.end() == 2
    [line] = command.output.splitlines()
    assert line.startswith(f"starcast predict: tracking server {server.address} does not know user 'reader'")


def test_a_model_of_somebody_else_is_not_changed_and_ones_own_serves(
    used: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(300).write_csv(file)
    sign_in(monkeypatch, ADMIN, PASSWORD)
    mlflow.MlflowClient().create_registered_model("theirs")
    sign_in(monkeypatch, "writer", USERS["writer"])
    with pytest.raises(
        UserError, match="ask its administrator for EDIT permission on the registered model"
    ) as caught:
        train(TrainParameters(data=str(file), model="theirs"))
    assert "\n" not in str(caught.value)
    assert used.client().search_model_versions("name = 'theirs'") == []
    assert {run.data.tags["step"]: run.info.status for run in runs(used)} == {
        "train": "FAILED",
        "preprocess": "FINISHED",
    }
    train(TrainParameters(data=str(file), model="own"))
    assert len(used.client().search_model_versions("name = 'own'")) == 1
    again, first = [run for run in runs(used) if run.data.tags["step"] == "preprocess"]
    assert again.data.tags["reused_run"] == first.info.run_id
    scored = tmp_path / "scored.csv"
    predict(PredictParameters(input=str(file), output=str(scored), model="models:/own/1"))
    assert pl.read_csv(scored)["model_version"].to_list() == [1] * 300
