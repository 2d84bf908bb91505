"""The tracking server: is it there, and how to open its pages."""

import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import mlflow
import requests

from steps.errors import UserError

PATIENCE_SECONDS = 5


def is_server(uri: str) -> bool:
    """Whether a tracking URI names a server, and not a database."""
    return uri.startswith(("http://", "https://"))


def without_secrets(uri: str) -> str:
    """A URI as it may be shown: no password, and no name that goes with one."""
    scheme, separator, rest = uri.partition("://")
    before = rest.partition("/")[0]
    return f"{scheme}{separator}{before.rpartition('@')[2]}{rest[len(before) :]}" if separator else uri


def shown_store() -> str:
    """The tracking store in use, as it may be shown."""
    return without_secrets(mlflow.get_tracking_uri())


def answers(uri: str) -> bool:
    """Whether a tracking server answers."""
    try:
        return requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE_SECONDS).ok
    except requests.RequestException:
        return False


def check_server() -> None:
    """See that the tracking store answers before anything is begun.

    Raises:
        UserError: it does not; MLflow itself would try for minutes.
    """
    uri = mlflow.get_tracking_uri()
    if not is_server(uri):
        return
    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=PATIENCE_SECONDS)
    except requests.RequestException as error:
        reason = type(error).__name__
        raise UserError(f"tracking server {uri} does not answer ({reason}): start it or mend MLFLOW_TRACKING_URI") from None


def where_to_look(run_id: str) -> list[str]:
    """How to see a run: its page and, on a local store, the command that opens the UI first."""
    uri = mlflow.get_tracking_uri()
    look = f"look at the run: {_address(page_within(run_id))}"
    if is_server(uri):
        return [look]
    program = Path(sys.executable).with_name("mlflow")
    return [f"open the UI: {program} ui --backend-store-uri {uri}", look]


def page_within(run_id: str) -> str:
    """The address of a run's page for a link from another page of the UI, wherever that is served."""
    return f"#/experiments/{_experiment(run_id)}/runs/{run_id}"


def trials_page(run_id: str, objective: str, lower_is_better: bool) -> str:
    """The address of the table of a search's children, best objective first."""
    query = {
        "searchFilter": f"tags.mlflow.parentRunId = '{run_id}' and tags.family != ''",
        "orderByKey": f"metrics.`{objective}`",
        "orderByAsc": str(lower_is_better).lower(),
    }
    return _address(f"#/experiments/{_experiment(run_id)}/runs?{urlencode(query, quote_via=quote)}")


def _experiment(run_id: str) -> str:
    return str(mlflow.get_run(run_id).info.experiment_id)


def _address(path: str) -> str:
    uri = mlflow.get_tracking_uri()
    return f"{uri.rstrip('/') if is_server(uri) else 'http://127.0.0.1:5000'}/{path}"
