"""The tracking server: does it answer, how it may be shown, and how to open its pages."""

import re
import sys
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

PATIENCE_SECONDS = 5
TRAINING = "workflowType=machine_learning"  # else the UI frames its pages with those of prompts and traces
SECRETS = (
    (re.compile(r"(https?://)[^/\s]*@"), r"\1"),
    (
        re.compile(r"((?<!http)(?<!https)://)[^/\s:@]*(?::\S*)?@"),
        r"\1",
    ),  # a database's password may hold a slash
    (re.compile(r"([?&]\w*(?:password|token|secret)\w*=)[^&\s'\"]*", re.IGNORECASE), r"\1..."),
)


def is_server(uri: str) -> bool:
    """Whether a tracking URI names a server, and not a database."""
    return uri.startswith(("http://", "https://"))


def without_secrets(text: str) -> str:
    """A URI, or a text with URIs, as it may be shown: no password, and no name that goes with one."""
    for pattern, instead in SECRETS:
        text = pattern.sub(instead, text)
    return text


def shown_store() -> str:
    """The tracking store in use, as it may be shown."""
    return without_secrets(mlflow.get_tracking_uri())


def answers(uri: str) -> bool:
    """Whether a tracking server answers."""
    try:
        creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        asked = http_request(
            creds, "/health", "GET", max_retries=0, timeout=PATIENCE_SECONDS, raise_on_status=False
        )  # type: ignore[no-untyped-call]
        return bool(asked.ok)
    except MlflowException:
        return False


def where_to_look(run_id: str) -> list[str]:
    """How to see a run: its page and, on a local store, the command that opens the UI first."""
    uri = mlflow.get_tracking_uri()
    look = f"look at the run: {address(page_within(run_id))}"
    if is_server(uri):
        return [look]
    program = Path(sys.executable).with_name("mlflow")
    store = uri if without_secrets(uri) == uri else '"$MLFLOW_TRACKING_URI"'
    return [f"open the UI: {program} ui --backend-store-uri {store}", look]


def page_within(run_id: str, artifact: str = "") -> str:
    """The address of a run's page, or an artifact's, for a link from another page of the UI, wherever that is served."""
    shown = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{_experiment(run_id)}/runs/{run_id}{shown}?{TRAINING}"


def _experiment(run_id: str) -> str:
    return str(mlflow.get_run(run_id).info.experiment_id)


def address(path: str) -> str:
    """The address of a page of the UI; without a server, as if one was opened here in the usual way."""
    uri = mlflow.get_tracking_uri()
    return f"{without_secrets(uri).rstrip('/') if is_server(uri) else 'http://127.0.0.1:5000'}/{path}"
