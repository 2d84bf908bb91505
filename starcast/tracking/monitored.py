"""One run for each version that is monitored: every monitoring is a step of it, so MLflow draws curves."""

import time
from collections.abc import Mapping

import mlflow
from mlflow.entities import Metric, Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from starcast.cli.processes import PROCESS, this_process
from starcast.tracking import registry, store
from starcast.tracking.limits import run_tags
from starcast.tracking.registry import Version
from starcast.tracking.succession import moment

ROLE, MONITORED = "monitoring", "monitored_model"  # value of the tag `role`, and a tag: the version
COUNTED = "reviews"  # metric that every monitoring logs
VERDICT, VERDICT_AT, VERDICT_RUN = "monitoring", "monitored_at", "monitoring_run_id"  # tags of a version
HEAD = "| when | step | verdict | reviews | run |\n|---|--:|---|--:|---|\n"


def log_monitoring(version: Version, metrics: Mapping[str, float], verdict: str, run_id: str) -> str:
    """Log a monitoring as the next step of its version's run, and tell both the version and that run.

    Args:
        metrics: with `COUNTED` among them.
        run_id: of the monitoring itself, which has the report.

    Returns:
        The id of the version's run.
    """
    client, run, now = mlflow.MlflowClient(), _run_of(version), time.time()
    curves = str(run.info.run_id)
    step = max((point.step for point in client.get_metric_history(curves, COUNTED)), default=-1) + 1
    client.log_batch(curves, [Metric(name, value, int(now * 1000), step) for name, value in metrics.items()])
    when, page = moment(now), store.page_within(run_id, "report.html")
    row = f"| {when} | {step} | {verdict} | {metrics[COUNTED]:,.0f} | [report]({page}) |\n"
    title = f"Every monitoring of {version.name} version {version.version}, the newest first.\n\n"
    rows = run.data.tags.get(MLFLOW_RUN_NOTE, "").partition(HEAD)[2]
    told = {MLFLOW_RUN_NOTE: f"{title}{HEAD}{row}{rows}", "verdict": verdict}
    for tag, text in run_tags(told).items():
        client.set_tag(curves, tag, text)
    registry.tag(version.name, version.version, {VERDICT: verdict, VERDICT_AT: when, VERDICT_RUN: run_id})
    return curves


def _run_of(version: Version) -> Run:
    """Return the version's run in the experiment of the active one; make it, finished, if there is none."""
    found = store.runs_here(f"tags.role = '{ROLE}'")
    ours = [run for run in found if run.data.tags.get(MONITORED) == version.uri]
    if ours:
        return ours[-1]  # the oldest, if two monitorings began at once
    name = f"monitoring of {version.name} version {version.version}"
    client, own = mlflow.MlflowClient(), {PROCESS: this_process()}  # should nobody end it
    tags = {"role": ROLE, MONITORED: version.uri, MLFLOW_RUN_NAME: name, **own}
    run = client.create_run(store.active_run().info.experiment_id, tags=run_tags(tags))
    client.set_terminated(run.info.run_id)
    return run
