"""Read a search back from the tracking server, so that another process can continue it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import mlflow
from mlflow.entities import LifecycleStage, Run
from mlflow.utils.mlflow_tags import MLFLOW_USER

from starcast.cli.errors import UserError
from starcast.cli.parameters import MayChange, P, resumed
from starcast.cli.processes import PROCESS, is_alive, shown
from starcast.models.space import Conditions, Space, read_point
from starcast.search.trials import Objective, Outcome, Proposal, Trial
from starcast.tracking import liveness, runs
from starcast.tracking.access import DAMAGED, explained
from starcast.tracking.commands import command_line
from starcast.tracking.store import active_run, children_of, runs_here, tag_of
from starcast.tracking.trial_log import BUDGET

OUTCOMES: tuple[Outcome, ...] = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Finished:
    """The finished part of a search: ended trials, their runs by number, next number, age in seconds."""

    trials: list[Trial]
    run_ids: dict[int, str]
    next_number: int
    age: float


NOTHING = Finished([], {}, 1, 0.0)


@contextmanager
def resumed_step(
    step: str, given: P, resume: str, force: bool, may_change: MayChange
) -> Iterator[tuple[Run, P]]:
    """Begin a run that continues a step's earlier run; a finished run only if a parameter may be larger.

    With `force`, also one that still runs: its process stops when it notices that the run was taken over.

    Yields:
        The earlier run, and its parameters with what may be replaced now.

    Raises:
        UserError: there is none, it has other parameters, or it still runs.
    """
    with runs.step_run(f"{runs.RESUME}{step}", {"resume": resume}, f"resume {resume}"):
        run = find_unfinished(step, resume, finished_too=bool(may_change.larger))
        if run.info.status == "RUNNING" and not force:
            check_silent(step, run)
            # As it is by now.
            run = find_unfinished(step, run.info.run_id, finished_too=bool(may_change.larger))
        parameters = resumed(given, runs.parameters_of(run), may_change)
        whole, run_id = parameters.as_text(), run.info.run_id
        runs.log_parameters(whole)
        told = ", ".join(f"{name}={value}" for name, value in parameters.given().items())
        repeat = command_line(step, **{**whole, "resume": run_id, "force": "false"})
        runs.describe(f"Continued {run_id} with {told}.", {"resumed_run_id": run_id, "command": repeat})
        close_abandoned(keep=run.info.run_id)
        yield run, parameters


def check_missing(parent: Run, trials: int, points: float) -> None:
    """Check that a search that has finished is to have more trials than it has.

    Args:
        trials: how many it is to have.
        points: how many different settings there are to try.

    Raises:
        UserError: it is not.
    """
    run_id = parent.info.run_id
    if parent.info.status != "FINISHED":
        return
    done = sum(map(_has_ended, children_of(parent)))
    if done >= trials:
        if done >= points:
            tried = f"it is finished, and has tried all {points:g} settings there are"
            raise UserError(f"resume={run_id}: {tried}")
        more = command_line("tune", resume=run_id, max_trials=done + trials)
        raise UserError(f"resume={run_id}: it is finished, with all its {trials} trials; for more: {more}")


def give_trials(run_id: str, trials: int) -> None:
    """Record that a search has this many trials from now on: a logged parameter cannot be changed."""
    mlflow.MlflowClient().set_tag(run_id, runs.MORE_TRIALS, str(trials))


def find_unfinished(step: str, resume: str, finished_too: bool = False) -> Run:
    """Return an unfinished run of a step, by its id or this user's `latest` one of the experiment.

    With `finished_too` it may have finished; `latest` is then the last that finished if none is unfinished.

    Raises:
        UserError: there is none, it belongs to another step, or it is finished.
    """
    if resume == "latest":
        return _latest(step, finished_too)
    with explained(f"resume={resume!r}: no such run ({{reason}})"):
        run = mlflow.get_run(resume)
    why = ""
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        why = "it was deleted; restore it first"
    elif run.data.tags.get("step") != step:
        why = f"not a run of {step}; its run id stands in what {step} printed"
    elif run.info.status == "FINISHED" and not finished_too:
        why = "it is finished; there is nothing to continue"
    if why:
        raise UserError(f"resume={run.info.run_id}: {why}")
    return run


def _latest(step: str, finished_too: bool) -> Run:
    user, machine_user = runs.user_of_active(), runs.tag_of_active_or_above(MLFLOW_USER)

    def is_own(run: Run) -> bool:
        tags = run.data.tags  # versions up to 0.7 told only the user of the machine
        return bool(tags.get(runs.USER, user if tags.get(MLFLOW_USER) == machine_user else "") == user)

    ours = f"tags.step = '{step}' and attributes.run_id != '{active_run().info.run_id}'"
    found = list[Run]()
    for wanted in (f"{ours} and attributes.status != 'FINISHED'", *((ours,) if finished_too else ())):
        found = runs_here(wanted)
        if own := next(filter(is_own, found), None):
            return own
    what = f"this experiment has no {'' if finished_too else 'unfinished '}run of {step}"
    if found:
        other, whose = found[0].info.run_id, found[0].data.tags.get(runs.USER, "another user")
        what += f" of {user}; to continue one of {whose}, give its run id: resume={other}"
    raise UserError(f"resume=latest: {what}")


def check_silent(step: str, run: Run) -> None:
    """Check that the process of a RUNNING run is dead or, if it is elsewhere, gives no sign of life.

    Raises:
        UserError: its process lives.
    """
    run_id, process = run.info.run_id, run.data.tags.get(PROCESS, "")
    lives, where = is_alive(process), "here"
    if lives is None:
        where = "elsewhere"
        dead = f"without a sign of life for {liveness.SILENCE / 60:g} min it is taken over"
        print(f"{step}: {run_id} is RUNNING elsewhere, as {shown(process)}: {dead}", flush=True)
        lives = liveness.shows_life(run)
    if lives and mlflow.get_run(run_id).info.status == "RUNNING":
        taken = command_line(step, resume=run_id, force="true")
        what = f"it is still running {where}, as {shown(process)}"
        raise UserError(f"resume={run_id}: {what}; wait for it, or take it over from that process: {taken}")


def close_abandoned(keep: str) -> None:
    """Close as FAILED the experiment's RUNNING runs whose process on this machine is gone, except `keep`."""
    for run in runs_here("attributes.status = 'RUNNING'"):
        run_id = run.info.run_id
        # Trials and fits have no process of their own: that of the step above counts.
        if run_id != keep and is_alive(tag_of(run_id, PROCESS) or "") is False:
            _close(run)


def _close(run: Run) -> None:
    client = mlflow.MlflowClient()
    if "trial_number" in run.data.tags:
        client.set_tag(run.info.run_id, "outcome", "interrupted")
    client.set_terminated(run.info.run_id, "FAILED")


def read_search(
    parent: Run, spaces: Mapping[str, Space], conditions: Mapping[str, Conditions], objective: Objective
) -> Finished:
    """Return the ended trials of a search; close runs left RUNNING below it as FAILED.

    Runs that are damaged, or not trials of this search, are left out and named: others take their place.
    """
    numbered, ended = dict[int, Run](), dict[int, Run]()
    for run in children_of(parent):
        told, running = run.data.tags.get("trial_number", ""), run.info.status == "RUNNING"
        number = int(told) if told.isdecimal() else 0
        if running:
            _close(run)
        if number:
            numbered[number] = run
            if not running and _has_ended(run):
                ended[number] = run
    trials, run_ids = list[Trial](), dict[int, str]()
    for number, run in sorted(ended.items()):
        named = f"trial {number}, run {run.info.run_id}, is damaged or not of this search"
        try:
            with explained(f"{named} ({{reason}})", *DAMAGED):
                family = run.data.tags["family"]
                # Parameters are logged as text; the space has their values.
                settings = read_point(run.data.params, spaces[family], conditions[family])
                trials.append(_trial(Proposal(number, family, settings), run, parent, objective))
        except UserError as why:
            print(f"tune: {why}: it is left out, and another takes its place", flush=True)
        else:
            run_ids[number] = str(run.info.run_id)
    age = time.time() - parent.info.start_time / 1000
    return Finished(trials, run_ids, max(numbered, default=0) + 1, age)


def _has_ended(run: Run) -> bool:
    """Return whether a run below a search is a trial that came to an end."""
    return "trial_number" in run.data.tags and run.data.tags.get("outcome") in OUTCOMES


def _trial(proposal: Proposal, run: Run, parent: Run, objective: Objective) -> Trial:
    tags = run.data.tags
    outcome: Outcome = next(name for name in OUTCOMES if name == tags["outcome"])
    budget = tags.get(BUDGET)
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, objective.name)
    points = sorted(history, key=lambda metric: metric.step)
    values = [objective.score(metric.value) for metric in points]
    # A complete trial has one more step after its last epoch: the score of the weights that were kept.
    to_its_end = outcome == "complete" or (outcome == "pruned" and budget)
    began, end = run.info.start_time, run.info.end_time or run.info.start_time
    return Trial(
        replace(proposal, epochs=int(budget) if budget else None),
        outcome,
        None if outcome == "failed" else values[-1],
        tuple(values[:-1] if to_its_end else values),
        reason=tags.get("reason", ""),
        seconds=(end - began) / 1000,
        ended=(end - parent.info.start_time) / 1000,
    )
