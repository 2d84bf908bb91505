"""The tracking store: is it a server, does it answer, how it may be shown, and the addresses of its pages."""

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from starcast.cli.errors import without_secrets

PATIENCE_SECONDS = 5
TRAINING = "workflowType=machine_learning"  # else the UI frames its pages with those of prompts and traces
LOCAL_PAGES = "http://127.0.0.1:5000"  # where MLflow serves the pages of a local store, unless told otherwise


def is_server(uri: str) -> bool:
    """Return whether a tracking URI names a server rather than a database."""
    return uri.startswith(("http://", "https://"))


def shown_store() -> str:
    """Return the tracking store in use, as it may be shown."""
    return without_secrets(mlflow.get_tracking_uri())


def answers(uri: str) -> bool:
    """Return whether a tracking server answers."""
    try:
        creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        asked = http_request(  # type: ignore[no-untyped-call]
            creds, "/health", "GET", max_retries=0, timeout=PATIENCE_SECONDS, raise_on_status=False
        )
        return bool(asked.ok)
    except MlflowException:
        return False


def page_within(run_id: str, artifact: str = "") -> str:
    """Return the address of a run's or artifact's page, relative to any other page of the UI."""
    shown = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{mlflow.get_run(run_id).info.experiment_id}/runs/{run_id}{shown}?{TRAINING}"


def address(page: str) -> str:
    """Return the full address of a page of the UI; for a local store, as served by the command we print."""
    uri = mlflow.get_tracking_uri()
    return f"{without_secrets(uri).rstrip('/') if is_server(uri) else LOCAL_PAGES}/{page}"
