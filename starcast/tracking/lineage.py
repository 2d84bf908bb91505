"""The lineage of a run: its code, versions and data."""

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata

import mlflow
import polars as pl
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from starcast.reviews.sources import PROJECT
from starcast.search.workers import gpus
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import active_run

VERSIONS, CHANGES = "versions.json", "uncommitted.diff"
COMMIT = "mlflow.source.git.commit"
# Files that conventionally hold secrets are not shown on a run.
SECRET_FILES = (
    *(".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*"),
    *(".netrc", ".pypirc", ".npmrc"),
)
PACKAGES = (
    *("mlflow", "tensorflow", "keras", "hyperopt", "keras-tuner", "scikit-learn", "imbalanced-learn"),
    *("skops", "polars", "pandas", "numpy", "scipy", "nltk"),
)


@dataclass(frozen=True)
class Code:
    """The code of the project: the git commit (empty without git) and the changes made since."""

    commit: str
    changes: str


@dataclass(frozen=True)
class Input:
    """A data set as logged on a run: what it was used for, its digest, where it is stored (`runs:/...`)."""

    context: str
    digest: str
    source: str


def log_code_and_versions() -> None:
    """Log the git commit, uncommitted changes and versions on the active run."""
    mlflow.log_dict(versions(), VERSIONS)
    code = code_now()
    if not code.commit:
        return  # a downloaded archive has no history
    mlflow.set_tags({COMMIT: code.commit, "git_dirty": str(bool(code.changes)).lower()})
    if code.changes:
        mlflow.log_text(code.changes, CHANGES)


def versions() -> dict[str, str]:
    """Return the versions of Python and packages, the platform, the numbers of cores and GPUs, by name."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(len(os.sched_getaffinity(0))),
        "gpus": str(len(gpus())),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def code_now() -> Code:
    """Return the current code, without files that git does not track or that hold secrets."""
    commit = _git("rev-parse", "HEAD").strip()
    return Code(commit, _diff("HEAD") if commit else "")


def changed_files(then: Code) -> list[str] | None:
    """Return the files in which the code here differs from a run's; None if its commit is not known here."""
    if not then.commit or not _git("cat-file", "-t", then.commit):
        return None
    before, now = _by_file(then.changes), _by_file(_diff(then.commit))
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def _by_file(diff: str) -> dict[str, str]:
    """Split a diff by file, without the lines of hashes, whose length git chooses."""
    parts = re.split(r"^diff --git a/.+ b/(.+)\n", diff, flags=re.MULTILINE)[1:]
    return {
        name: re.sub(r"^index .+\n", "", part, flags=re.MULTILINE).strip()
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


def _diff(commit: str) -> str:
    return _git("diff", commit, "--", ".", *(f":(exclude,icase,glob)**/{name}" for name in SECRET_FILES))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout


def log_dataset(schema: pl.Schema, rows: int, name: str, digest: str, source: str, context: str) -> None:
    """Log a data set as an input of the active run: its columns and rows, its digest, where it is stored."""
    columns = [{"name": column, "type": str(kind), "required": False} for column, kind in schema.items()]
    dataset = Dataset(
        name=name,
        digest=digest,
        source_type="run" if source.startswith("runs:/") else "local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": rows}),
    )
    given = [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])]
    client, run_id = mlflow.MlflowClient(), active_run().info.run_id
    again_if_overtaken(lambda: client.log_inputs(run_id, given))


def inputs_of(run: Run) -> list[Input]:
    """Return the data sets that were logged as a run's inputs."""
    found = []
    for each in run.inputs.dataset_inputs if run.inputs else ():
        context = next((tag.value for tag in each.tags if tag.key == MLFLOW_DATASET_CONTEXT), "")
        found.append(Input(context, each.dataset.digest, str(json.loads(each.dataset.source).get("uri", ""))))
    return found
