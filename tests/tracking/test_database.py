"""A database or plain files that MLflow cannot use: a line says why and what to do, nothing is changed."""

import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import mlflow
import pytest
from mlflow.store.db.utils import _get_latest_schema_revision
from sqlalchemy.exc import OperationalError

from starcast.cli.errors import UserError
from starcast.tracking import database, runs
from starcast.tracking.database import MLFLOW, OURS, SCHEMAS, Store, check_local
from tests.conftest import statuses

OLDER, NEWER = "1b5f0d9ad7c1", "f4a9b2c7d1e6"  # MLflow 3.10 and 3.18


@pytest.fixture
def file(tmp_path: Path, empty_database: Path) -> Path:
    """A store's database, in a folder with a space."""
    (tmp_path / "my stores").mkdir()
    return Path(shutil.copy(empty_database, tmp_path / "my stores" / "mlflow.db"))


def lite(file: Path) -> Store:
    return Store(f"sqlite:///{file}")


def refusal(store: Store) -> str:
    with pytest.raises(UserError) as caught:
        check_local(store)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def set_revision(file: Path, revision: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()


def test_the_table_knows_the_database_of_this_mlflow() -> None:
    assert _get_latest_schema_revision() == OURS
    assert MLFLOW.startswith(f"{SCHEMAS[OURS]}.")


def test_a_database_of_this_mlflow_and_one_that_is_still_empty(file: Path) -> None:
    check_local(lite(file))
    file.write_bytes(b"")
    check_local(lite(file))
    check_local(lite(file.with_name("new") / "mlflow.db"))
    assert [path.name for path in file.parent.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize(
    ("revision", "named"),
    [(OLDER, "3.10"), ("7f2a7d5fae7d", "2.4 to 2.7"), ("75868b020152", f"before {MLFLOW}")],
)
def test_an_older_database_is_not_migrated_unasked(file: Path, revision: str, named: str) -> None:
    set_revision(file, revision)
    before = file.read_bytes()
    said = refusal(lite(file))
    assert f"is of MLflow {named}, and this is MLflow {MLFLOW}: while nothing uses it, copy and upgr" in said
    copied, upgraded = shlex.split(said.split("upgrade it: ")[1].split(" && ")[0]), shlex.split(said)[-6:]
    assert upgraded == [sys.executable, "-m", "mlflow", "db", "upgrade", lite(file).uri]
    assert file.read_bytes() == before
    subprocess.run(copied, check=True)
    assert file.with_name(f"mlflow.db.before-{MLFLOW}").read_bytes() == before


@pytest.mark.parametrize(
    ("revision", "named", "wanted"), [(NEWER, "3.18", "3.18.*"), ("0123456789ab", "after ", "<its version>")]
)
def test_a_newer_database_is_left_to_its_own_mlflow(
    file: Path, revision: str, named: str, wanted: str
) -> None:
    set_revision(file, revision)
    said = refusal(lite(file))
    assert f"is of MLflow {named}" in said
    assert (
        f"this is MLflow {MLFLOW}, which cannot use it, nor take it back: put back a copy of before" in said
    )
    served = f"MLFLOW_BACKEND_STORE_URI='{lite(file).uri}' uvx --from 'mlflow=={wanted}' mlflow server"
    assert f"({served}) and set MLFLOW_TRACKING_URI=http://127.0.0.1:5000" in said
    assert "db upgrade" not in said


@pytest.mark.parametrize("revision", [OLDER, NEWER])
def test_secrets_of_an_address_are_not_printed(revision: str) -> None:
    store = Store("postgresql+psycopg://ann:Secret99@db.example/mlflow", "MLFLOW_REGISTRY_URI")
    said = database._of_another_mlflow(store, revision)
    assert said.startswith("registry database postgresql+psycopg://db.example/mlflow is of MLflow 3.1")
    expected = {
        OLDER: "back it up and upgrade it: {} -m mlflow db upgrade {}",
        NEWER: "MLFLOW_BACKEND_STORE_URI={1} uvx --with 'psycopg[binary]' --from 'mlflow==3.18.*'",
    }
    assert expected[revision].format(shlex.quote(sys.executable), '"$MLFLOW_REGISTRY_URI"') in said
    assert "Secret99" not in said


def test_damaged_files(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 3])
    assert (
        f"malformed: it is damaged: put back a copy, or save what can be read: sqlite3 '{file}'"
        in refusal(lite(file))
    )
    file.write_bytes(b"no database " * 1000)
    assert "file is not a database: it is damaged, or no file of MLflow's: put back" in refusal(lite(file))
    assert f"unable to open database file: let this user write '{file.parent}'" in refusal(lite(file.parent))
    below = refusal(lite(file / "mlflow.db"))
    assert f"{file} is no folder that this user may write: allow it, or fix MLFLOW_TRACKING_URI" in below


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("password authentication failed for user", "its user name or password is wrong: fix MLFLOW_TR"),
        ("permission denied for table runs", "ask its administrator to let this user write MLflow's tables"),
        ("cannot execute INSERT in a read-only transaction", "name the server that takes writes: fix"),
        ("could not extend file: No space left on device", "make room on its disk"),
        ("server closed the connection", "start it or fix MLFLOW_TRACKING_URI"),
    ],
)
def test_what_the_server_of_a_database_says(said: str, advised: str) -> None:
    error = OperationalError("INSERT", {}, Exception(f"{said}\nmore"))
    line = database.error_line(Store("postgresql+psycopg://ann:Secret99@db.example/mlflow"), error)
    assert f"db.example/mlflow: {said}: {advised}" in line
    assert "Secret99" not in line


@pytest.mark.parametrize(
    "uri", ["sqlite:mlflow.db", "sqlite://mlflow.db", "postgresql://ann:Secret99@x:no/y"]
)
def test_an_address_that_nothing_can_read(uri: str) -> None:
    said = refusal(Store(uri))
    assert said.endswith("fix MLFLOW_TRACKING_URI")
    assert "Secret99" not in said


def test_a_file_that_may_only_be_read(file: Path) -> None:
    said = refusal(Store(f"sqlite:///file:{file}?mode=ro&uri=true"))
    assert "attempt to write a readonly database: let this user write" in said


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SIGN_SECONDS", 1)
    monkeypatch.setattr(database, "LOCK_SECONDS", 3)


@pytest.mark.usefixtures("short_patience")
def test_a_lock_is_waited_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    assert "database is locked: end the other process that writes to it" in refusal(lite(file))
    lines = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [f"waiting for it, {n} s of 3" for n in (1, 2)]
    release = threading.Timer(1.5, other.execute, ("ROLLBACK",))
    release.start()
    check_local(lite(file))
    release.join()
    other.close()
    assert len(capsys.readouterr().err.splitlines()) == 1


def overwrite_and_log(file: Path) -> None:
    file.write_bytes(b"no database " * 10_000)
    mlflow.log_metric("one", 1)


def test_a_database_that_breaks_during_a_step(
    store: mlflow.MlflowClient, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = (tmp_path / "mlflow.db").read_bytes()
    with (
        pytest.raises(UserError, match=r"mlflow\.db: .*: it is damaged"),
        runs.step_run("preprocess", {}, "preprocess"),
    ):
        overwrite_and_log(tmp_path / "mlflow.db")
    (tmp_path / "mlflow.db").write_bytes(whole)
    assert statuses(store) == []
    assert "Traceback" not in capfd.readouterr().err


def test_plain_files_are_refused_unless_they_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent, there = tmp_path / "absent", tmp_path / "my runs"
    there.mkdir()
    assert f"set MLFLOW_TRACKING_URI={database.MOVED}, or set MLFLOW_ALLOW_FILE_STORE=true" in refusal(
        Store(absent.as_uri())
    )
    move = (
        f"-m mlflow migrate-filestore --source '{there}' --target {database.MOVED}) and set MLFLOW_TRACKING"
    )
    for address in (there.as_uri(), str(there), f"file:{there}"):
        assert move in refusal(Store(address))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check_local(Store(there.as_uri()))


def test_the_registry_is_checked_too(
    store: mlflow.MlflowClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_revision(file, NEWER)
    monkeypatch.setattr(mlflow, "get_registry_uri", lambda: lite(file).uri)
    with (
        pytest.raises(UserError, match=r"registry database .* is of MLflow 3\.18"),
        runs.step_run("preprocess", {}, "preprocess"),
    ):
        pytest.fail("a run was begun")
    assert statuses(store) == []


def test_a_file_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    store, order = database.Store(f"sqlite:///{tmp_path}/new folder/mlflow.db"), list[str]()

    def make() -> None:
        with database.made_by_one(store):
            order.append("second")

    second = threading.Thread(target=make)
    with database.made_by_one(store):
        second.start()
        second.join(0.3)
        order.append("first")
    second.join()
    assert order == ["first", "second"]


def test_a_folder_that_is_held_for_ever_stops_nobody_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAKING_SECONDS", 0.2)
    store, entered = database.Store(f"sqlite:///{tmp_path}/mlflow.db"), list[int]()
    with database.made_by_one(store), database.made_by_one(store):
        entered.append(1)
    with database.made_by_one(database.Store("sqlite:////proc/no folder/mlflow.db")):
        entered.append(2)
    assert entered == [1, 2]
