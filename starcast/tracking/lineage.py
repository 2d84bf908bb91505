"""The lineage of a run: its code, versions and data."""

import json
import os
import platform
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata

import mlflow
import polars as pl
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from starcast.reviews.sources import PROJECT
from starcast.reviews.split import SPLITS
from starcast.search.workers import gpus
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import active_run, tag_of

OF_RUN = "runs:/"  # begins the address of what a run keeps
VERSIONS, CHANGES = "versions.json", "uncommitted.diff"
PREPARED = "prepared_run_id"  # tag of a run that learns from the splits of another
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
    """Log a data set as an input of the active run: its columns and rows, its digest, where it is stored.

    MLflow stores a data set once per experiment, name and digest, with the source that it had first: the name
    of one that a run keeps says which run.
    """
    of_run = f" of run {source.split('/')[1][:8]}" if source.startswith(OF_RUN) else ""
    columns = [{"name": column, "type": str(kind), "required": False} for column, kind in schema.items()]
    dataset = Dataset(
        name=f"{name}{of_run}",
        digest=digest,
        source_type="run" if of_run else "local",
        source=json.dumps({"uri": source}),
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": rows}),
    )
    given = [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])]
    client, run_id = mlflow.MlflowClient(), active_run().info.run_id
    again_if_overtaken(lambda: client.log_inputs(run_id, given))


def split_address(run_id: str, name: str) -> str:
    """Return where a preprocessing run keeps a split."""
    return f"{OF_RUN}{run_id}/splits/{name}.parquet"


def inputs_of(run: Run) -> list[Input]:
    """Return the data sets that were logged as a run's inputs.

    Where its splits are is said by a tag: the stored source may be that of an earlier run, which is gone.
    """
    found, prepared = [], None
    for each in run.inputs.dataset_inputs if run.inputs else ():
        context = next((tag.value for tag in each.tags if tag.key == MLFLOW_DATASET_CONTEXT), "")
        source = _address_in(each.dataset.source)
        if source.startswith(OF_RUN) and context in SPLITS:
            prepared = prepared or tag_of(run.info.run_id, PREPARED)
            source = split_address(prepared, context) if prepared else source
        found.append(Input(context, each.dataset.digest, source))
    return found


def inputs_of_active() -> list[Input]:
    """Return the data sets that were logged as inputs of the active run so far."""
    return inputs_of(mlflow.get_run(active_run().info.run_id))


def _address_in(source: str) -> str:
    """Return the address in a data set's source, which is JSON; empty if it has another form."""
    with suppress(ValueError):
        described = json.loads(source)
        return str(described.get("uri", "")) if isinstance(described, dict) else ""
    return ""
