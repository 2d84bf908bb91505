"""Find a finished run that is to be repeated, and its lineage."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import mlflow
from mlflow.entities import LifecycleStage, Run
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT, MLFLOW_PARENT_RUN_ID

from starcast.cli.errors import UserError
from starcast.reports.table import one_line
from starcast.reviews.split import SPLITS
from starcast.tracking import code_record, lineage, registry
from starcast.tracking.access import DAMAGED, explained, missing_allowed
from starcast.tracking.artifacts import fetch
from starcast.tracking.code_record import Code
from starcast.tracking.commands import command_line
from starcast.tracking.history import REPORT
from starcast.tracking.runs import parameters_of
from starcast.tracking.store import children_of, runs_here, search, shown_store

STEPS = ("preprocess", "tune", "train", "sampling", "learning-curve", "study-a", "main")
REPRODUCES = "reproduces_run_id"  # tag of a run that a reproduction made
ORIGINAL = "reproduced_run_id"  # tag of the reproduction's own run
RESUMED = "resumed_run_id"  # tag of a run that continued a search or a fit: the run that did the work
POINTERS = (RESUMED, "reused_run")  # tags of a run that only points to the run that did the work
LOOKED_AT = 50  # newest candidates
RAW = "raw"
OFFER = f"what can be reproduced: a run of {', '.join(STEPS)}, and a search's candidate or trial"


@dataclass(frozen=True)
class Origin:
    """The run to repeat; versions and digests as far as they are still known."""

    run_id: str
    name: str
    kind: str  # one of `STEPS`, or `candidate` or `trial` of a search
    parameters: Mapping[str, str]  # of the step; for a candidate or trial, of the search above it
    tags: Mapping[str, str]  # the run's own
    epochs_run: float  # of a trial
    code: Code
    versions: Mapping[str, str]  # Python, platform, packages
    prepared_run_id: str  # the run whose splits it learned from
    digests: Mapping[str, str]  # of the splits and (`raw`) of the file
    resumed: bool  # whether the search was interrupted and resumed


def find(asked: str) -> Origin:
    """Return the run of an id or a registered model, or (empty) the experiment's newest finished candidate.

    If the run resumed or reused another one, return that one.

    Raises:
        UserError: there is no such run, it did not finish, or its kind cannot be run again.
    """
    if asked:
        run = _get(registry.find(asked).run_id if asked.startswith("models:/") else asked)
    else:
        ours = f"attributes.status = 'FINISHED' and tags.{REPRODUCES} IS NULL"
        return _newest(runs_here(f"tags.role = 'candidate' and {ours}", most=LOOKED_AT))
    return _origin(run)


def _newest(candidates: list[Run]) -> Origin:
    """Return the first of some candidates that can be repeated; say why those before it cannot."""
    for run in candidates:
        try:
            return _origin(run)
        except UserError as why:
            print(f"reproduce: left out: {why}", flush=True)
    advice = f"make one ({command_line('train')}), or give run=<run id>"
    raise UserError(f"this experiment has no finished candidate: {advice}")


def _origin(run: Run) -> Origin:
    """Return what is known of a run, or of the one that it only points to."""
    pointed = next((run.data.tags[name] for name in POINTERS if name in run.data.tags), None)
    run = _get(pointed) if pointed else run
    kind, run_id, status = _kind(run), run.info.run_id, run.info.status
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(f"parameter run: {run_id} was deleted; restore it first")
    pruned = kind == "trial" and run.data.tags.get("outcome") == "pruned"
    if status != "FINISHED" and not pruned:
        raise UserError(f"parameter run: {run_id} is {status}; only a run that finished can be reproduced")
    for below in _all_below(run) if kind == "main" else ():
        if search := below.data.tags.get(RESUMED):
            advice = command_line("reproduce", run=search)
            raise UserError(f"parameter run: {run_id} continued a search, reproduce that: {advice}")
    with explained(
        f"parameter run: what {run_id} keeps is damaged or not of starcast ({{reason}})", *DAMAGED
    ):
        origin = _read(run, kind)
    return origin


def _get(run_id: str) -> Run:
    advice = "copy the id from its page, or leave it empty for the newest candidate"
    with explained(f"parameter run: there is no run {run_id!r} in {shown_store()}; {advice}"):
        run = mlflow.get_run(run_id)
    return run


def _kind(run: Run) -> str:
    """Return the kind of a run, or raise a UserError if it cannot be run again."""
    tags, asked = run.data.tags, f"parameter run: {run.info.run_id}"
    step, above = tags.get("step"), tags.get(MLFLOW_PARENT_RUN_ID)
    if step in STEPS:
        return str(step)
    if step == "reproduce" and ORIGINAL in tags:
        advice = f"to repeat it, give the run that it reproduced: run={tags[ORIGINAL]}"
        raise UserError(f"{asked} is a reproduction; {advice}")
    if step:
        raise UserError(f"{asked} is a run of {step}; {OFFER}")
    if above and tags.get("role") == "fit":
        raise UserError(f"{asked} is one fit of an experiment; reproduce that as a whole: run={above}")
    if not above or _get(above).data.tags.get("step") != "tune":
        raise UserError(f"{asked} was not begun by a step of starcast; {OFFER}")
    if "trial_number" not in tags:
        return "candidate"
    outcome = tags.get("outcome", "not at its end")
    if outcome not in ("complete", "pruned"):
        raise UserError(f"{asked} is a trial that is {outcome}: there is nothing to compare with")
    return "trial"


def _read(run: Run, kind: str) -> Origin:
    step = _get(run.data.tags[MLFLOW_PARENT_RUN_ID]) if kind in ("candidate", "trial") else run
    if kind == "preprocess":
        prepared, digests = run.info.run_id, {**_files(run), **digests_of(run)}
    else:
        inputs = [each for source in (run, step, *_all_below(step)) for each in lineage.inputs_of(source)]
        named = [each for each in inputs if each.context in SPLITS]
        prepared = next((each.source.split("/")[1] for each in named if each.source.startswith("runs:/")), "")
        digests = {each.context: each.digest for each in reversed(named)}
        digests |= _files(_get(prepared)) if prepared else {}
    again = f"tags.resumed_run_id = '{step.info.run_id}'"
    return Origin(
        run.info.run_id,
        one_line(run.info.run_name or "") or run.info.run_id,
        kind,
        parameters_of(step),
        run.data.tags,
        run.data.metrics.get("epochs_run", 0.0),
        _code(step),
        {name: str(version) for name, version in _object(step, lineage.VERSIONS).items()},
        prepared,
        digests,
        resumed=bool(search([step.info.experiment_id], again, most=1)),
    )


def _code(step: Run) -> Code:
    tags = step.data.tags
    changes = _text(step, code_record.CHANGES) if tags.get(code_record.DIRTY) == "true" else ""
    files = code_record.files_of(_text(step, code_record.FILES))
    return Code(tags.get(MLFLOW_GIT_COMMIT, ""), changes, files, tags.get(code_record.STATE, ""))


def digests_of(prepared: Run) -> dict[str, str]:
    """Return the digests of the file (`raw`) and the splits that a preprocessing run reported."""
    digests = _object(prepared, REPORT).get("digests", {})
    return {RAW if name == "file" else name: digest for name, digest in dict(digests).items()}


def _files(prepared: Run) -> dict[str, str]:
    """Return the digests of the files that a preprocessing run read, by parameter; of `data`, as `raw`."""
    return {each.context: each.digest for each in lineage.inputs_of(prepared) if each.context not in SPLITS}


def _all_below(run: Run) -> list[Run]:
    found = list[Run]()
    for child in children_of(run):
        found += [child, *(_all_below(child) if "step" in child.data.tags else ())]
    return found


def _text(run: Run, artifact: str) -> str:
    """Return a text artifact of a run; empty if the run has none, or it is gone."""
    with missing_allowed():
        return fetch(run.info.run_id, artifact).read_text(encoding="utf-8", errors="backslashreplace")
    return ""


def _object(run: Run, artifact: str) -> dict[str, Any]:
    """Return the JSON object in an artifact of a run; empty if it is gone, damaged or of another program."""
    with suppress(ValueError):
        kept = json.loads(_text(run, artifact))
        return kept if isinstance(kept, dict) else {}
    return {}
