"""Steps whose result is on the server already are not run again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import mlflow

from starcast.tracking.experiment import runs_here

KEY = "reuse_key"


def reuse_key(inputs: Mapping[str, object], code: Iterable[Path]) -> str:
    """Return a digest of everything a step's result depends on: its inputs as JSON and its source files."""
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode())
    for path in sorted(code):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def finished_run(key: str, artifact: str) -> str | None:
    """Return the newest finished run of the experiment with this key whose artifact is still there."""
    client = mlflow.MlflowClient()
    found = runs_here(f"tags.{KEY} = '{key}' and attributes.status = 'FINISHED'")
    return next((r.info.run_id for r in found if client.list_artifacts(r.info.run_id, artifact)), None)
