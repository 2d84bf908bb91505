"""Check a store that is no server before MLflow opens it, and say in one line what is wrong with one.

MLflow itself migrates an older database without a word, and tries one that cannot be opened for minutes.
"""

import fcntl
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from sqlalchemy import NullPool, create_engine, inspect, make_url
from sqlalchemy.exc import DatabaseError, DataError, IntegrityError, SQLAlchemyError

from starcast.cli.caller import WITHOUT_PATH
from starcast.cli.errors import UserError, first_line
from starcast.cli.masking import without_secrets

MLFLOW = version("mlflow")
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
MOVED = "sqlite:///$PWD/moved.db"  # where the printed command puts the runs of plain files
OURS = "dc11669786a5"  # the last migration of this MLflow's database
# The last migration of each MLflow's (`alembic heads`), oldest first.
SCHEMAS = {
    "97727af70f4d": "1.29 to 2.2",
    "3500859a5d39": "2.3",
    "7f2a7d5fae7d": "2.4 to 2.7",
    "acf3f17fdcc7": "2.8 to 2.12",
    "867495a8f9d4": "2.13.0",
    "5b0e9adcef9c": "2.13.1 to 2.14",
    "4465047574b1": "2.15 or 2.16",
    "f5a4f2784254": "2.17",
    "0584bdc529eb": "2.18 to 2.22",
    "6953534de441": "3.0.0 or 3.1.0",
    "bda7b8c39065": "3.0.1 to 3.1.4",
    "770bee3ae1dd": "3.2",
    "1a0cddfcaa16": "3.3",
    "71994744cf8e": "3.4",
    "bf29a5ff90ea": "3.5 to 3.7",
    "1bd49d398cd23": "3.8",
    "d3e4f5a6b7c8": "3.9",
    "1b5f0d9ad7c1": "3.10",
    "c3d6457b6d8a": "3.11",
    "7d34483879f0": "3.12",
    "da6fb0208061": "3.13",
    "b7e4c1a90f23": "3.14",
    "6f8d9c3b2a1e": "3.15",
    "b7e2c1a4d9f3": "3.16",
    OURS: "3.17",
    "f4a9b2c7d1e6": "3.18",
}
ENGINES = ("sqlite", "postgresql", "mysql", "mssql")
DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}  # packages of other names
# What a database says, and what to do then.
ADVICE = {
    "database is locked": "end the other process that writes to it, and repeat the command",
    "readonly database": "let this user write {file} and its folder, or {fix}",
    "unable to open": "let this user write {file} and its folder, or {fix}",
    "not a database": "it is damaged, or no file of MLflow's: put back a copy of it, or {fix}",
    "malformed": "it is damaged: put back a copy, or save what can be read: "
    "sqlite3 {file} .recover | sqlite3 saved.db",
    "is full": "make room on its disk, and repeat the command",
    "disk I/O error": "its disk is full or fails: see to it, and repeat the command",
    "no such table": "its tables are incomplete: put back a copy of it, or {fix}",
    "No space left": "make room on its disk, and repeat the command",
    "authentication failed": "its user name or password is wrong: {fix}",
    "permission denied": "ask its administrator to let this user write MLflow's tables, or {fix}",
    "read-only transaction": "name the server that takes writes: {fix}",
    "No module named": "install its driver into this environment, or {fix}",
}
LOCK_SECONDS, SIGN_SECONDS = 20, 5  # how long a lock is waited for, with a line each
MAKING_SECONDS = 120.0  # more than MLflow takes to make a database, on a busy machine too


@dataclass(frozen=True)
class Store:
    """A store on this machine or in a database: its address, and the variable that holds that."""

    uri: str
    variable: str = "MLFLOW_TRACKING_URI"

    @property
    def shown(self) -> str:
        """Name it in a message, without secrets."""
        kind = "registry" if "REGISTRY" in self.variable else "tracking"
        where = "database" if self.engine in ENGINES else "store"
        return f"{kind} {where} {without_secrets(self.uri)}"

    @property
    def engine(self) -> str:
        """Return e.g. `postgresql`; `file` for plain files, also for a path without a scheme."""
        scheme = re.match(r"(\w+)[\w+.-]*:", self.uri)
        return scheme[1] if scheme else self.uri if self.uri in WITHOUT_PATH else "file"

    @property
    def file(self) -> str:
        """Return the path of SQLite's file; empty for a server's database or one in memory."""
        path = re.match(r"sqlite[\w+]*:///(?!:memory:)([^?]*)", self.uri)
        return path[1] if path else ""

    @property
    def in_command(self) -> str:
        """Return how a printed command names it: by the user's variable if the address has secrets."""
        return quote(self.uri) if without_secrets(self.uri) == self.uri else f'"${self.variable}"'

    @property
    def fix(self) -> str:
        """Return what to do if it is not the one that was meant."""
        return f"fix {self.variable}"


@contextmanager
def made_by_one(store: Store) -> Iterator[None]:
    """Let one process at a time be in this block with SQLite's file: two that make it at once spoil it.

    Its folder is locked meanwhile. If it cannot be locked in time, the block runs without the lock.
    """
    if not store.file or store.file.startswith("file:"):
        yield
        return
    folder, claim, until = Path(store.file).absolute().parent, None, time.monotonic() + MAKING_SECONDS
    with suppress(OSError):  # what is wrong with the folder is told when the store is checked
        folder.mkdir(parents=True, exist_ok=True)
        claim = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while claim is not None and time.monotonic() < until:
            with suppress(BlockingIOError):
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(0.05)
        yield
    finally:
        if claim is not None:
            os.close(claim)


def check_local(store: Store) -> None:
    """Check that MLflow can use a store that is no server: plain files, or a database.

    Raises:
        UserError: a database cannot be read or written, or is of another MLflow; plain files are not allowed.
    """
    if store.engine == "file" and os.environ.get(ALLOWED, "").lower() not in ("true", "1"):
        raise UserError(_of_files(store))
    if store.engine not in ENGINES:
        _check_kind(store)
        return
    try:
        if store.engine == "sqlite" and not _is_there(store):
            return
        revision = _revision_once_unlocked(store)
    except (SQLAlchemyError, ImportError, ValueError) as error:  # ValueError: a port such as `no`
        raise UserError(error_line(store, error)) from None
    if revision not in (None, OURS):
        raise UserError(_of_another_mlflow(store, revision))


def _check_kind(store: Store) -> None:
    """Raise a UserError if neither MLflow nor a plugin of it knows such a store; `postgres:` is none."""
    if store.engine in ("file", "databricks", *WITHOUT_PATH):  # whose clients ask for access at once
        return
    try:
        MlflowClient(store.uri)
    except UnsupportedModelRegistryStoreURIException:
        kinds = "a database is postgresql://, mysql://, mssql:// or sqlite:///, a server https://"
        raise UserError(f"{store.shown}: MLflow knows no such stores; {kinds}: {store.fix}") from None


def _of_files(store: Store) -> str:
    """Say that MLflow no longer takes runs into plain files unless it is told to, and how to move them."""
    folder = Path(unquote(urlsplit(store.uri).path))
    move = f"{quote(sys.executable)} -m mlflow migrate-filestore --source {quote(str(folder))}"
    moved = f"move them ({move} --target {MOVED}) and " if folder.exists() else ""
    return (
        f"{store.shown}: MLflow {MLFLOW} keeps runs in a database, no longer in plain files: {moved}set "
        f"{store.variable}={MOVED}, or set {ALLOWED}=true to go on with files"
    )


def _is_there(store: Store) -> bool:
    """Return whether SQLite's file is there; if not, MLflow makes it and its folder.

    Raises:
        UserError: the folder cannot be written.
    """
    if not store.file or store.file.startswith("file:"):
        return True
    path = Path(store.file).absolute()
    folder = next(folder for folder in path.parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        said = f"{folder} is no folder that this user may write: allow it, or {store.fix}"
        raise UserError(f"{store.shown}: {said}")
    return path.exists()


def _revision_once_unlocked(store: Store) -> str | None:
    """Return a database's last migration; while another process holds a lock on it, wait and say so."""
    waited = 0
    while True:
        try:
            return _revision(store)
        except DatabaseError as error:
            waited += SIGN_SECONDS
            if "database is locked" not in str(error) or waited >= LOCK_SECONDS:
                raise
        said = f"{store.shown} is locked by another process: waiting for it, {waited} s of {LOCK_SECONDS}"
        print(f"starcast: {said}", file=sys.stderr, flush=True)


def _revision(store: Store) -> str | None:
    """Return a database's last migration; None if it has none of MLflow's tables yet."""
    lite = store.engine == "sqlite"
    settings = {"connect_args": {"timeout": SIGN_SECONDS}} if lite else {}
    with create_engine(store.uri, poolclass=NullPool, **settings).connect() as connection:
        if lite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails if it is locked
            connection.exec_driver_sql("PRAGMA user_version = 0")  # if it is read-only; never committed
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def error_line(store: Store, error: BaseException) -> str:
    """Return one line on an error of a database: what it says and what to do."""
    said = first_line(error.orig if isinstance(error, DatabaseError) and error.orig else error)
    advice = next((advice for words, advice in ADVICE.items() if words in said), "start it or {fix}")
    return f"{store.shown}: {said}: {advice.format(file=quote(store.file), fix=store.fix)}"


def is_failure(error: BaseException | None) -> bool:
    """Return whether an error is the database's, rather than about a value of ours that it does not take."""
    return isinstance(error, SQLAlchemyError) and not isinstance(error, DataError | IntegrityError)


def _of_another_mlflow(store: Store, revision: str) -> str:
    """Say that a database is of an older or a newer MLflow, which one, and how to use it."""
    of, this = SCHEMAS.get(revision), f"and this is MLflow {MLFLOW}"
    if _knows(revision):
        older = f"{store.shown} is of MLflow {of or f'before {MLFLOW}'}, {this}: while nothing uses it"
        upgrade = f"{quote(sys.executable)} -m mlflow db upgrade {store.in_command}"
        if not store.file:
            return f"{older}, back it up and upgrade it: {upgrade}"
        copy = f"cp {quote(store.file)} {quote(f'{store.file}.before-{MLFLOW}')}"
        return f"{older}, copy and upgrade it: {copy} && {upgrade}"
    driver = make_url(store.uri).get_driver_name()
    more = "" if store.file else f"--with {quote(DRIVERS.get(driver, driver))} "
    exactly = f"{of}.*" if of else "<its version>"
    serve = f"MLFLOW_BACKEND_STORE_URI={store.in_command} uvx {more}--from 'mlflow=={exactly}' mlflow server"
    newer = of or f"after {list(SCHEMAS.values())[-1]}"
    return (
        f"{store.shown} is of MLflow {newer}, {this}, which cannot use it, nor take it back: put back a copy "
        f"of before, or serve it with that MLflow ({serve}) and set {store.variable}=http://127.0.0.1:5000"
    )


def _knows(revision: str) -> bool:
    """Return whether this MLflow knows a migration, so that it can go on from there."""
    folder = distribution("mlflow").locate_file("mlflow/store/db_migrations/versions")
    return any(Path(str(folder)).glob(f"{revision}_*.py"))
