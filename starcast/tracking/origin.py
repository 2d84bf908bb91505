"""A finished run that is to be run again: found, and what it came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from starcast.cli.errors import UserError
from starcast.tracking import access, history, lineage, registry
from starcast.tracking.artifacts import fetch
from starcast.tracking.server import shown_store

STEPS = ("preprocess", "tune", "train", "sampling", "learning-curve", "study-a", "main")
REPRODUCES = "reproduces_run_id"  # tag of a run that a reproduction made
ORIGINAL = "reproduced_run_id"  # tag of the step's own run
POINTERS = ("resumed_run_id", "reused_run")  # tags of a run that only says which other one did the work
SPLITS, RAW = ("train", "validation", "test"), "raw"
PAGE = 100
OFFER = f"what can be reproduced: a run of {', '.join(STEPS)}, and a search's candidate or trial"


@dataclass(frozen=True)
class Origin:
    """What is to be run again.

    Args:
        kind: one of `STEPS`, or `candidate` or `trial` of a search.
        parameters: of the step: a candidate's or trial's is the search above it.
        tags: the run's own.
        epochs_run: of a trial.
        versions: Python, platform, packages; empty where they are gone.
        prepared_run_id: the run whose splits it learned from.
        digests: of the splits and (`raw`) of the file, as far as they are known.
        resumed: whether the search was interrupted and gone on with.
    """

    run_id: str
    name: str
    kind: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    epochs_run: int
    code: lineage.Code
    versions: Mapping[str, str]
    prepared_run_id: str
    digests: Mapping[str, str]
    resumed: bool


def find(asked: str) -> Origin:
    """The run of an id, of a registered model's name, or (empty) the newest finished candidate of the experiment.

    A run that went on with another, or reused it, stands for that other one.

    Raises:
        UserError: there is no such run, it did not finish, or its kind cannot be run again.
    """
    run = _get(registry.find(asked).run_id if asked.startswith("models:/") else asked) if asked else _newest()
    pointed = next((run.data.tags[name] for name in POINTERS if name in run.data.tags), None)
    run = _get(pointed) if pointed else run
    kind = _kind(run)
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(f"parameter run: {run.info.run_id} was deleted; restore it first")
    pruned = kind == "trial" and run.data.tags.get("outcome") == "pruned"
    if run.info.status != "FINISHED" and not pruned:
        raise UserError(
            f"parameter run: {run.info.run_id} is {run.info.status}; only what came to its end can be reproduced"
        )
    return _read(run, kind)


def _get(run_id: str) -> Run:
    try:
        return mlflow.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        raise UserError(
            f"parameter run: there is no run {run_id!r} in {shown_store()}; copy the id from its page, or leave it empty for the "
            "newest candidate"
        ) from None


def _newest() -> Run:
    active = mlflow.active_run()
    assert active is not None, "a step looks for runs from within its own"
    client, token = mlflow.MlflowClient(), None
    wanted, newest_first = (
        "tags.role = 'candidate' and attributes.status = 'FINISHED'",
        ["attributes.start_time DESC"],
    )
    while True:
        page = client.search_runs(
            [active.info.experiment_id], wanted, order_by=newest_first, max_results=PAGE, page_token=token
        )
        found = next((run for run in page if REPRODUCES not in run.data.tags), None)
        if found:
            return found
        token = page.token
        if not token:
            raise UserError(
                "this experiment has no finished candidate: make one (mlflow run . -e train), or give run=<run id>"
            )


def _kind(run: Run) -> str:
    """What a run is.

    Raises:
        UserError: it is nothing that can be run again.
    """
    tags, asked = run.data.tags, f"parameter run: {run.info.run_id}"
    step = tags.get("step")
    if step in STEPS:
        return str(step)
    if step == "reproduce" and ORIGINAL in tags:
        raise UserError(
            f"{asked} is a reproduction; to repeat it, give the run that it reproduced: run={tags[ORIGINAL]}"
        )
    if step:
        raise UserError(f"{asked} is a run of {step}; {OFFER}")
    above = tags.get(MLFLOW_PARENT_RUN_ID)
    above_step = _get(above).data.tags.get("step") if above else None
    if above and tags.get("role") == "fit":
        raise UserError(f"{asked} is one fit of an experiment; reproduce that as a whole: run={above}")
    if above_step != "tune":
        raise UserError(f"{asked} is none that a step of starcast began; {OFFER}")
    if "trial_number" not in tags:
        return "candidate"
    if tags.get("outcome") not in ("complete", "pruned"):
        raise UserError(
            f"{asked} is a trial that is {tags.get('outcome', 'not at its end')}: there is nothing to compare with"
        )
    return "trial"


def _read(run: Run, kind: str) -> Origin:
    step = _get(run.data.tags[MLFLOW_PARENT_RUN_ID]) if kind in ("candidate", "trial") else run
    prepared, digests = _data(run, step, kind)
    dirty = step.data.tags.get("git_dirty") == "true"
    changes = _text(step, lineage.CHANGES) if dirty else ""
    wanted = f"tags.resumed_run_id = '{step.info.run_id}'"
    again = mlflow.MlflowClient().search_runs([step.info.experiment_id], wanted, max_results=1)
    return Origin(
        run.info.run_id,
        run.info.run_name,
        kind,
        step.data.params,
        run.data.tags,
        int(run.data.metrics.get("epochs_run", 0)),
        lineage.Code(step.data.tags.get(lineage.COMMIT, ""), changes),
        json.loads(_text(step, lineage.VERSIONS) or "{}"),
        prepared,
        digests,
        bool(again),
    )


def _data(run: Run, step: Run, kind: str) -> tuple[str, dict[str, str]]:
    """The run whose splits were used, and the digests of file and splits."""
    if kind == "preprocess":
        return run.info.run_id, digests_of(run)
    named = [
        each
        for source in (run, step, *_all_below(step))
        for each in lineage.inputs_of(source)
        if each.context in SPLITS
    ]
    digests = {each.context: each.digest for each in reversed(named)}
    prepared = next((each.source.split("/")[1] for each in named if each.source.startswith("runs:/")), "")
    if prepared:
        digests |= {
            each.context: each.digest for each in lineage.inputs_of(_get(prepared)) if each.context == RAW
        }
    return prepared, digests


def digests_of(prepared: Run) -> dict[str, str]:
    """The digests that a preprocessing reported, of the file (`raw`) and the splits."""
    digests = json.loads(_text(prepared, "report.json") or "{}").get("digests", {})
    return {RAW if name == "file" else name: digest for name, digest in digests.items()}


def _all_below(run: Run) -> Sequence[Run]:
    children = history.children_of(run)
    return [
        each
        for child in children
        for each in (child, *(_all_below(child) if "step" in child.data.tags else ()))
    ]


def _text(run: Run, artifact: str) -> str:
    """A text of a run; empty where the run has none, or it is gone."""
    try:
        return Path(fetch(run.info.run_id, artifact)).read_text(encoding="utf-8")
    except (MlflowException, OSError) as error:
        if isinstance(error, MlflowException) and access.is_of_the_store(error):
            raise
        return ""
