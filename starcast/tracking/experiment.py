"""The active run and the other runs of its experiment."""

import mlflow
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

MOST = 100_000  # runs of one search


def active_run() -> Run:
    """Return the active run; everything in this room happens within a step's run."""
    run = mlflow.active_run()
    assert run is not None, "a step works within its run"
    return run


def runs_here(wanted: str, most: int = MOST) -> list[Run]:
    """Return the runs of the active run's experiment that match MLflow's filter, the newest first."""
    return _search(active_run().info.experiment_id, wanted, most, "attributes.start_time DESC")


def children_of(run: Run) -> list[Run]:
    """Return the runs right below a run, in the order in which they began."""
    wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run.info.run_id}'"
    return _search(run.info.experiment_id, wanted, MOST, "attributes.start_time")


def _search(experiment: str, wanted: str, most: int, order: str) -> list[Run]:
    found: list[Run] = mlflow.search_runs(
        [experiment], wanted, max_results=most, order_by=[order], output_format="list"
    )
    return found
