"""The tracking server: is it there, and how to open its pages."""

import sys
from pathlib import Path

import mlflow
import requests

from steps.errors import UserError

PATIENCE_SECONDS = 5


def check_server() -> None:
    """See that the tracking store answers before anything is begun.

    Raises:
        UserError: it does not; MLflow itself would try for minutes.
    """
    uri = mlflow.get_tracking_uri()
    if not uri.startswith(("http://", "https://")):
        return
    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE_SECONDS)
    except requests.RequestException as error:
        reason = type(error).__name__
        raise UserError(f"tracking server {uri} does not answer ({reason}): start it or mend MLFLOW_TRACKING_URI") from None


def page(run_id: str) -> str:
    """How to look at a run: the server's address, or the command that opens the UI on a local store."""
    uri = mlflow.get_tracking_uri()
    path = f"#/experiments/{mlflow.get_run(run_id).info.experiment_id}/runs/{run_id}"
    if uri.startswith(("http://", "https://")):
        return f"{uri.rstrip('/')}/{path}"
    program = Path(sys.executable).with_name("mlflow")
    return f"{program} ui --backend-store-uri {uri}   then http://127.0.0.1:5000/{path}"
