"""Steps whose result is on the server already are not run again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import mlflow

KEY = "reuse_key"


def reuse_key(inputs: Mapping[str, object], code: Iterable[Path]) -> str:
    """A digest of everything a step's result depends on: its inputs as JSON and its source files."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for path in sorted(code):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def finished_run(key: str, artifact: str) -> str | None:
    """The newest finished run of the current experiment with this key whose artifact is still there."""
    active = mlflow.active_run()
    assert active is not None, "reuse is looked up from within a step"
    client = mlflow.MlflowClient()
    wanted = f"tags.{KEY} = '{key}' and attributes.status = 'FINISHED'"
    for run in client.search_runs(
        [active.info.experiment_id], wanted, order_by=["attributes.start_time DESC"]
    ):
        if client.list_artifacts(run.info.run_id, artifact):
            return str(run.info.run_id)
    return None
