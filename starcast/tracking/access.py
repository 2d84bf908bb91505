"""May the tracking store be used: asked before a run begins; a refusal or a failure later on is told in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import mlflow
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.utils.credentials import get_default_host_creds, read_mlflow_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from starcast.cli.errors import UserError
from starcast.tracking.server import is_server, shown_store, without_secrets

PATIENCE_SECONDS = 15.0
SIGN_IN = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to what its administrator gave you"
MEND = "mend MLFLOW_TRACKING_URI"
UNTRUSTED = (
    "its certificate is not trusted: set MLFLOW_TRACKING_SERVER_CERT_PATH to its authority's, or " + MEND
)


def check_store() -> None:
    """See that the tracking store answers and knows the user before anything is begun.

    Raises:
        UserError: it does not; MLflow itself would try for minutes.
    """
    _hide_credentials()
    uri = mlflow.get_tracking_uri()
    if is_server(uri):
        _check_server(uri)
    elif uri.partition(":")[0].partition("+")[0] in set(DATABASE_ENGINES) - {
        "sqlite"
    }:  # SQLite makes its file
        _check_database(uri)


@contextmanager
def told_in_a_line() -> Iterator[None]:
    """What the tracking store refuses or fails at within this context is a line for the user, without secrets.

    Raises:
        UserError: that line.
    """
    try:
        yield
    except (MlflowException, requests.RequestException) as error:
        said = _told(error)
        if said is None:
            raise
        raise UserError(said) from None


def is_of_the_store(error: MlflowException) -> bool:
    """Whether the store refused or failed, so that what was asked for may well be there."""
    return _told(error) is not None


def first_line(error: BaseException, most: int = 200) -> str:
    """What an error says, in one line without secrets."""
    said = without_secrets(" ".join(str(error).split())) or type(error).__name__
    return f"{said[:most]}..." if len(said) > most else said


def _hide_credentials() -> None:
    """Put a name and password that stand in a server's address where MLflow also reads them: an address is shown and stored."""
    uri = mlflow.get_tracking_uri()
    if not is_server(uri) or without_secrets(uri) == uri:
        return
    parts = urlsplit(uri)
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    mlflow.set_tracking_uri(without_secrets(uri))


def _check_server(uri: str) -> None:
    try:
        # With MLflow's own certificates, proxies and credentials.
        answer = http_request(  # type: ignore[no-untyped-call]
            get_default_host_creds(uri),  # type: ignore[no-untyped-call]
            "/api/2.0/mlflow/experiments/search",
            "POST",
            json={"max_results": 1},
            max_retries=0,
            timeout=PATIENCE_SECONDS,
            raise_on_status=False,
        )
    except MlflowException as error:
        cause = error.__context__ or error
        if isinstance(cause, requests.exceptions.SSLError):
            raise UserError(
                f"tracking server {shown_store()}: {UNTRUSTED} ({first_line(cause, 120)})"
            ) from None
        reason = type(cause).__name__
        raise UserError(
            f"tracking server {shown_store()} does not answer ({reason}): start it or {MEND}"
        ) from None
    if answer.status_code in (401, 403) or answer.status_code >= 500:
        raise UserError(_refusal(answer.status_code, answer.text))
    if not answer.ok or not answer.headers.get("Content-Type", "").startswith("application/json"):
        raise UserError(
            f"{shown_store()} is no MLflow server (status {answer.status_code}): {MEND}, whose path is mostly empty"
        )


def _check_database(uri: str) -> None:
    try:
        create_engine(uri, poolclass=NullPool).connect().close()
    except (SQLAlchemyError, ImportError) as error:
        raise UserError(
            f"tracking database {shown_store()}: {first_line(error)}: start it or {MEND}"
        ) from None


def _told(error: MlflowException | requests.RequestException) -> str | None:
    """A line for what the store refused or failed at; None for what it had no part in, as a mistake of ours."""
    if isinstance(error, MlflowException):
        if not isinstance(error, RestException) and not error.message.startswith(
            ("API request", "Invalid url")
        ):
            return None
        return _refusal(error.get_http_status_code(), error.message)  # type: ignore[no-untyped-call]
    status = error.response.status_code if error.response is not None else 503
    return _refusal(status, str(error))


def _refusal(status: int, text: str) -> str | None:
    said = first_line(Exception(text))
    user = read_mlflow_creds().username
    if status == 401:
        whom = (
            f"does not know user {user!r} with that password" if user else "wants a user name and a password"
        )
        return f"tracking server {shown_store()} {whom}: {SIGN_IN}"
    if status == 403:
        return f"tracking server {shown_store()} does not let {user or 'this machine'} do this ({said}): {_ask_for(text)}"
    if status >= 500:
        return f"tracking store {shown_store()} failed ({said}): see its log, and try again"
    return None


def _ask_for(text: str) -> str:
    if "Host header" in text:
        return "start it with --allowed-hosts naming this address"
    if "registered-model" in text or "model-version" in text:
        return "ask its administrator for EDIT permission on the registered model, or name another with model"
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or os.environ.get("MLFLOW_EXPERIMENT_ID") or "Default"
    return f"ask its administrator for EDIT permission on experiment {name}, or name another in MLFLOW_EXPERIMENT_NAME"
