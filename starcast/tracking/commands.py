"""The commands that we print or write on a run: they work as printed, in the environment that printed them.

`run.py` says how to start it again in STARCAST_COMMAND, and works from any folder. Without it, the text names
this environment's Python and the project's folder: neither `mlflow` nor `python` need be on the PATH.
"""

import os
import re
import sys
from pathlib import Path
from shlex import quote

import mlflow

from starcast.cli.errors import without_secrets
from starcast.reviews.sources import PROJECT
from starcast.tracking import server

LAUNCHER = "STARCAST_COMMAND"


def command_line(entry_point: str, /, **parameters: object) -> str:
    """Return the text of the shell command that starts an entry point with these parameters."""
    given = [(name, quote(str(value))) for name, value in parameters.items()]
    launcher = os.environ.get(LAUNCHER)
    if launcher:
        parts = [*_store(), launcher, entry_point, *(f"-P {name}={value}" for name, value in given)]
        return " ".join(parts)
    module = f"steps.{entry_point.replace('-', '_')}"
    parts = [*_store(), quote(sys.executable), "-m", module, *(f"--{name}={value}" for name, value in given)]
    return f"cd {quote(str(PROJECT))} && {' '.join(parts)}"


def serve_command(model_uri: str) -> str:
    """Return the text of the shell command that answers HTTP requests with a registered model."""
    python = Path(sys.executable)
    path = f'PATH={quote(str(python.parent))}:"$PATH"'  # MLflow looks for uvicorn there
    command = f"-m mlflow models serve -m {quote(model_uri)} --env-manager local --port 5001"
    return " ".join([path, *_store(always=True), quote(str(python)), command])


def where_to_look(run_id: str) -> list[str]:
    """Return lines that say how to see a run and all runs; on a local store, how to open the UI first."""
    experiment = mlflow.get_run(run_id).info.experiment_id
    table = f"#/experiments/{experiment}/runs?{server.TRAINING}"
    lines = [
        f"look at the run: {server.address(server.page_within(run_id))}",
        f"all runs of the experiment: {server.address(table)}",
    ]
    if server.is_server(mlflow.get_tracking_uri()):
        return lines
    launcher = os.environ.get(LAUNCHER)
    if launcher:
        return [f"open the UI: {' '.join([*_store(), launcher, 'ui'])}", *lines]
    # One worker and no job execution: MLflow's own defaults start 15 processes that take 2.4 GB.
    light = f"MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false {quote(sys.executable)} -m mlflow ui --workers 1"
    uri = mlflow.get_tracking_uri()
    store = quote(uri) if without_secrets(uri) == uri else '"$MLFLOW_TRACKING_URI"'
    return [f"open the UI: {light} --backend-store-uri {store}", *lines]


def _store(always: bool = False) -> list[str]:
    """Return the setting of the tracking store; nothing where it is the project's own, or holds secrets."""
    uri = mlflow.get_tracking_uri()
    if relative := re.fullmatch(r"sqlite:///(?!/)(.+)", uri):
        uri = f"sqlite:///{Path(relative[1]).absolute()}"
    own = uri == f"sqlite:///{PROJECT}/mlflow.db" and not always
    signed_in = server.is_server(uri) and "MLFLOW_TRACKING_USERNAME" in os.environ
    secret = signed_in or without_secrets(uri) != uri  # the user's shell has the store, and the password
    return [] if own or secret else [f"MLFLOW_TRACKING_URI={quote(uri)}"]
