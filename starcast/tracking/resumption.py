"""Read a search back from the tracking server, so that another process goes on with it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import mlflow
from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.cli.processes import PROCESS, is_alive, is_here
from starcast.models.family import Settings, Space
from starcast.search.trials import Objective, Outcome, Proposal, Trial
from starcast.tracking import access, history
from starcast.tracking.trial_log import BUDGET

OUTCOMES: tuple[Outcome, ...] = ("complete", "pruned", "failed")


@dataclass(frozen=True)
class Finished:
    """What a search has behind it: its ended trials, their runs by number, the next free number, its age in seconds."""

    trials: list[Trial]
    run_ids: dict[int, str]
    next_number: int
    age: float


NOTHING = Finished([], {}, 1, 0.0)


def find_unfinished(step: str, resume: str) -> Run:
    """The run of a step that did not reach its end, by its id, or the `latest` one of the experiment.

    Raises:
        UserError: there is none, it is another step's, it is finished, or its process still runs on this machine.
    """
    run = _latest(step) if resume == "latest" else _by_id(resume)
    if run.info.lifecycle_stage == LifecycleStage.DELETED:
        raise UserError(f"resume={run.info.run_id}: it was deleted; restore it first")
    if run.data.tags.get("step") != step:
        raise UserError(
            f"resume={run.info.run_id}: not a run of {step}; its run id stands in what {step} printed"
        )
    if run.info.status == "FINISHED":
        raise UserError(f"resume={run.info.run_id}: it is finished, there is nothing to go on with")
    if run.info.status == "RUNNING" and is_alive(run.data.tags.get(PROCESS, "")):
        raise UserError(
            f"resume={run.info.run_id}: it is still running here, as process {run.data.tags[PROCESS]}"
        )
    return run


def close_abandoned(keep: str) -> None:
    """Close as FAILED the experiment's RUNNING runs whose process on this machine is gone, but for run `keep`."""
    active = mlflow.active_run()
    assert active is not None, "a step closes what others left from within its run"
    client = mlflow.MlflowClient()
    for run in client.search_runs(
        [active.info.experiment_id], "attributes.status = 'RUNNING'", max_results=1000
    ):
        process = run.data.tags.get(PROCESS, "")
        if run.info.run_id != keep and is_here(process) and not is_alive(process):
            client.set_terminated(run.info.run_id, "FAILED")


def _by_id(run_id: str) -> Run:
    try:
        return mlflow.get_run(run_id)
    except MlflowException as error:
        if access.is_of_the_store(error):
            raise
        raise UserError(f"resume={run_id!r}: no such run ({str(error).splitlines()[0]})") from None


def _latest(step: str) -> Run:
    active = mlflow.active_run()
    assert active is not None, "a step looks up what to resume from within its run"
    client = mlflow.MlflowClient()
    wanted = f"tags.step = '{step}' and attributes.status != 'FINISHED' and attributes.run_id != '{active.info.run_id}'"
    found = client.search_runs(
        [active.info.experiment_id], wanted, order_by=["attributes.start_time DESC"], max_results=1
    )
    if not found:
        raise UserError(f"resume=latest: this experiment has no unfinished run of {step}")
    return found[0]


def read_search(parent: Run, spaces: Mapping[str, Space], objective: Objective) -> Finished:
    """The ended trials of a search; runs left RUNNING below it are closed as FAILED."""
    client = mlflow.MlflowClient()
    children = history.children_of(parent)
    for run in children:
        if run.info.status == "RUNNING":
            client.set_tag(run.info.run_id, "outcome", "interrupted")
            client.set_terminated(run.info.run_id, "FAILED")
    numbered = {
        int(run.data.tags["trial_number"]): run for run in children if "trial_number" in run.data.tags
    }
    ended = {
        n: r
        for n, r in numbered.items()
        if r.info.status != "RUNNING" and r.data.tags.get("outcome") in OUTCOMES
    }
    trials = [_trial(client, parent, number, run, spaces, objective) for number, run in sorted(ended.items())]
    age = time.time() - parent.info.start_time / 1000
    return Finished(
        trials, {n: str(r.info.run_id) for n, r in ended.items()}, max(numbered, default=0) + 1, age
    )


def _trial(
    client: mlflow.MlflowClient,
    parent: Run,
    number: int,
    run: Run,
    spaces: Mapping[str, Space],
    objective: Objective,
) -> Trial:
    outcome: Outcome = next(name for name in OUTCOMES if name == run.data.tags["outcome"])
    family = run.data.tags["family"]
    budget = run.data.tags.get(BUDGET)
    proposal = Proposal(
        number, family, _settings(run.data.params, spaces[family]), int(budget) if budget else None
    )
    points = sorted(
        client.get_metric_history(run.info.run_id, objective.name), key=lambda metric: metric.step
    )
    values = [objective.score(metric.value) for metric in points]
    to_its_end = outcome != "failed" and (outcome == "complete" or budget)
    curve = tuple(values[:-1] if to_its_end else values)  # one step past the end: the weights kept
    began, end = run.info.start_time, run.info.end_time or run.info.start_time
    score = None if outcome == "failed" else values[-1]
    return Trial(
        proposal,
        outcome,
        score,
        curve,
        reason=run.data.tags.get("reason", ""),
        seconds=(end - began) / 1000,
        ended=(end - parent.info.start_time) / 1000,
    )


def _settings(params: Mapping[str, str], space: Space) -> Settings:
    """Settings of a run: parameters are kept as text, the space has their values."""
    return {
        name: next(value for value in values if str(value) == params[name]) for name, values in space.items()
    }
