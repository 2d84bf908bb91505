"""Each entry point once through `mlflow run`, tiny, as a process; and the commands that are printed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest
import requests

from starcast.cli.parameters import parse_logged
from starcast.tracking.commands import where_to_look
from starcast.tracking.runs import parameters_of
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train
from tests.conftest import statuses
from tests.workflow.processes import BIN, PROJECT, Watched, environment, free_port

LINEAR = {"families": "logistic_regression"}
ONE = {**LINEAR, "max_trials": "1", "workers": "1"}
NETWORK = {"families": "gru_1", "max_trials": "1", "max_epochs": "1", "epochs": "1", "workers": "1"}
STUDY = {"data": "reviews.csv", "protocol": "ours", **NETWORK}
DATA = {"data": "reviews.csv"}
FIRST = {"mode": "enabled", "thresholds": '{"accuracy": 0.1}', "max_latency_ms": "0"}
FIGURES = {  # of each entry point's report, drawn for real here
    "tune": {"best_so_far.png", "setting_importance.png"},
    "sampling": {"scores.png", "ratings_logistic_regression.png"},
    "learning-curve": {"learning_curve.png", "learning_curve_cost.png"},
    "compare": {"scores.png", "cost.png"},
    "promote": {"confusion_matrices.png"},  # test_promote_step.py has the other one drawn
}
Run = Callable[..., subprocess.CompletedProcess[str]]
ProjectRun = Callable[..., str]


@pytest.fixture
def mlflow_run(fitted_store: mlflow.MlflowClient, tmp_path: Path) -> Run:
    """The command `mlflow run` in the environment of the tests, with a copy of the fitted store, given by a
    relative address.
    """

    def run(entry_point: str, **given: str) -> subprocess.CompletedProcess[str]:
        chosen = [part for item in given.items() for part in ("-P", "=".join(item))]
        command = [str(BIN / "mlflow"), "run", str(PROJECT), "-e", entry_point, "--env-manager", "local"]
        return subprocess.run(
            [*command, "--experiment-name", "tests", *chosen],
            cwd=tmp_path,
            env=environment(MLFLOW_TRACKING_URI="sqlite:///mlflow.db", PYTHONPATH=""),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def project_run(
    fitted_store: mlflow.MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> ProjectRun:
    """What the command calls, from this process, which saves it the import of MLflow's server; the step is a
    process of its own all the same. Paths count from this process's folder. Returns what that prints.
    """
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)

    def run(entry_point: str, project: str = str(PROJECT), run_name: str | None = None, **given: str) -> str:
        where = {"env_manager": "local", "experiment_name": "tests"}
        mlflow.projects.run(project, entry_point, parameters=given, run_name=run_name, **where)
        return capfd.readouterr().out

    return run


@pytest.mark.parametrize(
    ("entry_point", "given", "expected"),
    [
        ("preprocess", {**DATA, "split": "hash"}, "preprocess: kept 300 reviews"),
        ("tune", {**DATA, **ONE}, "is review-rating version 4, alias challenger"),
        ("study-a", STUDY, " 0.8379 "),
        ("promote", FIRST, "is now champion, the first."),
        ("sampling", {**DATA, "variants": "none,random_under", "repeats": "1"}, "best is"),
        ("learning-curve", {**DATA, **LINEAR, "sizes": "80,168", "repeats": "1"}, "f1_macro 0."),
        ("compare", {"experiment": "fitted"}, "compare: Best: "),
        (
            "predict",
            {"input": "reviews.csv", "output": "scores of mine.csv"},
            "predict: 300 reviews scored by review-rating version 3",
        ),
    ],
)
def test_an_entry_point(
    project_run: ProjectRun,
    fitted_store: mlflow.MlflowClient,
    entry_point: str,
    given: dict[str, str],
    expected: str,
) -> None:
    assert expected in project_run(entry_point, **given)
    assert not {"RUNNING", "FAILED"} & set(statuses(fitted_store))
    experiment = fitted_store.get_experiment_by_name("tests").experiment_id
    steps = fitted_store.search_runs([experiment], f"tags.step = '{entry_point}'")
    step = min(steps, key=lambda run: run.info.start_time)
    files = {item.path for item in fitted_store.list_artifacts(step.info.run_id)}
    assert FIGURES.get(entry_point, set()) <= files
    for name in FIGURES.get(entry_point, ()):
        assert len(Path(fitted_store.download_artifacts(step.info.run_id, name)).read_bytes()) > 5_000


def test_the_main_job(mlflow_run: Run, fitted_store: mlflow.MlflowClient) -> None:
    done = mlflow_run("main", **DATA, **ONE)
    assert done.returncode == 0, done.stderr
    assert "is review-rating version 4, alias challenger" in done.stdout
    assert not {"RUNNING", "FAILED"} & set(statuses(fitted_store))


def test_a_run_by_a_repository_s_address(
    project_run: ProjectRun,
    fitted_store: mlflow.MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, repository = "https://git.example/starcast.git", tmp_path / "repository"
    leave_out = shutil.ignore_patterns(".*", "raw", "mlruns", "mlflow.db", "__pycache__", "tests", "docs")
    shutil.copytree(PROJECT, repository, ignore=leave_out)
    git = ["git", "-C", str(repository), "-c", "user.name=ann", "-c", "user.email=ann@git.example"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    stands_for = {"COUNT": "1", "KEY_0": f"url.{repository.as_uri()}.insteadOf", "VALUE_0": address}
    for name, value in stands_for.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)

    said = project_run("preprocess", address, run_name="my run", **DATA, text_column="text")
    assert f"preprocess: data is {tmp_path / 'reviews.csv'}\n" in said
    assert "preprocess: kept 300 reviews" in said
    [run] = fitted_store.search_runs(
        [fitted_store.get_experiment_by_name("tests").experiment_id], "tags.step = 'preprocess'"
    )
    assert run.info.run_name == "my run"
    assert parameters_of(run)["data"] == str(tmp_path / "reviews.csv")
    repeat = f"mlflow run {address} -v {commit} --env-manager local -e preprocess "
    assert repeat in run.data.tags["command"]
    assert f" -P data={tmp_path / 'reviews.csv'} " in run.data.tags["command"]


def test_train_logs_every_parameter_and_reproduce_makes_its_run_again(
    project_run: ProjectRun, fitted_store: mlflow.MlflowClient
) -> None:
    given = {**DATA, "settings": '{"c": 3.0, "ngrams": 1}'}  # MLproject declares these
    more = {"sampling": "none", "register": "false", "model": "my model's"}  # and hands these on
    assert "train: logistic_regression on 60 test reviews" in project_run("train", **given, **more)
    experiment = fitted_store.get_experiment_by_name("tests").experiment_id
    [run] = fitted_store.search_runs([experiment], "tags.step = 'train'")
    logged = parse_logged(TrainParameters, run.data.params)
    assert logged == TrainParameters.model_validate({**given, **more, "data": logged.data})
    assert logged.as_text().keys() <= run.data.params.keys()
    assert run.data.params["settings"].startswith("'"), "MLflow logs values as the shell wants them"
    said = project_run("reproduce")
    newest = f"reproduce: the newest finished candidate is run {run.info.run_id}, {run.info.run_name}"
    assert newest in said
    assert f"reproduce: Equal: {run.info.run_name}" in said
    [own] = fitted_store.search_runs([experiment], "tags.step = 'reproduce'")
    assert (own.info.status, own.data.tags["reproduced_run_id"]) == ("FINISHED", run.info.run_id)


def test_a_mistake_is_one_line_and_no_run_stays_running(
    mlflow_run: Run, fitted_store: mlflow.MlflowClient
) -> None:
    done = mlflow_run("tune", max_trials="abc")
    assert done.returncode != 0
    assert "starcast tune: parameter max_trials: should be a whole number" in done.stderr
    assert "Traceback" not in done.stderr
    [run] = fitted_store.search_runs([fitted_store.get_experiment_by_name("tests").experiment_id])
    assert run.info.run_name.startswith("tune: refused: parameter max_trials: should be a whole number")
    assert run.info.status == "FAILED"
    assert "parameter max_trials: should be a whole number" in run.data.tags["mlflow.note.content"]


def test_the_exit_code_of_a_mistake_is_two(tmp_path: Path, empty_database: Path) -> None:
    shutil.copy(empty_database, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "steps.preprocess", "--data=nowhere.csv"],
        cwd=tmp_path,
        env=environment(MLFLOW_TRACKING_URI="sqlite:///mlflow.db"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0


def printed_command(text: str, words: str) -> str:
    """The command behind some words, in what is printed or in a run's description."""
    [found] = re.findall(rf"{re.escape(words)}:?\W+((?:cd|MLFLOW_\w+=).+?)`?$", text, re.MULTILINE)
    return str(found)


def in_a_shell(command: str, folder: Path) -> str:
    """What a command prints elsewhere, in a shell that knows no `mlflow` and no `python` of ours."""
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ""}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**environment(), **bare},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_printed_commands_work_as_printed(
    fitted_store: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere := tmp_path / "else where").mkdir()
    fitted = train(TrainParameters(data=str(tmp_path / "reviews.csv")))
    said = capsys.readouterr().out
    promoting = printed_command(said, "judge it against the champion")
    assert "Version 4 of review-rating " in in_a_shell(promoting, elsewhere)
    assert "review-rating version 4" in in_a_shell(fitted.next_command(), elsewhere)
    assert not any(elsewhere.iterdir()), "a command to try it with writes no file"
    note = fitted_store.get_run(fitted.run_id).data.tags["mlflow.note.content"]
    assert "reproduce: Equal" in in_a_shell(printed_command(note, "repeat it"), elsewhere)
    registering = replace(fitted, registered=None).next_command()
    assert "is review-rating version 5, alias challenger" in in_a_shell(registering, elsewhere)
    fifth = fitted_store.get_run(fitted_store.get_model_version("review-rating", "5").run_id)
    assert fifth.data.params["data"] == str(tmp_path / "reviews.csv")


def test_the_pages_open_as_printed(fitted_store: mlflow.MlflowClient, tmp_path: Path) -> None:
    experiment = fitted_store.get_experiment_by_name("fitted").experiment_id
    [search] = fitted_store.search_runs([experiment], "tags.step = 'tune'")
    opening, look = where_to_look(search.info.run_id)
    port = str(free_port())
    command = f"{opening.removeprefix('open the UI: ')} --port {port}"
    with Watched(("bash", "-c", command), tmp_path, "", PATH="/usr/bin:/bin", PYTHONPATH="") as pages:
        pages.until("Application startup complete")
        address = look.removeprefix("look at the run: ").replace(":5000/", f":{port}/")
        assert requests.get(address, timeout=60).ok
        assert len(pages.left()) <= 3, "a shell, the server and its worker"
