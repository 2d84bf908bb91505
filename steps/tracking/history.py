"""Read back what earlier runs found."""

import json

import mlflow
from mlflow.exceptions import MlflowException

from steps.errors import UserError
from steps.models.family import Settings
from steps.tracking.reuse import fetch


def best_settings(run_id: str) -> tuple[str, Settings, str]:
    """Family, settings and sampling of a trial or candidate, or of the best trial of a search.

    Raises:
        UserError: there is no such run, or it is neither.
    """
    try:
        run = mlflow.get_run(run_id)
        best = run.data.tags.get("best_run_id")
        run = mlflow.get_run(best) if best else run
        settings: Settings = json.loads(fetch(run.info.run_id, "settings.json").read_text())
        return run.data.tags["family"], settings, run.data.params["sampling"]
    except (MlflowException, OSError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"from_run={run_id!r}: neither a search, a trial nor a candidate ({reason})") from None
