"""Read a search back from the tracking server, so that another process can continue it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import LifecycleStage, Run

from starcast.cli.errors import UserError
from starcast.cli.processes import PROCESS, is_alive, is_here
from starcast.models.family import Space
from starcast.search.trials import Objective, Outcome, Proposal, Trial
from starcast.tracking.access import explained
from starcast.tracking.store import active_run, children_of, runs_here
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


def find_unfinished(step: str, resume: str) -> Run:
    """Return an unfinished run of a step, by its id or the `latest` one of the experiment.

    Raises:
        UserError: there is none, it belongs to another step, is finished, or its process still runs here.
    """
    if resume == "latest":
        unfinished = f"tags.step = '{step}' and attributes.status != 'FINISHED'"
        found = runs_here(f"{unfinished} and attributes.run_id != '{active_run().info.run_id}'", most=1)
        if not found:
            raise UserError(f"resume=latest: this experiment has no unfinished run of {step}")
        run = found[0]
    else:
        with explained(f"resume={resume!r}: no such run ({{reason}})"):
            run = mlflow.get_run(resume)
    tags, why = run.data.tags, ""
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        why = "it was deleted; restore it first"
    elif tags.get("step") != step:
        why = f"not a run of {step}; its run id stands in what {step} printed"
    elif run.info.status == "FINISHED":
        why = "it is finished; there is nothing to continue"
    elif run.info.status == "RUNNING" and is_alive(tags.get(PROCESS, "")):
        why = f"it is still running here, as process {tags[PROCESS]}"
    if why:
        raise UserError(f"resume={run.info.run_id}: {why}")
    return run


def close_abandoned(keep: str) -> None:
    """Close as FAILED the experiment's RUNNING runs whose process on this machine is gone, except `keep`."""
    for run in runs_here("attributes.status = 'RUNNING'"):
        process = run.data.tags.get(PROCESS, "")
        if run.info.run_id != keep and is_here(process) and not is_alive(process):
            mlflow.MlflowClient().set_terminated(run.info.run_id, "FAILED")


def read_search(parent: Run, spaces: Mapping[str, Space], objective: Objective) -> Finished:
    """Return the ended trials of a search; close runs left RUNNING below it as FAILED."""
    client, numbered, ended = mlflow.MlflowClient(), dict[int, Run](), dict[int, Run]()
    for run in children_of(parent):
        number, running = int(run.data.tags.get("trial_number", 0)), run.info.status == "RUNNING"
        if running:
            client.set_tag(run.info.run_id, "outcome", "interrupted")
            client.set_terminated(run.info.run_id, "FAILED")
        if number:
            numbered[number] = run
            if not running and run.data.tags.get("outcome") in OUTCOMES:
                ended[number] = run
    trials = [_trial(number, run, parent, spaces, objective) for number, run in sorted(ended.items())]
    run_ids = {number: str(run.info.run_id) for number, run in ended.items()}
    age = time.time() - parent.info.start_time / 1000
    return Finished(trials, run_ids, max(numbered, default=0) + 1, age)


def _trial(number: int, run: Run, parent: Run, spaces: Mapping[str, Space], objective: Objective) -> Trial:
    tags, params = run.data.tags, run.data.params
    outcome: Outcome = next(name for name in OUTCOMES if name == tags["outcome"])
    family, budget = tags["family"], tags.get(BUDGET)
    settings = {  # parameters are logged as text; the space has their values
        name: next(value for value in values if str(value) == params[name])
        for name, values in spaces[family].items()
    }
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, objective.name)
    points = sorted(history, key=lambda metric: metric.step)
    values = [objective.score(metric.value) for metric in points]
    # A complete trial has one more step after its last epoch: the score of the weights that were kept.
    to_its_end = outcome == "complete" or (outcome == "pruned" and budget)
    began, end = run.info.start_time, run.info.end_time or run.info.start_time
    return Trial(
        Proposal(number, family, settings, int(budget) if budget else None),
        outcome,
        None if outcome == "failed" else values[-1],
        tuple(values[:-1] if to_its_end else values),
        reason=tags.get("reason", ""),
        seconds=(end - began) / 1000,
        ended=(end - parent.info.start_time) / 1000,
    )
