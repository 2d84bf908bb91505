"""A search that is interrupted or killed, and gone on with: real processes, real signals."""

import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest

from starcast.cli.command import command
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.conftest import make_reviews
from tests.workflow.processes import (
    BIN,
    LONG,
    PROJECT,
    TUNE,
    Watched,
    assert_is_done,
    contents,
    ended_trials,
    trials_of,
)

TRIALS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A folder with a store and 300 reviews, for this module's tests one after the other."""
    made = tmp_path_factory.mktemp("resume")
    shutil.copy(empty_database, made / "mlflow.db")
    make_reviews(300).write_csv(made / "reviews.csv")
    make_reviews(300, seed=1).write_csv(made / "others.csv")
    return made


def uri_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture
def client(folder: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(uri_of(folder))


@pytest.fixture(scope="module")
def interrupted(folder: Path) -> Watched:
    """A search of 12 trials that got Ctrl-C, once, after its second trial."""
    with Watched((*TUNE, "--data=reviews.csv", f"--max_trials={TRIALS}"), folder, uri_of(folder)) as search:
        search.until(rf"\[2/{TRIALS}: ")
        search.signal(signal.SIGINT)
        assert search.end() == 130, search.output
        assert search.left() == []
    return search


@pytest.fixture(scope="module")
def killed(interrupted: Watched, folder: Path) -> Watched:
    """The same search, gone on with and killed, all its processes at once."""
    [printed] = re.findall(r"continue with: (.+)", interrupted.output)
    with Watched(("bash", "-c", printed), folder, uri_of(folder)) as search:
        search.until(rf"\[6/{TRIALS}: ")
        search.signal(signal.SIGKILL)
        assert search.end() == -signal.SIGKILL
        assert search.left() == []
    return search


def refuse_unless_still_interrupted(client: mlflow.MlflowClient, interrupted: Watched) -> None:
    if client.get_run(interrupted.search_id()).info.status != "KILLED":
        pytest.skip("needs the store as the interrupt left it: run the whole module")


def test_after_ctrl_c_runs_are_closed_as_killed(client: mlflow.MlflowClient, interrupted: Watched) -> None:
    parent = client.get_run(interrupted.search_id())
    assert parent.info.status == "KILLED"
    assert f"-m steps.tune --resume={parent.info.run_id}" in parent.data.tags["mlflow.note.content"]
    trials = trials_of(client, parent.info.run_id)
    ended = ended_trials(client, parent.info.run_id)
    assert 2 <= len(ended) < TRIALS
    assert {run.info.status for run in ended.values()} == {"FINISHED"}
    rest = [run for number, run in trials.items() if number not in ended]
    assert len(rest) <= 1  # one worker
    assert {(run.info.status, run.data.tags["outcome"]) for run in rest} <= {("KILLED", "interrupted")}


def test_ctrl_c_ends_with_two_plain_lines(interrupted: Watched) -> None:
    assert "Traceback" not in interrupted.output
    *_, how, last = interrupted.output.splitlines()
    assert how.startswith("tune: interrupted; continue with: cd ")
    assert how.endswith(f" -m steps.tune --resume={interrupted.search_id()} --workers=1")
    assert last == "starcast tune: interrupted, runs closed as KILLED"


def mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, **given: str
) -> str:
    """What the command says to these parameters; it ends with 2."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["tune.py", *(f"--{name}={value}" for name, value in given.items())])
    mlflow.set_tracking_uri(uri_of(folder))
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        with pytest.raises(SystemExit) as ended:
            command("tune", TuneParameters, tune)
    finally:
        mlflow.set_tracking_uri(None)
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
    assert ended.value.code == 2
    assert mlflow.active_run() is None
    lines = capsys.readouterr().err.splitlines()
    [said] = [line for line in lines if line.startswith("starcast")]
    return said


def test_another_data_set_or_space_is_refused(
    client: mlflow.MlflowClient,
    interrupted: Watched,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse_unless_still_interrupted(client, interrupted)
    run_id, before = interrupted.search_id(), contents(client, trials_of(client, interrupted.search_id()))
    said = mistake(monkeypatch, capsys, folder, resume=run_id, data="others.csv")
    assert f"(data is {folder / 'reviews.csv'}, not {folder / 'others.csv'})" in said
    said = mistake(monkeypatch, capsys, folder, resume="latest", families="gru_1", max_trials="6")
    assert "families is logistic_regression, not gru_1" in said
    assert f"max_trials is {TRIALS}, not 6" in said
    assert client.get_run(run_id).info.status == "KILLED"
    assert contents(client, trials_of(client, run_id)) == before


def test_a_file_that_changed_is_refused(
    client: mlflow.MlflowClient,
    interrupted: Watched,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refuse_unless_still_interrupted(client, interrupted)
    file = folder / "reviews.csv"
    content = file.read_bytes()
    shutil.copy(folder / "others.csv", file)
    try:
        said = mistake(monkeypatch, capsys, folder, resume=interrupted.search_id())
    finally:
        file.write_bytes(content)
    assert f"data {file}: not the file that" in said
    assert "RUNNING" not in {run.info.status for run in client.search_runs(["0"])}


def test_a_killed_search_leaves_what_had_ended(
    client: mlflow.MlflowClient, interrupted: Watched, killed: Watched
) -> None:
    run_id = interrupted.search_id()
    assert "continuing search" in killed.output
    assert len(ended_trials(client, run_id)) >= 2


@pytest.fixture(scope="module")
def finished(
    interrupted: Watched, killed: Watched, folder: Path
) -> Iterator[tuple[Watched, dict[int, object]]]:
    """The same search once more, to its end; and what the store held of its ended trials before."""
    client = mlflow.MlflowClient(uri_of(folder))
    before = contents(client, ended_trials(client, interrupted.search_id()))
    with Watched((*TUNE, "--resume=latest"), folder, uri_of(folder)) as search:
        assert search.end() == 0, search.output
        assert search.left() == []
        yield search, before


def test_a_resumed_search_ends_with_all_its_trials(
    client: mlflow.MlflowClient,
    interrupted: Watched,
    folder: Path,
    finished: tuple[Watched, dict[int, object]],
) -> None:
    search, before = finished
    run_id, file = interrupted.search_id(), folder / "reviews.csv"
    assert f"continuing search {run_id} of {file}: {len(before)} of {TRIALS} trials are done" in search.output
    assert_is_done(client, run_id, TRIALS)
    after = contents(client, ended_trials(client, run_id))
    assert {number: after[number] for number in before} == before
    under_way = [
        run for run in trials_of(client, run_id).values() if run.data.tags["outcome"] == "interrupted"
    ]
    assert len(under_way) <= 2  # one of each process that did not end
    assert {run.info.status for run in under_way} <= {"KILLED", "FAILED"}
    settings = [tuple(sorted(run.data.params.items())) for run in ended_trials(client, run_id).values()]
    assert len(set(settings)) == TRIALS, "settings were tried twice"


def test_no_run_of_any_process_is_left_running(
    client: mlflow.MlflowClient, finished: tuple[Watched, dict[int, object]]
) -> None:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    left = [run.info.run_name for run in client.search_runs(experiments) if run.info.status == "RUNNING"]
    assert left == []


def test_what_cannot_be_resumed_is_refused(
    client: mlflow.MlflowClient,
    interrupted: Watched,
    finished: tuple[Watched, dict[int, object]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_id = interrupted.search_id()
    assert "it is finished" in mistake(monkeypatch, capsys, folder, resume=run_id)
    trial = ended_trials(client, run_id)[1].info.run_id
    assert f"resume={trial}: not a run of tune" in mistake(monkeypatch, capsys, folder, resume=trial)
    assert "it is finished" in mistake(monkeypatch, capsys, folder, resume="latest")
    assert "no such run" in mistake(monkeypatch, capsys, folder, resume="f" * 32)


@pytest.fixture(scope="module")
def project(folder: Path) -> Path:
    """A copy of the project, since `mlflow run` works in it."""
    made = folder / "starcast"
    ignored = shutil.ignore_patterns("raw", "mlruns", "mlflow.db*", "results", "__pycache__", "*.pyc", ".*")
    shutil.copytree(PROJECT, made, ignore=ignored)
    return made


def under_mlflow_run(project: Path, folder: Path) -> Watched:
    given = (
        "data=../reviews.csv",
        f"max_trials={TRIALS * 4}",
        "families=logistic_regression",
        "workers=1",
        "epochs=1",
    )
    parameters = [part for text in given for part in ("-P", text)]
    command = (
        str(BIN / "mlflow"),
        "run",
        ".",
        "--env-manager",
        "local",
        "-e",
        "tune",
        "--experiment-name",
        "signals",
    )
    return Watched((*command, *parameters), project, uri_of(folder))


def searches(client: mlflow.MlflowClient) -> list[mlflow.entities.Run]:
    experiment = client.get_experiment_by_name("signals")
    return list(
        client.search_runs(
            [experiment.experiment_id], "tags.step = 'tune'", order_by=["attributes.start_time DESC"]
        )
    )


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_ctrl_c_of_mlflow_run_ends_in_order(client: mlflow.MlflowClient, project: Path, folder: Path) -> None:
    with under_mlflow_run(project, folder) as search:
        search.until(rf"\[2/{TRIALS * 4}: ")
        search.signal(signal.SIGINT)
        assert search.end() != 0
        assert wait_for(lambda: search.left() == [], LONG), search.left()
        assert "starcast tune: interrupted, runs closed as KILLED" in search.output
        assert "Traceback" not in search.output
    [parent] = searches(client)
    # The step closed it as KILLED; then `mlflow run` (3.17) takes it for one that was not closed: FAILED.
    assert parent.info.status in ("KILLED", "FAILED")
    assert f"resume={parent.info.run_id}" in parent.data.tags["mlflow.note.content"]
    assert "RUNNING" not in {run.info.status for run in trials_of(client, parent.info.run_id).values()}


def test_a_second_ctrl_c_of_mlflow_run_ends_at_once(
    client: mlflow.MlflowClient, project: Path, folder: Path
) -> None:
    with under_mlflow_run(project, folder) as search:
        search.until(f"tune: {TRIALS * 4} trials of")
        search.signal(signal.SIGINT)
        time.sleep(0.05)
        search.signal(signal.SIGINT)
        search.end()
        assert wait_for(lambda: search.left() == [], LONG), search.left()
