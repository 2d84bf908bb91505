"""Read what a run and its repetition kept, to compare them, and tag both with the outcome."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError, first_line
from starcast.evaluation.scale import STARS, Scale
from starcast.evaluation.scores import count_matrix
from starcast.reports.table import one_line
from starcast.reviews.split import SPLITS
from starcast.tracking.access import explained
from starcast.tracking.artifacts import artifacts_of, download
from starcast.tracking.origin import ORIGINAL, REPRODUCES, STEPS, digests_of
from starcast.tracking.scored_runs import EXECUTIONS, Predictions, read_answers, read_matrix
from starcast.tracking.store import children_of, link_to

FACTS = (
    *("outcome", "family", "sampling"),
    *("best_trial", "best_family", "best_settings", "best_sampling", "best_decision"),
)
READ = re.compile(
    r"(predictions_(train|val|test)\.parquet|confusion_matrix_(train|val|test)\.json|decisions\.json)"
)
FITTING = set(STEPS) - {"preprocess"}
OUTCOME, BY = "reproduction", "reproduction_run_id"  # tags


@dataclass(frozen=True)
class RunRecord:
    """What a run kept: numbers, facts as text (digests, the best settings), matrices, predictions."""

    run_id: str
    name: str
    key: tuple[str, ...] = ()  # what distinguishes it from the other runs below the same parent
    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    matrices: Mapping[str, np.ndarray] = field(default_factory=dict)  # `test`, `val_argmax`...
    answers: Mapping[str, Predictions] = field(default_factory=dict)  # by split
    below: Sequence["RunRecord"] = ()  # the runs below it that count
    scale: Scale = STARS  # of its matrices and answers
    link: str = ""  # to its page, as Markdown
    executions: int = 1  # fits in each matrix


def read(run_id: str) -> RunRecord:
    """Return what a run and the runs below it kept."""
    return _read(mlflow.get_run(run_id))


def repetition(run_id: str, kind: str) -> str:
    """Return the id of the run of this kind that a reproduction made below its own run."""
    step = "train" if kind == "candidate" else kind
    made = children_of(mlflow.get_run(run_id))
    return next(str(each.info.run_id) for each in made if each.data.tags.get("step", "trial") == step)


def has_splits(run_id: str) -> bool:
    """Return whether the splits of a preprocessing run are still on the server."""
    return bool(run_id and artifacts_of(run_id, "splits"))


def _read(run: Run) -> RunRecord:
    tags, parameters = run.data.tags, run.data.params
    facts = {name: tags[name] for name in FACTS if name in tags}
    if tags.get("step") == "preprocess":
        digests = digests_of(run)
        facts |= {f"digest of {name}": digests[name] for name in digests if name in SPLITS}
    # What distinguishes it from its siblings: for a trial its settings, because the order may differ.
    key: tuple[str, ...] = tags.get("role", ""), run.info.run_name if tags.get("role") == "fit" else ""
    if "trial_number" in tags:
        key = "trial", *(f"{name}={value}" for name, value in sorted(parameters.items()))
    elif "step" in tags:
        key = "step", tags["step"], parameters.get("families", "")
    matrices, answers, scale = _predictions(run)
    below, children = [], children_of(run)
    # A search that was given more trials may have made another candidate, which counts.
    candidates = [each for each in children if each.data.tags.get("role") == "candidate"]
    earlier = [each for each in candidates if each.info.status == "FINISHED"][:-1]
    for each in children:
        if each in earlier:
            continue
        # Only finished fits count, and runs that have such fits below them.
        ended = each.info.status == "FINISHED" or each.data.tags.get("outcome") in ("pruned", "failed")
        if ended and each.data.tags.get("step", "train") in FITTING:
            below.append(_read(each))
    name, metrics = one_line(run.info.run_name or "") or run.info.run_id, run.data.metrics
    kept = metrics, facts, matrices, answers, tuple(below), scale
    executions = 1 if answers else int(parameters.get(EXECUTIONS, "1"))
    return RunRecord(run.info.run_id, name, key, *kept, link_to(run), executions)


def _predictions(run: Run) -> tuple[dict[str, np.ndarray], dict[str, Predictions], Scale]:
    """Return confusion matrices by metric prefix, answers by split, as far as the run has them; the scale.

    A file that is damaged, or of another program or scale, is left out and named.
    """
    matrices, answers = dict[str, np.ndarray](), dict[str, Predictions]()
    scale: Scale | None = None
    # Reverse order: predictions_*.parquet names the scale, and decisions.json, which does not, comes after.
    wanted = sorted(filter(READ.fullmatch, artifacts_of(run.info.run_id)), reverse=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            try:
                # Any error that such a file causes in its reader.
                with explained(f"{name} of run {run.info.run_id} cannot be read ({{reason}})", Exception):
                    read = _read_file(download(run, [name], folder)[name], scale)
            except UserError as why:
                print(f"reproduce: {why}: it is left out", flush=True)
            else:
                matrices |= read[0]
                answers |= read[1]
                scale = read[2]
    return matrices, answers, scale or STARS


def _read_file(
    path: Path, known: Scale | None
) -> tuple[dict[str, np.ndarray], dict[str, Predictions], Scale | None]:
    """Return the matrices and the answers that one file of a run holds, and their scale.

    Raises:
        ValueError: it is not the one that is known.
    """
    kind, _, split = path.stem.rpartition("_")
    matrices, answers, scale = dict[str, np.ndarray](), dict[str, Predictions](), known
    if kind == "predictions":
        read = answers[split] = read_answers(path)
        scale = read.scale
        most_probable = read.probabilities.argmax(axis=1)
        matrices[f"{split}_argmax"] = count_matrix(read.ratings, most_probable, len(scale))
    elif kind == "confusion_matrix":
        matrices[split], scale = read_matrix(path)
    else:
        for name, each in json.loads(path.read_text(encoding="utf-8")).items():
            matrices[f"test_{name}"] = np.array(each["confusion_matrix_test"], dtype=int)
    shapes = {each.shape for each in matrices.values()}
    if known and (scale != known or shapes - {(len(known), len(known))}):
        raise ValueError(f"its ratings are not {known}")
    return matrices, answers, scale


def mark(repeats: Mapping[str, str], original: str, outcome: str, run_id: str) -> None:
    """Tag the runs that a reproduction made, and the original run.

    Args:
        repeats: run id of each repetition to the id of the run it repeats.
        original: the reproduced run; it is tagged with the outcome and with `run_id`, the reproduction.

    Raises:
        UserError: the original cannot be tagged, for instance because it belongs to another user.
    """
    client = mlflow.MlflowClient()
    for again, before in repeats.items():
        client.set_tag(again, REPRODUCES, before)
    try:
        client.set_tag(original, OUTCOME, outcome)
        client.set_tag(original, BY, run_id)
    except MlflowException as error:
        raise UserError(f"run {original} cannot be tagged with the outcome ({first_line(error)})") from None


def tags(original: str, outcome: str) -> dict[str, str]:
    """Return the tags of the reproduction's own run."""
    return {ORIGINAL: original, OUTCOME: outcome}
