"""Each entry point through `mlflow run`, tiny; a tracking server; `mlflow models serve`. Real processes throughout."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest

from tests.conftest import make_reviews, statuses

PROJECT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TINY = {"families": "logistic_regression", "max_trials": "2", "epochs": "2"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A copy of the project with a store of its own and 300 reviews as `reviews.csv`, shared by this module's tests."""
    folder = tmp_path_factory.mktemp("project") / "starcast"
    ignored = shutil.ignore_patterns(
        "raw", "mlruns", "mlflow.db*", "__pycache__", "*.pyc", ".git", ".uv", ".hypothesis"
    )
    shutil.copytree(PROJECT, folder, ignore=ignored)
    shutil.copy(empty_database, folder / "mlflow.db")
    make_reviews(300).write_csv(folder / "reviews.csv")
    return folder


def environment(**more: str) -> dict[str, str]:
    """The environment of the tests without what MLflow leaves in it for child processes, as a user's shell has it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    return {**clean, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **more}


def mlflow_run(
    project: Path, entry_point: str, *, tracking: str = "", experiment: str = "bars", **parameters: str
) -> subprocess.CompletedProcess[str]:
    """`mlflow run` in the environment of the tests, on the project's own store or on a server."""
    command = [
        str(BIN / "mlflow"),
        "run",
        ".",
        "-e",
        entry_point,
        "--env-manager",
        "local",
        "--experiment-name",
        experiment,
    ]
    command += [part for name, value in parameters.items() for part in ("-P", f"{name}={value}")]
    uri = tracking or f"sqlite:///{project / 'mlflow.db'}"
    return subprocess.run(
        command,
        cwd=project,
        env=environment(MLFLOW_TRACKING_URI=uri),
        capture_output=True,
        text=True,
        check=False,
    )


def client_of(project: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{project / 'mlflow.db'}")


def test_main(project: Path) -> None:
    done = mlflow_run(project, "main", data="reviews.csv", **TINY)
    assert done.returncode == 0, done.stderr
    assert "is review-rating version 1, alias challenger" in done.stdout
    assert "mlflow ui --backend-store-uri sqlite:///" in done.stdout
    assert set(statuses(client_of(project))) == {"FINISHED"}


@pytest.mark.parametrize(
    ("entry_point", "expected"),
    [
        ("preprocess", "preprocess: kept 2,984 reviews"),
        ("tune", "alias challenger"),
        ("study-a", "| gru_2 | 0.8317 |"),
        ("train", "train: logistic_regression on 597 test reviews"),
        ("reproduce", "reproduce: Equal: "),
        ("promote", "is now champion, the first."),
        ("sampling", "sampling: logistic_regression: best is smote with decision"),
        ("learning-curve", "learning-curve: logistic_regression: f1_macro 0."),
        ("compare", "compare: Best: "),
        ("predict", "predict: 3,050 reviews scored by review-rating version"),
    ],
)
def test_the_commands_of_the_readme(project: Path, entry_point: str, expected: str) -> None:
    [command] = readme_commands(f"mlflow run . --env-manager local -e {entry_point}")
    uri = f"sqlite:///{project / 'mlflow.db'}"
    done = run_line(command, project, MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    client = client_of(project)
    assert "RUNNING" not in statuses(client)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    [step] = client.search_runs(experiments, f"tags.step = '{entry_point}'", max_results=1)
    assert step.data.tags["command"].startswith(f"mlflow run . -e {entry_point} ")


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_a_search_by_keras_tuner(project: Path, algorithm: str) -> None:
    more = {"engine": "keras-tuner", "algorithm": algorithm, "register": "false"}
    done = mlflow_run(project, "tune", experiment=algorithm, data="reviews.csv", **{**TINY, **more})
    assert done.returncode == 0, done.stderr
    client = client_of(project)
    experiment = client.get_experiment_by_name(algorithm).experiment_id
    trials = client.search_runs([experiment], "tags.trial_number != ''")
    assert {run.data.tags["engine"] for run in trials} == {"keras-tuner"}
    assert len(trials) == 2


def readme_commands(beginning: str) -> list[str]:
    """The README's commands, in ```bash blocks, that begin so."""
    blocks = re.findall(r"```bash\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(beginning)]


def run_line(line: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", line]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"max_trials": "abc"}, "starcast tune: parameter max_trials: should be a whole number"),
        ({"data": "nowhere.csv"}, "starcast tune: data 'nowhere.csv': no such file"),
    ],
)
def test_a_mistake_is_one_line_and_no_run_stays_running(
    project: Path, parameters: dict[str, str], line: str
) -> None:
    done = mlflow_run(project, "tune", **parameters)
    assert done.returncode != 0
    assert line in done.stderr
    assert "Traceback" not in done.stderr
    assert "RUNNING" not in statuses(client_of(project))


def test_exit_code_of_a_mistake_is_two(project: Path) -> None:
    command = [sys.executable, "-m", "steps.preprocess", "--data=nowhere.csv"]
    done = subprocess.run(
        command, cwd=project, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(command: str, port: int, path: str, folder: Path, **more: str) -> Iterator[str]:
    """A server process that answers `path`; it is ended with its children."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*shlex.split(command), "--port", str(port)],  # the last port wins
            cwd=folder,
            env=environment(**more),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address + path, timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        else:
            pytest.fail((folder / "server.log").read_text())
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def test_on_a_tracking_server(project: Path, tmp_path: Path, empty_database: Path) -> None:
    shutil.copy(empty_database, tmp_path / "server.db")
    [command] = readme_commands("mlflow server")
    jobs_off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # its job workers outlive a killed server
    with served(command, free_port(), "/health", tmp_path, **jobs_off) as address:
        done = mlflow_run(project, "tune", tracking=address, data="reviews.csv", **TINY)
        assert done.returncode == 0, done.stderr
        assert f"look at the run: {address}/#/experiments/" in done.stdout
        again = mlflow_run(project, "train", tracking=address, data="reviews.csv")
        assert "reused the finished run" in again.stdout, again.stderr
        predicted = mlflow_run(
            project, "predict", tracking=address, input="reviews.csv", output="scores of mine.csv"
        )
        assert predicted.returncode == 0, predicted.stderr
        assert set(statuses(mlflow.MlflowClient(address))) == {"FINISHED"}


def test_models_serve_answers_as_documented(project: Path, tmp_path: Path) -> None:
    trained = mlflow_run(project, "train", data="reviews.csv")
    assert trained.returncode == 0, trained.stderr
    [command] = readme_commands("mlflow models serve")
    uri = f"sqlite:///{project / 'mlflow.db'}"
    # From an empty folder: the model brings its own code.
    with served(command, free_port(), "/ping", tmp_path, MLFLOW_TRACKING_URI=uri) as address:
        records = [{"text": "lovely soft dress"}, {"text": None}, {"text": "awful itchy, returned"}]
        answers = ask(address, {"dataframe_records": records})
        assert [1 <= answer["rating"] <= 5 for answer in answers] == [True] * 3
        assert answers[0]["expected_rating"] > answers[2]["expected_rating"]
        split = ask(address, {"dataframe_split": {"columns": ["text"], "data": [["lovely soft dress"]]}})
        assert split == answers[:1]
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(address, {"dataframe_records": [{"words": "lovely"}]})
        assert "missing inputs ['text']" in refused.value.read().decode()


def ask(address: str, body: dict[str, object]) -> list[dict[str, float]]:
    request = urllib.request.Request(
        f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        return list(json.load(response)["predictions"])
