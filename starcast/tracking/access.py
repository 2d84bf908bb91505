"""Check access to the tracking store before a run begins, and report its later errors in one line."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mlflow
import requests
from mlflow.exceptions import MlflowException, RestException
from mlflow.utils.credentials import read_mlflow_creds
from sqlalchemy.exc import SQLAlchemyError

from starcast.cli.errors import UserError, first_line
from starcast.cli.refusals import RefusedError, refusal, refusals_told
from starcast.tracking import moved
from starcast.tracking.database import Store, check_local, error_line, is_failure, made_by_one
from starcast.tracking.store import ask_server, is_server, shown_store

PATIENCE_SECONDS = 15.0
# Errors raised while using the content of a file or run that is damaged or from another program.
DAMAGED = (ValueError, TypeError, LookupError, AttributeError)
FIX = "fix MLFLOW_TRACKING_URI"
STORE_ERRORS = (MlflowException, requests.RequestException, SQLAlchemyError)


def check_store() -> None:
    """Check that the tracking store answers and accepts the user before anything begins.

    Raises:
        UserError: it does not; MLflow itself would retry for minutes.
    """
    # MLflow logs that it makes a store, which we print below, and failed requests with their traceback.
    logger = logging.getLogger("mlflow.store.db.utils")
    logger.setLevel(logging.WARNING)
    logger.addFilter(_without_traceback)
    uri, shown = mlflow.get_tracking_uri(), shown_store()
    if is_server(uri):
        if shown != uri:  # the address is shown and stored; MLflow also reads these from the environment
            parts = urlsplit(uri)
            os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username or "")
            os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
            mlflow.set_tracking_uri(shown)
        _check_server(shown)
    with made_by_one(Store(uri)):
        check_local(Store(uri))
        if file := Store(uri).file:
            if Path(file).exists():
                moved.follow(file)
            else:  # seconds
                print(f"starcast: making the store {file}", file=sys.stderr, flush=True)
            mlflow.MlflowClient()  # makes it, if it is new
    if (registry := mlflow.get_registry_uri()) != uri and is_server(registry):
        _check_server(registry)
    elif registry != uri:
        check_local(Store(registry, "MLFLOW_REGISTRY_URI"))


def _without_traceback(record: logging.LogRecord) -> bool:
    return record.exc_info is None


def _check_server(uri: str) -> None:
    try:
        path, asked = "/api/2.0/mlflow/experiments/search", {"max_results": 1}
        answer = ask_server(uri, path, "POST", PATIENCE_SECONDS, json=asked)
    except MlflowException as error:
        cause = error.__context__ or error
        said = f"does not answer ({type(cause).__name__}): start it or {FIX}"
        if isinstance(cause, requests.exceptions.SSLError):
            known = f"set MLFLOW_TRACKING_SERVER_CERT_PATH to its authority's, or {FIX}"
            said = f"cannot be used: its certificate is not trusted: {known} ({first_line(cause, 120)})"
        raise UserError(f"tracking server {uri} {said}") from None
    status = answer.status_code
    if status in (401, 403) or status >= 500:
        raise UserError(_refusal(status, answer.text))
    if not answer.ok or not answer.headers.get("Content-Type", "").startswith("application/json"):
        said = f"is not an MLflow server (status {status}): {FIX}; its address usually has no path"
        raise UserError(f"{uri} {said}")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn refusals and failures of the store, and of the machine, into one line without secrets.

    Raises:
        RefusedError: in place of such an error in this context.
    """
    with refusals_told():
        try:
            yield
        except STORE_ERRORS as error:
            if said := _error_line(error):
                raise RefusedError(said) from None
            raise


@contextmanager
def explained(message: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise a UserError if something is missing or unreadable, or on further `errors`.

    The UserError says `message`, with the first line of the error in place of `{reason}`. Errors of the store
    itself pass through, because what was asked for may well exist.
    """
    caught: tuple[type[Exception], ...] = (MlflowException, OSError, SQLAlchemyError, *errors)
    try:
        yield
    except caught as error:
        if (isinstance(error, STORE_ERRORS) and _error_line(error)) or refusal(error):
            raise
        raise UserError(message.replace("{reason}", first_line(error))) from None


@contextmanager
def missing_allowed() -> Iterator[None]:
    """Leave this context if something is missing; raise only refusals and failures of the store."""
    with suppress(UserError), explained(""):
        yield


def _error_line(error: Exception) -> str | None:
    """Return a one-line message for an error of the store; None for other errors, such as ours."""
    for cause in (error, error.__cause__):  # MLflow wraps most errors of a database
        if cause and is_failure(cause):
            return error_line(Store(mlflow.get_tracking_uri()), cause)
    if isinstance(error, requests.RequestException):
        return _refusal(error.response.status_code if error.response is not None else 503, str(error))
    if isinstance(error, MlflowException) and (
        isinstance(error, RestException) or error.message.startswith(("API request", "Invalid url"))
    ):
        return _refusal(error.get_http_status_code(), error.message)  # type: ignore[no-untyped-call]
    return None


def _refusal(status: int, text: str) -> str | None:
    said, user, store = first_line(text), read_mlflow_creds().username, shown_store()
    if status == 401:
        known = f"does not know user {user!r} with that password"
        hint = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to what its administrator gave you"
        return f"tracking server {store} {known if user else 'wants a user name and a password'}: {hint}"
    if status == 403:
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or os.environ.get("MLFLOW_EXPERIMENT_ID")
        what, instead = f"experiment {experiment or 'Default'}", "in MLFLOW_EXPERIMENT_NAME"
        if "registered-model" in text or "model-version" in text:
            what, instead = "the registered model", "with model"
        advice = f"ask its administrator for EDIT permission on {what}, or name another {instead}"
        if "Host header" in text:
            advice = "start it with --allowed-hosts naming this address"
        return f"tracking server {store} does not let {user or 'this machine'} do this ({said}): {advice}"
    if status >= 500:
        return f"tracking store {store} failed ({said}): see its log, and try again"
    return None
