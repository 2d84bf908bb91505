"""The tracking store in use: whether it answers, its address without secrets, its pages, its runs."""

from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import mlflow
import requests
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from mlflow.utils.rest_utils import http_request

from starcast.cli.masking import without_secrets

PATIENCE_SECONDS = 5
TRAINING = "workflowType=machine_learning"  # otherwise the UI also shows its pages for prompts and traces
LOCAL_PAGES = "http://127.0.0.1:5000"  # where MLflow serves the pages of a local store, unless told otherwise
MOST = 100_000  # runs of one search


def is_server(uri: str) -> bool:
    """Return whether a tracking URI names a server rather than a database."""
    return uri.startswith(("http://", "https://"))


def shown_store() -> str:
    """Return the address of the tracking store in use, without secrets."""
    return without_secrets(mlflow.get_tracking_uri())


def place(uri: str) -> str:
    """Return an address of artifacts as people write it: a local folder as a path, none with secrets."""
    parts = urlsplit(uri)
    return url2pathname(parts.path) if parts.scheme == "file" else without_secrets(uri)


def ask_server(uri: str, path: str, method: str, seconds: float, **more: Any) -> requests.Response:
    """Send a server one request, with MLflow's own certificates, proxies and credentials, and no retries."""
    creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
    more |= {"max_retries": 0, "timeout": seconds, "raise_on_status": False}
    return http_request(creds, path, method, **more)  # type: ignore[no-untyped-call]


def answers(uri: str) -> bool:
    """Return whether a tracking server and its database answer; `/health` knows nothing of the latter."""
    path = "/api/2.0/mlflow/experiments/search"
    try:
        status = ask_server(uri, path, "POST", PATIENCE_SECONDS, json={"max_results": 1}).status_code
    except MlflowException:
        return False
    return status < 500 and status != requests.codes.too_many_requests


def page_within(run_id: str, artifact: str = "") -> str:
    """Return the address of a run's or artifact's page, relative to any other page of the UI."""
    return page_of(mlflow.get_run(run_id), artifact)


def page_of(run: Run, artifact: str = "") -> str:
    """Return what `page_within` does for a run that has been read."""
    shown = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}{shown}?{TRAINING}"


def link_to(run: Run) -> str:
    """Return a Markdown link to a run's page, with the beginning of its id."""
    return f"[`{run.info.run_id[:8]}`]({page_of(run)})"


def model_page(name: str) -> str:
    """Return the address of a registered model's page, relative to any other page of the UI."""
    return f"#/models/{quote(name, safe='')}"


def version_page(name: str, version: str) -> str:
    """Return the address of a registered version's page, relative to any other page of the UI."""
    return f"{model_page(name)}/versions/{version}"


def ui_address() -> str:
    """Return the address of the UI; for a local store, as served by the command we print."""
    uri = mlflow.get_tracking_uri()
    return without_secrets(uri).rstrip("/") if is_server(uri) else LOCAL_PAGES


def address(page: str) -> str:
    """Return the full address of a page of the UI."""
    return f"{ui_address()}/{page}"


def active_run() -> Run:
    """Return the active run; everything in this subpackage runs within a step's run."""
    run = mlflow.active_run()
    assert run is not None, "a step works within its run"
    return run


def runs_here(wanted: str, most: int = MOST) -> list[Run]:
    """Return the runs of the active run's experiment that match MLflow's filter, the newest first."""
    return search([active_run().info.experiment_id], wanted, most)


def tag_of(run_id: str | None, name: str) -> str | None:
    """Return a tag of a run or, if it has none, of the nearest run above it that has."""
    while run_id:
        tags = mlflow.get_run(run_id).data.tags
        if name in tags:
            return str(tags[name])
        run_id = tags.get(MLFLOW_PARENT_RUN_ID)
    return None


def experiment_of(run: Run) -> str:
    """Return the name of a run's experiment."""
    return str(mlflow.get_experiment(run.info.experiment_id).name)


def children_of(run: Run) -> list[Run]:
    """Return the runs right below a run, in the order in which they began."""
    wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'"
    return search([run.info.experiment_id], wanted, order="attributes.start_time")


def search(
    experiments: list[str], wanted: str, most: int = MOST, order: str = "attributes.start_time DESC"
) -> list[Run]:
    """Return the runs of experiments (their ids) that match MLflow's filter, by default the newest first."""
    return mlflow.search_runs(experiments, wanted, max_results=most, order_by=[order], output_format="list")
