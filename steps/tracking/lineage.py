"""What a run came from: code, versions, data, and the command that repeats it."""

import json
import platform
import shlex
import subprocess
from collections.abc import Mapping
from importlib import metadata

import mlflow
import polars as pl
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from steps.reviews.sources import PROJECT

SEARCHES = ("hyperopt", "keras-tuner")
PACKAGES = ("mlflow", "tensorflow", "keras", *SEARCHES, "scikit-learn", "skops", "polars", "pandas", "numpy", "nltk")


def command(step: str, parameters: Mapping[str, str]) -> str:
    """The exact command that repeats a step."""
    given = " ".join(f"-P {name}={shlex.quote(value)}" for name, value in parameters.items())
    return f"mlflow run . -e {step} {given}".rstrip()


def log_code_and_versions() -> None:
    """Put the git commit, uncommitted changes and versions on the active run."""
    versions = {name: metadata.version(name) for name in PACKAGES}
    mlflow.log_dict({"python": platform.python_version(), "platform": platform.platform(), **versions}, "versions.json")
    commit = _git("rev-parse", "HEAD").strip()
    if not commit:
        return  # a downloaded archive has no history
    mlflow.set_tag("mlflow.source.git.commit", commit)
    changes = _git("diff", "HEAD")
    mlflow.set_tag("git_dirty", str(bool(changes)).lower())
    if changes:
        mlflow.log_text(changes, "uncommitted.diff")


def log_table(table: pl.DataFrame, name: str, digest: str, source: str, context: str) -> None:
    """Name a table as input of the active run: its digest, where it is, its columns and rows."""
    run = mlflow.active_run()
    assert run is not None, "an input belongs to a run"
    columns = [{"name": column, "type": str(kind), "required": False} for column, kind in table.schema.items()]
    dataset = Dataset(
        name=name,
        digest=digest,
        source_type="run" if source.startswith("runs:/") else "local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": table.height}),
    )
    tag = InputTag(MLFLOW_DATASET_CONTEXT, context)
    mlflow.MlflowClient().log_inputs(run.info.run_id, [DatasetInput(dataset, [tag])])


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout
