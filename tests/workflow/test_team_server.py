"""A team's server: searches of several people at once, nothing lost, whichever database it keeps."""

import re
import shlex
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import mlflow
import pytest

from starcast.tracking import runs
from tests.conftest import make_reviews
from tests.workflow.logged_search import begin_log, gru, parameters
from tests.workflow.postgres import postgres
from tests.workflow.processes import PROJECT, TUNE, Server, Watched, free_port, trials_of
from tests.workflow.test_trial_log import CURVE, log_complete

SEARCHES, TRIALS, TEAM = 4, 3, "team"  # the experiment is not there yet: the first search to come makes it
FILES = {
    *("settings.json", "confusion_matrix_val.json", "confusion_matrix_val.png"),
    "classification_report_val.json",
}
PRINTED = re.compile(r"trial (\d+) logistic_regression val_auc (0\.\d{4}) in ")
# What writers that stood in each other's way, and requests that were lost, leave behind.
TROUBLE = re.compile(
    r'Traceback|locked|deadlock|(Operational|Integrity|Interface)Error|QueuePool|" 5\d\d ', re.IGNORECASE
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of two processes on an empty PostgreSQL."""
    (folder := tmp_path / "server").mkdir()
    with postgres() as (uri, _):
        made = Server(folder, options=("--workers=2",), MLFLOW_BACKEND_STORE_URI=uri)
        try:
            made.start()
            made.wait()
            yield made
        finally:
            made.kill()


@pytest.fixture
def documented_server(tmp_path: Path) -> Iterator[str]:
    """The address of the server of docs/server.md, on an empty SQLite, started by the command there."""
    page = (PROJECT / "docs" / "server.md").read_text()
    [documented] = re.findall(r"^PATH=\S+ (mlflow server --backend-store-uri sqlite:.*)$", page, re.M)
    port = str(free_port())
    (folder := tmp_path / "server").mkdir()
    with Watched(
        [*shlex.split(documented), "--port", port], folder, "", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"
    ) as running:
        running.until("Application startup complete")
        yield f"http://127.0.0.1:{port}"
        assert not TROUBLE.search(running.output), running.output


def logged_search(number: int, together: threading.Barrier) -> str:
    """Log a search of made-up trials, as `tune` does; returns its run."""
    asked = parameters(seed=number)
    together.wait()
    with runs.step_run("tune", asked.as_text(), f"search {number}") as run_id:
        log = begin_log(mlflow.get_run(run_id), asked)
        for trial in range(1, TRIALS + 1):
            log_complete(log, gru(trial))
        log.flush()
    return run_id


def test_searches_that_start_at_once_on_sqlite_lose_nothing(
    documented_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", TEAM)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(documented_server)
    try:
        together = threading.Barrier(SEARCHES)
        with ThreadPoolExecutor(SEARCHES) as pool:
            searches = list(pool.map(logged_search, range(SEARCHES), [together] * SEARCHES))
    finally:
        mlflow.set_tracking_uri(None)
    client = mlflow.MlflowClient(documented_server)
    found = client.search_runs([client.get_experiment_by_name(TEAM).experiment_id], max_results=1_000)
    assert {run.info.status for run in found} == {"FINISHED"}
    assert len(found) == SEARCHES * (TRIALS + 1)
    for search in searches:
        trials = trials_of(client, search)
        assert set(trials) == set(range(1, TRIALS + 1))
        for run in trials.values():
            epochs = client.get_metric_history(run.info.run_id, "loss")
            assert [(metric.step, metric.value) for metric in epochs] == [
                (epoch, 2 - value) for epoch, value in enumerate(CURVE, start=1)
            ]
            assert {item.path for item in client.list_artifacts(run.info.run_id)} >= FILES


def searches_at_once(server: Server, folder: Path) -> list[str]:
    """What each of the searches printed, of which two each use the same splits; all are done."""
    file = folder / "reviews.csv"
    make_reviews(300).write_csv(file)
    command = (*TUNE, f"--data={file}", f"--max_trials={TRIALS}", "--pruner=none")
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                Watched(
                    (*command, f"--seed={number // 2}"), folder, server.address, MLFLOW_EXPERIMENT_NAME=TEAM
                )
            )
            for number in range(SEARCHES)
        ]
        codes = [each.end() for each in started]
    outputs = [each.output for each in started]
    assert codes == [0] * SEARCHES, "\n".join(outputs)
    return outputs


def test_four_searches_at_once_lose_nothing(server: Server, tmp_path: Path) -> None:
    outputs = searches_at_once(server, tmp_path)
    for said in (*outputs, server.log):
        assert not TROUBLE.search(said), said
    client = mlflow.MlflowClient(server.address)
    runs = client.search_runs([client.get_experiment_by_name(TEAM).experiment_id], max_results=1_000)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(runs) == SEARCHES * (TRIALS + 3)  # the search, its preprocess, its candidate
    searches = {
        str(re.search(r"look at the run: \S+/runs/([0-9a-f]{32})", said)[1]): said for said in outputs
    }
    assert {run.info.run_id for run in runs if run.data.tags.get("step") == "tune"} == set(searches)
    for search, said in searches.items():
        trials = trials_of(client, search)
        assert {number: f"{run.data.metrics['val_auc']:.4f}" for number, run in trials.items()} == {
            int(number): value for number, value in PRINTED.findall(said)
        }
        assert set(trials) == set(range(1, TRIALS + 1))
        for run in trials.values():
            assert_is_whole(client, run)
    assert_registered(client, runs)


def assert_is_whole(client: mlflow.MlflowClient, trial: mlflow.entities.Run) -> None:
    """Every score has its epoch and the value kept, and the files are there."""
    scores = [name for name in trial.data.metrics if name.startswith("val_")]
    assert len(scores) > 20
    for name in scores:
        assert sorted(metric.step for metric in client.get_metric_history(trial.info.run_id, name)) == [1, 2]
    assert {item.path for item in client.list_artifacts(trial.info.run_id)} >= FILES


def assert_registered(client: mlflow.MlflowClient, runs: list[mlflow.entities.Run]) -> None:
    """One version per candidate, the newest of which is the challenger."""
    candidates = {run.info.run_id for run in runs if run.data.tags.get("role") == "candidate"}
    versions = client.search_model_versions("name = 'review-rating'")
    assert {version.run_id for version in versions} == candidates
    assert sorted(int(version.version) for version in versions) == list(range(1, SEARCHES + 1))
    assert client.get_model_version_by_alias("review-rating", "challenger").version == str(SEARCHES)
