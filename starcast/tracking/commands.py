"""The commands that we print or write on a run: they work as printed, in the environment that printed them.

STARCAST_COMMAND, set by `run.py`, is the command that starts it from any folder. In a run of a repository's
address, it is `mlflow run` with that and the commit. Without it, the text names this environment's Python and
the project's folder, so neither `mlflow` nor `python` needs to be on the PATH.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

import mlflow
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PROJECT_ENV,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
)

from starcast.cli.masking import without_secrets
from starcast.cli.parameters import LAUNCHER
from starcast.models.references import sources
from starcast.reports.origin import ReportOrigin
from starcast.reviews.sources import PROJECT
from starcast.tracking import store
from starcast.tracking.succession import moment, now

FITTING = ("main", "tune", "train", "sampling", "learning-curve", "reproduce")  # entry points
OPEN = "open the UI: "  # before the command that does
BY_URL = "mlflow run "  # how the launcher begins in a run by an address


def command_line(entry_point: str, /, **parameters: object) -> str:
    """Return the text of the shell command that starts an entry point with these parameters."""
    given = [(name, quote(str(value))) for name, value in parameters.items()]
    before, launcher = [*_store(), *(_own_code() if entry_point in FITTING else [])], os.environ.get(LAUNCHER)
    if launcher:
        return " ".join([*before, launcher, entry_point, *(f"-P {name}={value}" for name, value in given)])
    module = f"{quote(sys.executable)} -m steps.{entry_point.replace('-', '_')}"
    started = " ".join([*before, module, *(f"--{name}={value}" for name, value in given)])
    return f"cd {quote(str(PROJECT))} && {started}"


def repeat_by_url(tags: Mapping[str, str]) -> None:
    """Let commands begin with `mlflow run <address> -v <commit>`, if these tags of a run say it was made so.

    Its clone of the project is temporary. MLflow writes a project of this machine as a path or `file://`.
    """
    address, commit = without_secrets(tags.get(MLFLOW_SOURCE_NAME, "")), tags.get(MLFLOW_GIT_COMMIT)
    remote = re.match(r"(?!file:)[\w+.-]+://|[\w.-]+@[\w.-]+:", address)
    if remote and tags.get(MLFLOW_SOURCE_TYPE) == "PROJECT":
        version = f" -v {commit}" if commit else ""
        environment = tags.get(MLFLOW_PROJECT_ENV, "local")
        os.environ[LAUNCHER] = f"{BY_URL}{quote(address)}{version} --env-manager {environment} -e"


def serve_command(model_uri: str) -> str:
    """Return the text of the shell command that serves a registered model over HTTP."""
    python = Path(sys.executable)
    path = f'PATH={quote(str(python.parent))}:"$PATH"'  # MLflow looks for uvicorn there
    command = f"-m mlflow models serve -m {quote(model_uri)} --env-manager local --port 5001"
    return " ".join([path, *_store(always=True), quote(str(python)), command])


def where_to_look(run_id: str) -> list[str]:
    """Return lines on how to see a run and, for a local store, how to open the UI first.

    A step within another returns none: the other one says where to look. Nor is there one if the server went
    away after the run had ended.
    """
    if mlflow.active_run():
        return []
    uri, launcher = mlflow.get_tracking_uri(), os.environ.get(LAUNCHER)
    try:
        run = mlflow.get_run(run_id)
    except MlflowException:
        return []
    lines = [f"look at the run: {store.address(store.page_of(run))}"]
    if store.is_server(uri):
        return lines
    if launcher and not launcher.startswith(BY_URL):
        return [f"{OPEN}{' '.join([*_store(), launcher, 'ui'])}", *lines]
    # One worker and no job execution: MLflow's own defaults start 15 processes that take 2.4 GB.
    light = f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false {quote(sys.executable)} -m mlflow ui --workers 1"
    shown = quote(uri) if without_secrets(uri) == uri else '"$MLFLOW_TRACKING_URI"'
    return [f"{OPEN}{light} --backend-store-uri {shown}", *lines]


def origin_of_report() -> ReportOrigin:
    """Return where a report of the active run comes from."""
    run = mlflow.get_run(store.active_run().info.run_id)
    links = (
        f"[run {run.info.run_name}]({store.page_of(run)})",
        f"[all runs of the experiment]({_table(run)})",
    )
    # Only steps have a command of their own.
    repeat = run.data.tags.get("command") or command_line("reproduce", run=run.info.run_id)
    return ReportOrigin(moment(now()), repeat, links, store.ui_address())


def _table(run: Run) -> str:
    """Return the page of the runs of a run's experiment."""
    return f"#/experiments/{run.info.experiment_id}/runs?{store.TRAINING}"


def _own_code() -> list[str]:
    """Return the setting by which families of the user's own are found from any folder, if there are any."""
    folders = {str(source.folder) for source in sources() if source.folder} - {str(PROJECT)}
    more = [':"$PYTHONPATH"'] if os.environ.get("PYTHONPATH") else []
    return ["".join([f"PYTHONPATH={quote(os.pathsep.join(sorted(folders)))}", *more])] if folders else []


def _store(always: bool = False) -> list[str]:
    """Return the setting of the tracking store; empty if it is the project's own store, or has secrets."""
    uri = mlflow.get_tracking_uri()
    own = uri == f"sqlite:///{PROJECT}/mlflow.db" and not always
    signed_in = store.is_server(uri) and "MLFLOW_TRACKING_USERNAME" in os.environ
    secret = signed_in or without_secrets(uri) != uri  # the user's shell has the store and the password
    return [] if own or secret else [f"MLFLOW_TRACKING_URI={quote(uri)}"]
