"""Read the results of earlier runs, and find finished runs that can be reused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import mlflow
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from starcast.cli.errors import UserError
from starcast.models.family import FitOptions, ModelSpec, Precision, Schedule
from starcast.tracking.access import DAMAGED, explained
from starcast.tracking.artifacts import artifacts_of, fetch
from starcast.tracking.store import runs_here

REUSE_KEY = "reuse_key"  # tag
REPORT, REPORT_DIGEST = "report.json", "report_digest"  # of a preprocessing: its file, and a tag
OPTIONS = "options.json"  # of a candidate: how it was fitted; its step's parameters say what was asked for
FITTED_FROM = "trial_run_id"  # tag of a search's candidate


NOT_FITTED = "from_run={!r}: neither a search, a trial nor a candidate ({{reason}})"


def spec_of(run_id: str, seed: int) -> ModelSpec:
    """Return the specification of a trial, a candidate or the best trial of a search, with `seed`.

    Raises:
        UserError: there is no such run, or it is none of these.
    """
    with explained(NOT_FITTED.format(run_id), UserError, *DAMAGED):
        run = mlflow.get_run(run_id)
        best = run.data.tags.get("best_run_id")
        run = mlflow.get_run(best) if best else run
        settings = json.loads(fetch(run.info.run_id, "settings.json").read_text(encoding="utf-8"))
        given = {**run.data.params, **options_of(run.info.run_id)}
        options = FitOptions(
            sampling=given["sampling"],
            epochs=int(given["epochs"]),
            batch_size=int(given["batch_size"]),
            seed=seed,
            schedule=cast(Schedule, given.get("schedule", "constant")),
            neighbours=int(given.get("neighbours", 5)),
            precision=cast(Precision, given.get("precision", "float32")),
        )
        return ModelSpec(run.data.tags["family"], settings, options)


def options_of(run_id: str) -> dict[str, Any]:
    """Return the options that a candidate was fitted with; none of a trial, whose parameters they are."""
    if OPTIONS not in artifacts_of(run_id):
        return {}
    options: dict[str, Any] = json.loads(fetch(run_id, OPTIONS).read_text(encoding="utf-8"))
    return options


def step_of(run_id: str) -> Run:
    """Return the run of the step to which a run belongs: itself, or the nearest above it.

    Raises:
        UserError: there is no such run, or it belongs to no step.
    """
    with explained(NOT_FITTED.format(run_id), UserError, *DAMAGED):
        run = mlflow.get_run(run_id)
        while "step" not in run.data.tags:
            run = mlflow.get_run(run.data.tags[MLFLOW_PARENT_RUN_ID])
    return run


def is_of_main(run_id: str) -> bool:
    """Return whether a run is a step of the main job."""
    above = str(mlflow.get_run(run_id).data.tags.get(MLFLOW_PARENT_RUN_ID, ""))
    return bool(above) and mlflow.get_run(above).data.tags.get("step") == "main"


def search_of(candidate_id: str) -> Run:
    """Return the run of the search that produced a candidate."""
    return mlflow.get_run(mlflow.get_run(candidate_id).data.tags[MLFLOW_PARENT_RUN_ID])


def candidate_of(trial_id: str) -> Run | None:
    """Return the finished candidate of a search's trial, if there is one."""
    ours = f"tags.{FITTED_FROM} = '{trial_id}' and attributes.status = 'FINISHED'"
    return next(iter(runs_here(f"{ours} and tags.role = 'candidate'", most=1)), None)


def fitted_from(candidate_id: str) -> list[str]:
    """Return the ids of the trials with whose settings a search's candidate was fitted."""
    return str(mlflow.get_run(candidate_id).data.tags[FITTED_FROM]).split(",")


def best_value(run_id: str, metric: str) -> float:
    """Return the highest value of a metric over the epochs of a run."""
    return max(each.value for each in mlflow.MlflowClient().get_metric_history(run_id, metric))


def reuse_key(inputs: Mapping[str, object]) -> str:
    """Return a digest of everything that a step's result depends on, given as JSON values."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


def finished_runs(key: str) -> list[str]:
    """Return the experiment's finished runs with this key, the newest first."""
    found = runs_here(f"tags.{REUSE_KEY} = '{key}' and attributes.status = 'FINISHED'")
    return [str(each.info.run_id) for each in found]


def report_digest(report: Path) -> str:
    """Return the digest of the file of a preprocessing's report, for a tag of its run."""
    return hashlib.sha256(report.read_bytes()).hexdigest()


def report_of(run_id: str) -> dict[str, Any]:
    """Return the report of an earlier preprocessing, whose file is as it was written.

    Raises:
        UserError: the run or the file is gone, or it is another file.
    """
    run, name = mlflow.get_run(run_id), f"{REPORT} of run {run_id}"
    with explained(f"{name} is gone or damaged ({{reason}})", ValueError):
        file = fetch(run_id, REPORT)
        report = json.loads(file.read_text(encoding="utf-8"))
    # Runs of earlier versions have no digest of it.
    same = run.data.tags.get(REPORT_DIGEST, report_digest(file)) == report_digest(file)
    if not same or not isinstance(report, dict) or not {"file", "counts", "digests"} <= report.keys():
        raise UserError(f"{name} is not the file that the run wrote")
    return report
