"""What a run and its repetition kept, read to be compared; the outcome marked on both."""

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

from starcast.cli.errors import UserError
from starcast.evaluation.scores import count_matrix
from starcast.tracking import access, history
from starcast.tracking.origin import ORIGINAL, REPRODUCES, SPLITS, STEPS, digests_of
from starcast.tracking.scored_runs import Predictions, read_answers, read_matrix


@dataclass(frozen=True)
class RunRecord:
    """What a run kept: numbers, facts in words (digests, the best settings), matrices, predictions.

    Args:
        key: what tells it from the other runs below the same parent.
        matrices: metric prefix (`test`, `val`, `test_argmax`) to counts, shape (5, 5).
        answers: predictions by split.
        below: the runs below it that count.
    """

    run_id: str
    name: str
    key: tuple[str, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    matrices: Mapping[str, np.ndarray] = field(default_factory=dict)
    answers: Mapping[str, Predictions] = field(default_factory=dict)
    below: Sequence["RunRecord"] = ()


TOLD = (
    "outcome",
    "family",
    "sampling",
    "best_trial",
    "best_family",
    "best_settings",
    "best_sampling",
    "best_decision",
)
READ = re.compile(
    r"(predictions_(train|val|test)\.parquet|confusion_matrix_(train|val|test)\.json|decisions\.json)"
)
FITTING = set(STEPS) - {"preprocess"}
OUTCOME, BY = "reproduction", "reproduction_run_id"  # tags


def read(run_id: str) -> RunRecord:
    """What a run and the runs below it kept."""
    return _read(mlflow.get_run(run_id))


def repetition(run_id: str, kind: str) -> str:
    """The run that a reproduction made below its own, of that kind."""
    step = "train" if kind == "candidate" else kind
    made = history.children_of(mlflow.get_run(run_id))
    return next(str(each.info.run_id) for each in made if each.data.tags.get("step", "trial") == step)


def has_splits(run_id: str) -> bool:
    """Whether the splits of a preprocessing are still on the server."""
    return bool(run_id and _artifacts(run_id, "splits"))


def _read(run: Run) -> RunRecord:
    tags, metrics = run.data.tags, run.data.metrics
    matrices, answers = _predictions(run)
    return RunRecord(
        run.info.run_id,
        run.info.run_name,
        _key(run),
        metrics,
        {**{name: tags[name] for name in TOLD if name in tags}, **_digests(run)},
        matrices,
        answers,
        tuple(_read(each) for each in history.children_of(run) if _counts(each)),
    )


def _digests(run: Run) -> dict[str, str]:
    """Of a preprocessing, what its result is."""
    if run.data.tags.get("step") != "preprocess":
        return {}
    return {f"digest of {name}": digest for name, digest in digests_of(run).items() if name in SPLITS}


def _counts(run: Run) -> bool:
    """Whether a run below another is part of its result: a fit or what holds fits, and not cut off."""
    tags = run.data.tags
    ended = run.info.status == "FINISHED" or tags.get("outcome") in ("pruned", "failed")
    return ended and ("step" not in tags or tags["step"] in FITTING)


def _key(run: Run) -> tuple[str, ...]:
    """What a run is among its siblings: of a trial its settings, as the order of trials may differ."""
    tags, parameters = run.data.tags, run.data.params
    if "trial_number" in tags:
        return "trial", *(f"{name}={value}" for name, value in sorted(parameters.items()))
    if "step" in tags:
        return "step", tags["step"], parameters.get("families", "")
    return tags.get("role", ""), run.info.run_name if tags.get("role") == "fit" else ""


def _predictions(run: Run) -> tuple[dict[str, np.ndarray], dict[str, Predictions]]:
    """Confusion matrices by metric prefix, and answers by split, as far as the run has them."""
    matrices, answers = dict[str, np.ndarray](), dict[str, Predictions]()
    with tempfile.TemporaryDirectory() as temporary:
        for path in _downloaded(run, temporary):
            split = path.stem.rpartition("_")[2]
            if path.stem.startswith("predictions_"):
                answers[split] = read_answers(path)
                argmax = answers[split].probabilities.argmax(axis=1)
                matrices[f"{split}_argmax"] = count_matrix(answers[split].ratings, argmax)
            elif path.stem.startswith("confusion_matrix_"):
                matrices[split] = read_matrix(path)
            else:
                told = json.loads(path.read_text(encoding="utf-8"))
                matrices |= {
                    f"test_{name}": np.array(each["confusion_matrix_test"]) for name, each in told.items()
                }
    return matrices, answers


def _downloaded(run: Run, folder: str) -> list[Path]:
    """The files of a run that hold predictions or confusion matrices."""
    root = str(run.info.artifact_uri).rstrip("/")
    wanted = [name for name in _artifacts(run.info.run_id) if READ.fullmatch(name)]
    return [
        Path(mlflow.artifacts.download_artifacts(artifact_uri=f"{root}/{name}", dst_path=folder))
        for name in wanted
    ]


def _artifacts(run_id: str, folder: str | None = None) -> list[str]:
    """What lies in a folder of a run's artifacts, or at their top; nothing where they, or the run, are gone."""
    try:
        return [item.path for item in mlflow.MlflowClient().list_artifacts(run_id, folder)]
    except (MlflowException, OSError) as error:
        if isinstance(error, MlflowException) and access.is_of_the_store(error):
            raise
        return []


def mark(repeats: Mapping[str, str], original: str, outcome: str, run_id: str) -> None:
    """Tag the runs that a reproduction made, and the original run.

    Args:
        repeats: run id of each repetition to the id of the run it repeats.
        original: the run that was reproduced; it is tagged with the outcome and with `run_id`, the reproduction.

    Raises:
        UserError: the original cannot be tagged, for instance as it is another user's.
    """
    client = mlflow.MlflowClient()
    for again, before in repeats.items():
        client.set_tag(again, REPRODUCES, before)
    try:
        client.set_tag(original, OUTCOME, outcome)
        client.set_tag(original, BY, run_id)
    except MlflowException as error:
        raise UserError(
            f"run {original} cannot be tagged with the outcome ({access.first_line(error)})"
        ) from None


def tags(original: str, outcome: str) -> dict[str, str]:
    """Return the tags of the reproduction's own run."""
    return {ORIGINAL: original, OUTCOME: outcome}
