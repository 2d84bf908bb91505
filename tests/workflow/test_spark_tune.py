"""A search on Spark: the same runs as without, and it outlives executors, interrupts and its own end."""

import signal
import time
from pathlib import Path
from typing import Any

import mlflow
import psutil
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.search.progress import TrialLines
from starcast.spark.trial_pool import SparkPool
from starcast.workflow import search
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.conftest import make_reviews, statuses
from tests.workflow.processes import LONG, trials_of
from tests.workflow.spark_cluster import Cluster, needs_spark

pytestmark = needs_spark
LOCAL = {"executor": "spark", "spark_master": "local[2]"}
# What a trial measures of the process that trained it, and when.
OF_THE_PROCESS = {"worker_memory_mb"}


@pytest.fixture
def client(store: mlflow.MlflowClient, reviews_file: Path) -> mlflow.MlflowClient:
    """A store, with a file of reviews in the current folder."""
    return store


def asked(**given: object) -> TuneParameters:
    few = {
        "data": "reviews.csv",
        "families": "logistic_regression,gru_1",
        "max_trials": 6,
        "max_epochs": 3,
        "epochs": 1,
    }
    return TuneParameters.model_validate({**few, "batch_size": 64, "register": False, **given})


def parents(client: mlflow.MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name("tests").experiment_id
    return list(
        client.search_runs([experiment], "tags.step = 'tune'", order_by=["attributes.start_time ASC"])
    )


def drivers() -> list[int]:
    """The Java processes of Spark sessions, but for a cluster's own."""
    children = psutil.Process().children(recursive=True)
    return [child.pid for child in children if child.name() == "java" and "pyspark-shell" in child.cmdline()]


def laid_out(client: mlflow.MlflowClient, search_id: str) -> dict[int, dict[str, Any]]:
    """What a search's trials show, but for what is its process's own."""
    found = {}
    for number, run in trials_of(client, search_id).items():
        tags = {
            name: value
            for name, value in run.data.tags.items()
            if not name.startswith("mlflow.") and name != "process"
        }
        curves = {
            name: [m.step for m in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        files = sorted(item.path for item in client.list_artifacts(run.info.run_id))
        shown = {
            "status": run.info.status,
            "name": run.info.run_name,
            "parameters": run.data.params,
            "tags": tags,
        }
        found[number] = {**shown, "curves": curves, "files": files}
    return found


def test_spark_and_local_processes_leave_the_same_trials(client: mlflow.MlflowClient) -> None:
    same: dict[str, object] = {
        "workers": 1,
        "families": "gru_1",
        "max_trials": 5,
        "algorithm": "random",
        "start": "random",
        "seed": 131,  # draws networks of at most 32 units, good and bad ones
    }
    tune(asked(**same))
    tune(asked(**same, **LOCAL))
    local, on_spark = (parent.info.run_id for parent in parents(client))
    assert laid_out(client, on_spark) == laid_out(client, local)
    outcomes = {run.data.tags["outcome"] for run in trials_of(client, on_spark).values()}
    assert outcomes == {"complete", "pruned"}
    for number, run in trials_of(client, local).items():
        metrics = trials_of(client, on_spark)[number].data.metrics
        known = {name: value for name, value in run.data.metrics.items() if name not in OF_THE_PROCESS}
        assert {name: metrics[name] for name in known} == pytest.approx(known, abs=0.02), number
    assert "RUNNING" not in statuses(client)
    assert drivers() == []


def test_a_worker_that_is_killed_is_a_failed_trial_and_the_search_goes_on(
    client: mlflow.MlflowClient,
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    waited, killed = SparkPool.wait, []

    def wait_and_kill(pool: SparkPool, seconds: float) -> Any:
        if len(pool._pipes) == 2 and not killed:  # both workers train
            cluster.kill("worker-1")
            killed.append("worker-1")
        return waited(pool, seconds)

    monkeypatch.setattr(SparkPool, "wait", wait_and_kill)
    make_reviews(1_000).write_csv("reviews.csv")
    given = {"families": "gru_1", "max_trials": 4, "pruner": "none", "start": "random", "algorithm": "random"}
    tune(asked(executor="spark", spark_master=cluster.master, **given))
    [parent] = parents(client)
    trials = trials_of(client, parent.info.run_id)
    assert killed
    assert sorted(run.data.tags["outcome"] for run in trials.values()) == ["complete"] * 3 + ["failed"]
    [failed] = [run for run in trials.values() if run.data.tags["outcome"] == "failed"]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["reason"] == "its executor ended or is cut off; Spark's logs say why"
    assert sorted(trials) == [1, 2, 3, 4]
    assert "RUNNING" not in statuses(client)
    assert "2 workers on spark://" in capsys.readouterr().out


def test_interrupted_on_spark_it_is_gone_on_with_elsewhere(
    client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, handler = TrialLines.show, signal.getsignal(signal.SIGINT)

    def interrupt(lines: TrialLines, trial: Any) -> None:
        shown(lines, trial)
        if trial.proposal.number == 2:
            assert signal.getsignal(signal.SIGINT) == handler  # not PySpark's, which knows no second Ctrl-C
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(TrialLines, "show", interrupt)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            tune(asked(families="logistic_regression", max_trials=5, **LOCAL))
        assert time.monotonic() - start < LONG
    assert drivers() == []
    [parent] = parents(client)
    assert parent.info.status == "KILLED"
    assert "RUNNING" not in statuses(client)
    tune(TuneParameters(resume="latest"))  # where it goes on is not a part of the search
    assert "continuing search" in capsys.readouterr().out
    outcomes = [run.data.tags["outcome"] for run in trials_of(client, parent.info.run_id).values()]
    assert outcomes.count("complete") == 5
    assert set(statuses(client)) <= {"FINISHED", "KILLED"}


def test_a_spark_that_gives_up_ends_the_search_with_a_line(
    client: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = TrialLines.show

    def stop_spark(lines: TrialLines, trial: Any) -> None:
        shown(lines, trial)
        sessions[0].sparkContext._jsc.sc().stop()  # as it does by itself, a minute after its master went

    sessions: list[Any] = []
    begun = SparkPool
    monkeypatch.setattr(
        search, "SparkPool", lambda session, *given: sessions.append(session) or begun(session, *given)
    )
    monkeypatch.setattr(TrialLines, "show", stop_spark)
    with pytest.raises(UserError, match="Spark has stopped: its master is gone"):
        tune(asked(families="logistic_regression", max_trials=30, **LOCAL))
    [parent] = parents(client)
    assert parent.info.status == "FAILED"
    outcomes = [run.data.tags["outcome"] for run in trials_of(client, parent.info.run_id).values()]
    assert set(outcomes) <= {"complete", "interrupted"}  # none failed: their settings may be tried again
    assert "RUNNING" not in statuses(client)
