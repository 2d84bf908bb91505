"""Passwords of the store, and whatever else the environment holds: never printed, never stored."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from sqlalchemy import MetaData, create_engine

from starcast.cli.errors import UserError
from starcast.reviews.parameters import DataParameters
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.prepare import preprocess
from starcast.workflow.train import train
from tests.workflow.postgres import postgres
from tests.workflow.processes import TUNE, Server, Watched
from tests.workflow.sign_in import ADMIN, PASSWORD, signing_server

KEPT = {  # what a team's environment holds besides
    "AWS_SECRET_ACCESS_KEY": f"aws-{secrets.token_hex(8)}",
    "MLFLOW_TRACKING_TOKEN": f"token-{secrets.token_hex(8)}",
}


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[str, str]]:
    """The URI of a PostgreSQL, and its password."""
    with postgres() as found:
        yield found


@pytest.fixture(scope="module")
def server(database: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on it that asks for a password."""
    with signing_server(tmp_path_factory.mktemp("server"), MLFLOW_BACKEND_STORE_URI=database[0]) as made:
        yield made


def stored(uri: str) -> str:
    """Every row of every table."""
    engine, tables = create_engine(uri), MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [
            str(tuple(row)) for table in tables.sorted_tables for row in connection.execute(table.select())
        ]
    engine.dispose()
    return "\n".join(rows)


def holding(folder: Path, secret: str) -> list[Path]:
    """The files below a folder in which a text stands."""
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def with_password(address: str, password: str) -> str:
    return address.replace("://", f"://{ADMIN}:{password}@")


def test_no_secret_of_a_search_is_printed_or_stored(
    server: Server, database: tuple[str, str], reviews_file: Path, tmp_path: Path
) -> None:
    command = (*TUNE, f"--data={reviews_file}", "--max_trials=2", "--pruner=none")
    with Watched(command, tmp_path, with_password(server.address, PASSWORD), **KEPT) as search:
        assert search.end() == 0, search.output
    assert f"look at the run: {server.address}/#/experiments" in search.output
    rows = stored(database[0])
    assert "val_auc" in rows  # else nothing was looked at
    for secret in (PASSWORD, database[1], *KEPT.values()):
        assert secret not in search.output
        assert secret not in rows
        assert secret not in server.log
        assert holding(tmp_path, secret) == []
        assert holding(server.folder / "artifacts", secret) == []
    assert holding(server.folder / "artifacts", "logistic_regression")


@pytest.fixture
def using(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Names the store in use; its name and password, if moved out of sight, are forgotten at the end."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    yield mlflow.set_tracking_uri
    mlflow.set_tracking_uri(None)


def test_no_secret_is_in_what_a_store_that_refuses_makes_us_say(
    server: Server, database: tuple[str, str], using: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = f"wrong-{secrets.token_hex(8)}"
    for uri in (with_password(server.address, wrong), database[0].replace(database[1], wrong)):
        using(uri)
        with pytest.raises(UserError, match=r"with that password|password authentication failed") as caught:
            preprocess(DataParameters())
        assert wrong not in "".join([str(caught.value), *capfd.readouterr(), server.log, stored(database[0])])


@pytest.mark.usefixtures("server")  # has made the tables
def test_no_password_of_a_database_used_directly_is_printed_or_stored(
    database: tuple[str, str],
    using: Callable[[str], None],
    reviews_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri, password = database
    using(uri)
    mlflow.create_experiment("direct", artifact_location=(tmp_path / "artifacts").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "direct")
    train(TrainParameters(data=str(reviews_file)))
    said = "".join(capfd.readouterr())
    assert '-m mlflow ui --workers 1 --backend-store-uri "$MLFLOW_TRACKING_URI"' in said
    assert password not in said + stored(uri)
    assert holding(tmp_path, "logistic_regression")
    assert holding(tmp_path, password) == []
