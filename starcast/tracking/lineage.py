"""The lineage of a run: the versions that it used, and its data; `code_record` has its code."""

import json
import platform
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata

import mlflow
import polars as pl
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from starcast.models.references import sources
from starcast.reviews.split import SPLITS
from starcast.search.workers import gpus
from starcast.tracking.access import missing_allowed
from starcast.tracking.code_record import log_code
from starcast.tracking.limits import DATASET_NAME, DATASET_SCHEMA, fitting
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import active_run, tag_of

OF_RUN = "runs:/"  # begins the address of what a run keeps
VERSIONS = "versions.json"
PREPARED = "prepared_run_id"  # tag of a run that learns from the splits of another
PACKAGES = (
    *("mlflow", "tensorflow", "keras", "hyperopt", "keras-tuner", "scikit-learn", "imbalanced-learn"),
    *("skops", "polars", "pandas", "numpy", "scipy", "nltk"),
)


@dataclass(frozen=True)
class Input:
    """A data set as logged on a run: what it was used for, digest, where it is stored (`runs:/...`), name."""

    context: str
    digest: str
    source: str
    name: str = ""


def log_code_and_versions() -> None:
    """Log the code and the versions on the active run."""
    mlflow.log_dict(versions(), VERSIONS)
    log_code()


def versions() -> dict[str, str]:
    """Return the versions of Python and packages, the platform, the numbers of cores and GPUs, by name."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(pl.thread_pool_size()),
        "gpus": str(len(gpus())),
        **{name: metadata.version(name) for name in (*PACKAGES, *_of_own_families())},
    }


def _of_own_families() -> list[str]:
    """Return the packages that hold families which this process has looked up."""
    return sorted({source.distribution for source in sources()} - {""})


def log_dataset(schema: pl.Schema, rows: int, name: str, digest: str, source: str, context: str) -> Input:
    """Log a data set as an input of the active run: its columns and rows, its digest, where it is stored.

    MLflow stores a data set once per experiment, name and digest, with the source that it had first: the name
    of one that a run keeps says which run.
    """
    of_run = f" of run {source.split('/')[1][:8]}" if source.startswith(OF_RUN) else ""
    columns = [{"name": column, "type": str(kind), "required": False} for column, kind in schema.items()]
    described = json.dumps({"mlflow_colspec": columns})
    dataset = Dataset(
        name=f"{fitting(name, DATASET_NAME - len(of_run))}{of_run}",
        digest=digest,
        source_type="local",  # MLflow opens it, whatever its address begins with
        source=json.dumps({"uri": source}),
        schema=described if len(described) <= DATASET_SCHEMA else None,  # of some ten thousand columns
        profile=json.dumps({"num_rows": rows}),
    )
    given = [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])]
    client, run_id = mlflow.MlflowClient(), active_run().info.run_id
    again_if_overtaken(lambda: client.log_inputs(run_id, given))
    return Input(context, digest, source, dataset.name)


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
        found.append(Input(context, each.dataset.digest, source, each.dataset.name))
    return found


def inputs_of_active() -> list[Input]:
    """Return the data sets that were logged as inputs of the active run so far."""
    return inputs_of(mlflow.get_run(active_run().info.run_id))


def input_digests(run_id: str) -> dict[str, str]:
    """Return the digests of a run's inputs by what they were used for; none if the run is gone."""
    with missing_allowed():
        return {each.context: each.digest for each in inputs_of(mlflow.get_run(run_id))}
    return {}


def _address_in(source: str) -> str:
    """Return the address in a data set's source, which is JSON; empty if it has another form."""
    with suppress(ValueError):
        described = json.loads(source)
        return str(described.get("uri", "")) if isinstance(described, dict) else ""
    return ""
