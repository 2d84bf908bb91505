"""Begin, describe and end runs of steps, trials and candidates, so that none is left RUNNING."""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Run
from mlflow.exceptions import MlflowException
from mlflow.tracking import fluent
from mlflow.utils.credentials import read_mlflow_creds
from mlflow.utils.mlflow_tags import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NAME,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from mlflow.utils.name_utils import _GENERATOR_NOUNS, _GENERATOR_PREDICATES

from starcast.cli.caller import PATHS, RUN
from starcast.cli.errors import UserError
from starcast.cli.masking import without_secrets
from starcast.cli.parameters import unquoted
from starcast.cli.processes import PROCESS, this_process
from starcast.cli.refusals import RefusedError
from starcast.tracking import access, commands, lineage, liveness, moved, views
from starcast.tracking.failures import NAMED, leave_reason, without_failure
from starcast.tracking.limits import RUN_NAME, fitting, run_parameters, run_tags
from starcast.tracking.patience import ServerGoneError, again_if_overtaken, quick_failures
from starcast.tracking.store import active_run, shown_store, tag_of

PATH_TAG = "{}_path"  # tag of a run: the file meant by a relative path that MLflow had logged before the step
MORE_TRIALS = "max_trials"  # tag of a search that was given more trials
USER = "user"  # tag of a step's run: as `user_of_active`
MEASURED = ("tune", "train", "sampling", "learning-curve")  # steps with system metrics
USED = ("step", "role", "trial_number")  # tags; each run that a step began or used has one of them
RESUME = "resume "  # before the step, in the tag `step` of a run that continues another one
# Progress bars of small downloads, and notes on samplers and examples, would hide the important lines.
QUIET = ("system_metrics", "pyfunc", "utils.environment", "models.flavor_backend_registry")
_opened = set[str]()  # runs of steps that this process has begun or continued


@contextmanager
def step_run(step: str, parameters: Mapping[str, str], name: str) -> Iterator[str]:
    """Continue the run that `mlflow run` began, or begin one, nested if another step is running.

    It is called `name`, unless the user named it. It has every parameter, including those at their defaults,
    and, if models are fitted by it, system metrics. It ends as FINISHED, KILLED (interrupted) or FAILED
    (anything else).

    Yields:
        The run's id; the run is MLflow's active run.

    Raises:
        UserError: the tracking store is unreachable, refuses the user, or fails; or MLFLOW_RUN_ID names a run
            that was not begun for this step.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    for logger in QUIET:
        logging.getLogger(f"mlflow.{logger}").setLevel(logging.ERROR)
    above = mlflow.active_run()
    # A step below another is in its experiment, whatever the environment names.
    experiment = above.info.experiment_id if above else None
    # Its process is on it from the first moment: a run that nobody ends is closed once that is gone.
    owned = {PROCESS: this_process()}
    place = partial(mlflow.start_run, nested=above is not None, experiment_id=experiment, tags=owned)
    begin = partial(place, log_system_metrics=step in MEASURED)
    with access.one_line_errors():
        if not above:
            access.check_store()
            _check_given_run()
        with access.explained(f"no run can begin on {shown_store()}: {{reason}}"):
            run = again_if_overtaken(begin)
        _opened.add(run.info.run_id)
        with _closed_with_its_status(), liveness.signs_of_life(run.info.run_id):
            moved.check_files(run)
            views.introduce_experiment(run.info.experiment_id)
            logged = run.data.params
            log_parameters(parameters)
            commands.repeat_by_url(run.data.tags)
            repeat = commands.command_line(step.removeprefix(RESUME), **parameters)
            chosen = {MLFLOW_RUN_NAME: name} if _is_made_up(run.info.run_name) else {NAMED: "true"}
            shown = {tag: value for tag, value in run.data.tags.items() if without_secrets(value) != value}
            own = {"step": step, "command": repeat, USER: user_of_active()}
            tag_active({**shown, **chosen, **own, **_paths(logged, parameters)})
            lineage.log_code_and_versions()
            yield run.info.run_id


def _check_given_run() -> None:
    """Check that a run that MLFLOW_RUN_ID names is RUNNING, and that no step has used it.

    Raises:
        UserError: it is not, and would be overwritten, or there is none.
    """
    run_id = os.environ.get(RUN)
    if not run_id:
        return
    named, advice = f"{RUN}={run_id}", "unset it, and the step begins a run of its own"
    with access.explained(f"{named}: no such run ({{reason}}); {advice}"):
        run = mlflow.get_run(run_id)
    used = next((f"{name} {run.data.tags[name]}" for name in USED if name in run.data.tags), "")
    if run.info.status != "RUNNING" or used:
        what = f"has been used already ({used})" if used else f"is {run.info.status}"
        raise UserError(f"{named}: that run {what}, and a step only writes to one begun for it; {advice}")


def log_parameters(parameters: Mapping[str, str]) -> None:
    """Log parameters on the active run, except those that it already has: each can be logged only once.

    `mlflow run` has logged those that it declares and those that it was given.
    """
    logged = mlflow.get_run(active_run().info.run_id).data.params
    missing = {name: value for name, value in parameters.items() if name not in logged}
    mlflow.log_params(run_parameters(missing))


@contextmanager
def child_run(
    name: str, tags: Mapping[str, str], parameters: Mapping[str, object], measured: bool = False
) -> Iterator[str]:
    """Begin a child run of the active run, for a fit or a candidate; it ends as in `step_run`.

    Args:
        measured: whether to log system metrics.
    """
    above, experiment = active_run().info.run_id, active_run().info.experiment_id
    named, tagged = fitting(name, RUN_NAME), run_tags(tags)
    below = partial(mlflow.start_run, nested=True, parent_run_id=above, log_system_metrics=measured)
    run = below(run_name=named, tags=tagged, experiment_id=experiment)
    with _closed_with_its_status():
        mlflow.log_params(run_parameters(parameters))
        yield run.info.run_id
        liveness.check_own(above)


@contextmanager
def reopened_run(run_id: str) -> Iterator[None]:
    """Take an earlier run over, and make it active and RUNNING again; it ends as in `step_run`.

    A run that was FINISHED does not end as FAILED if the user makes a mistake now.
    """
    earlier = mlflow.get_run(run_id)
    mlflow.MlflowClient().set_tag(run_id, PROCESS, this_process())  # first: its former process then stops
    mlflow.start_run(run_id=run_id, nested=True, log_system_metrics=True)
    _opened.add(run_id)
    mistake = "FINISHED" if earlier.info.status == "FINISHED" else "FAILED"
    with _closed_with_its_status(mistake), liveness.signs_of_life(run_id):
        if NAMED not in earlier.data.tags:
            tag_active({MLFLOW_RUN_NAME: without_failure(earlier.info.run_name)})
        yield


@contextmanager
def _closed_with_its_status(mistake: str = "FAILED") -> Iterator[None]:
    """End the active run with its status when the block ends; one that another process took over is left."""
    run_id = active_run().info.run_id
    try:
        with access.one_line_errors():
            yield
    except BaseException as error:
        if taken_over := _taken_over(run_id):
            _leave_active_run()
            raise taken_over from None
        of_user = isinstance(error, UserError) and not isinstance(error, RefusedError | ServerGoneError)
        status = mistake if of_user else "FAILED"
        # The original error matters more than a server that cannot be reached.
        with quick_failures(), suppress(MlflowException, OSError):
            ended = "KILLED" if isinstance(error, KeyboardInterrupt) else status
            mlflow.end_run(ended)
            if ended == "FAILED":
                leave_reason(run_id, error)
        raise
    mlflow.end_run("FINISHED")


def _taken_over(run_id: str) -> liveness.TakenOverError | None:
    """Return the error if another process took the run over; None if not, or if the server is unreachable."""
    with quick_failures(), suppress(MlflowException, OSError):
        try:
            if liveness.is_reachable():
                liveness.check_own(run_id)
        except liveness.TakenOverError as error:
            return error
    return None


def _leave_active_run() -> None:
    """Make the active run inactive without a word to the store, for which MLflow has no public function."""
    run_id = fluent._active_run_stack.get().pop().info.run_id  # type: ignore[no-untyped-call]
    if monitor := fluent.run_id_to_system_metrics_monitor.pop(run_id, None):
        monitor.finish()


def leave_mistake(run_id: str, step: str, mistake: str) -> None:
    """Name and describe the run that `mlflow run` began for a step that refused its parameters."""
    with quick_failures(), suppress(MlflowException):
        run = mlflow.get_run(run_id)
        tags = run.data.tags
        fresh = run.info.status == "RUNNING" and not any(name in tags for name in USED)
        if fresh and tags.get(MLFLOW_SOURCE_TYPE) == "PROJECT":
            if not _is_made_up(run.info.run_name):
                mlflow.MlflowClient().set_tag(run_id, NAMED, "true")
            leave_reason(run_id, UserError(mistake), step)


def _is_made_up(name: str) -> bool:
    """Return whether MLflow made up a run's name, such as `bold-fox-123`, because none was given."""
    first, second, number = (*name.split("-"), "", "", "")[:3]
    made = f"{first}-{second}-{number}" == name and number.isdigit()
    return made and first in _GENERATOR_PREDICATES and second in _GENERATOR_NOUNS


def _paths(logged: Mapping[str, str], parameters: Mapping[str, str]) -> dict[str, str]:
    """Return a tag for each path that MLflow has logged as it was given, relative to the caller's folder."""
    meant = {name: parameters[name] for name in PATHS if name in logged and name in parameters}
    return {PATH_TAG.format(name): path for name, path in meant.items() if unquoted(logged[name]) != path}


def parameters_of(run: Run) -> dict[str, str]:
    """Return the parameters of a step's run, with the paths it meant and the trials it was given later."""
    tags = {name: PATH_TAG.format(name) for name in PATHS} | {"max_trials": MORE_TRIALS}
    later = {name: run.data.tags[tag] for name, tag in tags.items() if run.data.tags.get(tag)}
    return {**run.data.params, **later}


def tag_of_active_or_above(name: str) -> str | None:
    """Return a tag of the active run or, if it has none, of the nearest run above it that has."""
    return tag_of(active_run().info.run_id, name)


def check_own() -> None:
    """Raise a TakenOverError if another process has taken over the active run, or one of ours above it.

    A search may go on by itself in another process than the job that it was part of.
    """
    run = liveness.check_own(active_run().info.run_id)
    while (above := run.data.tags.get(MLFLOW_PARENT_RUN_ID)) in _opened:
        run = liveness.check_own(above)


def user_of_active() -> str:
    """Return the user of the active run: the user name on the tracking server, else that on this machine."""
    return read_mlflow_creds().username or tag_of_active_or_above(MLFLOW_USER) or "unknown"


@contextmanager
def artifacts_of_run(folder: str | None = None) -> Iterator[Path]:
    """Yield a temporary folder whose files become artifacts of the active run when the block succeeds."""
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)
        mlflow.log_artifacts(temporary, folder)


def describe(text: str, tags: Mapping[str, object] | None = None) -> None:
    """Give the active run its description (Markdown, shown by the UI) and tags."""
    tag_active({MLFLOW_RUN_NOTE: text, **(tags or {})})


def leave_word(text: str) -> None:
    """Describe the active run after an interrupt, if the server can be reached and the run is still ours."""
    with quick_failures(), suppress(MlflowException, liveness.TakenOverError):
        liveness.check_own(active_run().info.run_id)
        describe(text)


@contextmanager
def told_if_interrupted(step: str, command: str) -> Iterator[None]:
    """Print, and leave on the active run, the command that starts again, if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        leave_word(f"**Interrupted.** To start again: `{command}`")
        print(f"{step}: interrupted; start again with: {command}", flush=True)
        raise


def tag_active(tags: Mapping[str, object]) -> None:
    """Tag the active run; its name and its description are tags too."""
    mlflow.set_tags(run_tags(tags))


def rename_active(name: str) -> None:
    """Give the active run another name, unless the user gave it one."""
    if NAMED not in mlflow.get_run(active_run().info.run_id).data.tags:
        tag_active({MLFLOW_RUN_NAME: name})


def log_metrics(metrics: Mapping[str, float], step: int = 0) -> None:
    """Log metrics of the active run, and of none of its models, in one call."""
    now = int(time.time() * 1000)
    batch = [Metric(name, float(value), now, step) for name, value in metrics.items()]
    mlflow.MlflowClient().log_batch(active_run().info.run_id, metrics=batch)
