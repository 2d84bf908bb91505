"""What a failed run says of its failure: in its name, unless the user gave it, and in its description."""

import re

import mlflow
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from starcast.cli.errors import UserError, first_line
from starcast.tracking.limits import RUN_NAME, fitting, run_tags

NAMED = "named_by_user"  # tag of a run whose name was given to `mlflow run` or `run.py`
WHY_LENGTH, NOTE_LENGTH = 120, 4_000  # bytes of the reason in a name, letters in a description
REFUSED, FAILED = "refused", "failed"
ENDED = re.compile(rf": (?:{REFUSED}|{FAILED}): .*", re.DOTALL)  # what a failure adds to a name
SAID = re.compile(rf"\*\*(?:{REFUSED}|{FAILED})\.\*\*.*?(?:\n\nUntil then: |\Z)", re.DOTALL | re.IGNORECASE)


def leave_reason(run_id: str, error: BaseException, name: str = "") -> None:
    """Say in a run's name and description why it failed; a description that it has stays below.

    Args:
        name: of the run before it failed; the one that it has if empty.
    """
    run = mlflow.get_run(run_id)
    tags = failure_tags(name or run.info.run_name, error)
    if NAMED in run.data.tags:
        del tags[MLFLOW_RUN_NAME]
    if earlier := SAID.sub("", run.data.tags.get(MLFLOW_RUN_NOTE, ""), count=1):
        tags[MLFLOW_RUN_NOTE] += f"\n\nUntil then: {earlier}"
    for tag, value in run_tags(tags).items():
        mlflow.MlflowClient().set_tag(run_id, tag, value)


def failure_tags(name: str, error: BaseException | str) -> dict[str, str]:
    """Return the name and the description of a run that has failed, as tags; `error` may be told already."""
    if isinstance(error, UserError):  # all of it is for the user
        how, told = REFUSED, str(error)
    else:
        how, told = FAILED, first_line(error if isinstance(error, str) else _with_class(error), NOTE_LENGTH)
    ending = f": {how}: {fitting(first_line(told), WHY_LENGTH)}"
    short = fitting(without_failure(name), RUN_NAME - len(ending.encode())) + ending
    return {MLFLOW_RUN_NAME: short, MLFLOW_RUN_NOTE: f"**{how.capitalize()}.** {told[:NOTE_LENGTH]}"}


def without_failure(name: str) -> str:
    """Return the name that a run had before it failed."""
    return ENDED.sub("", name)


def _with_class(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
