"""A team's server: searches of several people at once, nothing lost, whichever database it keeps."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import mlflow
import pytest

from tests.conftest import make_reviews
from tests.workflow.postgres import postgres
from tests.workflow.processes import TUNE, Server, Watched, trials_of

SEARCHES, TRIALS, TEAM = 4, 3, "team"  # the experiment is not there yet: the first search to come makes it
PRINTED = re.compile(r"trial (\d+) logistic_regression val_auc (0\.\d{4}) in ")
# What writers that stood in each other's way, and requests that were lost, leave behind.
TROUBLE = re.compile(
    r'Traceback|locked|deadlock|(Operational|Integrity|Interface)Error|QueuePool|" 5\d\d ', re.IGNORECASE
)


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """A server of two processes on an empty database."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ExitStack() as stack:
        database = {}
        if request.param == "postgresql":
            database["MLFLOW_BACKEND_STORE_URI"] = stack.enter_context(postgres())[0]
        made = Server(folder, options=("--workers=2",), **database)
        stack.callback(made.kill)
        made.start()
        made.wait()
        yield made


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
    names = {item.path for item in client.list_artifacts(trial.info.run_id)}
    assert {
        "settings.json",
        "confusion_matrix_val.json",
        "confusion_matrix_val.png",
        "classification_report_val.json",
    } <= names


def assert_registered(client: mlflow.MlflowClient, runs: list[mlflow.entities.Run]) -> None:
    """One version per candidate, and one challenger among them."""
    candidates = {run.info.run_id for run in runs if run.data.tags.get("role") == "candidate"}
    versions = client.search_model_versions("name = 'review-rating'")
    assert {version.run_id for version in versions} == candidates
    assert sorted(int(version.version) for version in versions) == list(range(1, SEARCHES + 1))
    assert client.get_model_version_by_alias("review-rating", "challenger").run_id in candidates
