"""Runs of steps and trials: closed with the status that says how they ended, with or without a server."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.cli.parameters import LAUNCHER
from starcast.cli.refusals import RefusedError
from starcast.reviews.parameters import DataParameters
from starcast.tracking import git, runs
from starcast.tracking.patience import RETRIES, ServerGoneError
from tests.cli.test_masking import TOKENS, drawn
from tests.conftest import statuses

ENDS = [
    (UserError("no"), "FAILED"),
    (ValueError(), "FAILED"),
    (KeyboardInterrupt(), "KILLED"),
    (SystemExit(), "FAILED"),
]


def step() -> AbstractContextManager[str]:
    return runs.step_run("tune", {"data": "sample"}, "made up")


@contextmanager
def child() -> Iterator[None]:
    with step(), runs.child_run("trial", {"family": "gru_1"}, {"c": 1.0}):
        yield


@contextmanager
def reopened() -> Iterator[None]:
    with mlflow.start_run() as earlier:
        pass
    mlflow.MlflowClient().set_terminated(earlier.info.run_id, "KILLED")
    with step(), runs.reopened_run(earlier.info.run_id):
        yield


SHAPES: list[Callable[[], AbstractContextManager[object]]] = [step, child, reopened]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("error", "status"), ENDS, ids=[type(error).__name__ for error, _ in ENDS])
def test_runs_end_as_their_block_ends(
    store: mlflow.MlflowClient,
    shape: Callable[[], AbstractContextManager[object]],
    error: BaseException,
    status: str,
) -> None:
    with pytest.raises(type(error)), shape():
        raise error
    assert set(statuses(store)) == {status}
    assert mlflow.active_run() is None


def test_what_the_machine_refuses_is_told_on_the_run(store: mlflow.MlflowClient) -> None:
    with (
        pytest.raises(RefusedError, match=r"^/a/b: no space left on device; make room there"),
        step() as run_id,
    ):
        raise OSError(errno.ENOSPC, "No space left on device", "/a/b")
    run = store.get_run(run_id)
    assert run.info.status == "FAILED"
    assert "/a/b: no space left on device" in run.data.tags["mlflow.note.content"]


def test_a_finished_run_that_is_reopened_by_mistake_has_not_failed(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run() as earlier:
        pass
    with pytest.raises(UserError), step(), runs.reopened_run(earlier.info.run_id):
        raise UserError("another file")
    assert store.get_run(earlier.info.run_id).info.status == "FINISHED"


@pytest.mark.parametrize("shape", SHAPES)
def test_runs_are_running_within_and_finished_after(
    store: mlflow.MlflowClient, shape: Callable[[], AbstractContextManager[object]]
) -> None:
    with shape():
        assert set(statuses(store)) == {"RUNNING"}
    assert set(statuses(store)) == {"FINISHED"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("error", [ServerGoneError("gone"), KeyboardInterrupt()], ids=["gone", "interrupt"])
def test_a_server_that_is_gone_hides_no_reason_and_is_asked_once(
    store: mlflow.MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    shape: Callable[[], AbstractContextManager[object]],
    error: BaseException,
) -> None:
    """MLflow's own retries would take minutes, for each of the runs, and end in a traceback of its own."""
    asked: list[tuple[str, str | None]] = []

    def gone(_: object, run_id: str, *__: object, **___: object) -> None:
        asked.append((run_id, os.environ.get(RETRIES)))
        raise MlflowException("connection refused")

    with ExitStack() as within:
        caught = within.enter_context(pytest.raises(BaseException))  # noqa: PT011
        within.enter_context(shape())
        monkeypatch.setattr(mlflow.MlflowClient, "set_terminated", gone)
        raise error
    monkeypatch.undo()
    assert caught.type is type(error)
    assert len({run_id for run_id, _ in asked}) == len(asked), "told twice"
    if isinstance(error, ServerGoneError):
        assert {retries is not None and int(retries) <= 1 for _, retries in asked} == {True}
    assert mlflow.active_run() is None


def test_a_run_that_mlflow_began_gets_the_parameters_that_it_has_not(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = begun(monkeypatch, data="'my file.csv'")  # as `mlflow run` writes it into its command
    with runs.step_run("tune", {"data": "my file.csv", "seed": "42"}, "made up") as run_id:
        assert run_id == given
    assert store.get_run(run_id).data.params == {"data": "'my file.csv'", "seed": "42"}


PROJECT = {"mlflow.source.type": "PROJECT"}


def begun(monkeypatch: pytest.MonkeyPatch, name: str | None = None, **parameters: str) -> str:
    """A run as `mlflow run` begins it for a step."""
    with mlflow.start_run(run_name=name, tags=PROJECT) as run:
        mlflow.log_params(parameters)
    mlflow.MlflowClient().update_run(run.info.run_id, "RUNNING")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    return str(run.info.run_id)


def test_a_run_keeps_the_name_that_the_user_gave_it(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, called in ((None, "better"), ("bert-large-3", "bert-large-3")):
        begun(monkeypatch, given)
        with step() as run_id:
            runs.rename_active("better")
        assert store.get_run(run_id).info.run_name == called


def test_a_path_that_mlflow_logged_as_it_was_given_is_known_in_full(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(monkeypatch, data="'my file.csv'", input="/b.csv")
    meant = {"data": "/home/ann/my file.csv", "input": "/b.csv", "output": "/c.csv"}
    with runs.step_run("predict", meant, "made up") as run_id:
        pass
    run = store.get_run(run_id)
    assert run.data.params["data"] == "'my file.csv'"
    assert {name: value for name, value in run.data.tags.items() if name.endswith("_path")} == {
        "data_path": "/home/ann/my file.csv"
    }
    assert runs.parameters_of(run) == meant


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED", "SCHEDULED"])
def test_a_run_that_has_ended_is_not_taken_over(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    run_id = begun(monkeypatch)
    store.update_run(run_id, status)
    before = store.get_run(run_id).to_dictionary()
    with pytest.raises(UserError, match=f"MLFLOW_RUN_ID={run_id}: that run is {status}") as refused, step():
        pass
    assert "\n" not in str(refused.value)
    assert store.get_run(run_id).to_dictionary() == before
    assert len(statuses(store)) == 1


@pytest.mark.parametrize("used", [{"step": "train"}, {"role": "candidate"}, {"trial_number": "3"}], ids=str)
def test_a_run_that_a_step_has_used_is_not_taken_over(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, used: dict[str, str]
) -> None:
    run_id = begun(monkeypatch)
    for name, value in used.items():
        store.set_tag(run_id, name, value)
    before = store.get_run(run_id).to_dictionary()
    with pytest.raises(UserError, match=r"MLFLOW_RUN_ID=.* has been used already"), step():
        pass
    runs.leave_mistake(run_id, "tune", "unknown parameter")
    assert store.get_run(run_id).to_dictionary() == before


@pytest.mark.parametrize("run_id", ["0" * 32, "no id", "../x"])
def test_a_run_that_is_not_there_is_not_taken_over(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(UserError, match=r"MLFLOW_RUN_ID=.*: no such run .*unset it"), step():
        pass
    assert statuses(store) == []


def fail(error: Exception, described: str) -> None:
    if described:
        runs.describe(described)
    raise error


REASONS = [
    (
        UserError("no file x.csv;\ngive another"),
        "refused: no file x.csv;",
        "**Refused.** no file x.csv;\ngive another",
    ),
    (ValueError("odd\nshape"), "failed: ValueError: odd", "**Failed.** ValueError: odd"),
    (RuntimeError(), "failed: RuntimeError", "**Failed.** RuntimeError"),
    (UserError("no http://ann:hunter2@db"), "refused: no http://db", "**Refused.** no http://db"),
]


@pytest.mark.parametrize(("error", "why", "note"), REASONS, ids=["refused", "failed", "silent", "secret"])
@pytest.mark.parametrize("described", ["", "Under way."])
def test_a_failed_run_says_why_in_its_name_and_description(
    store: mlflow.MlflowClient, error: Exception, why: str, note: str, described: str
) -> None:
    with pytest.raises(type(error)), step() as above, runs.child_run("trial 1", {}, {}) as below:
        fail(error, described)
    for run_id, name in ((above, "made up"), (below, "trial 1")):
        run = store.get_run(run_id)
        assert run.info.run_name == f"{name}: {why}"
        until_then = f"\n\nUntil then: {described}" if described and run_id == below else ""
        assert run.data.tags["mlflow.note.content"] == note + until_then


def test_a_run_that_fails_again_and_then_succeeds_says_what_is_true(store: mlflow.MlflowClient) -> None:
    with pytest.raises(ValueError, match="first"), step() as run_id:
        fail(ValueError("first"), "Under way.")
    with pytest.raises(KeyError), runs.reopened_run(run_id):
        raise KeyError("second")
    run = store.get_run(run_id)
    assert run.info.run_name == "made up: failed: KeyError: 'second'"
    assert run.data.tags["mlflow.note.content"] == "**Failed.** KeyError: 'second'\n\nUntil then: Under way."
    with runs.reopened_run(run_id):
        runs.describe("Done.")
    run = store.get_run(run_id)
    assert (run.info.run_name, run.data.tags["mlflow.note.content"]) == ("made up", "Done.")


def test_the_reason_of_a_failure_fits_every_store(store: mlflow.MlflowClient) -> None:
    with pytest.raises(UserError), runs.step_run("tune", {}, "n" * 240) as run_id:
        fail(UserError("x" * 10_000 + "\0\udcff"), "y" * 5_000)
    run = store.get_run(run_id)
    assert len(run.info.run_name) <= 250
    assert ": refused: xxx" in run.info.run_name
    assert len(run.data.tags["mlflow.note.content"]) <= 8_000


def test_a_failed_run_keeps_the_name_that_the_user_gave_it(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(monkeypatch, "mine")
    with pytest.raises(ValueError, match="odd"), step() as run_id:
        raise ValueError("odd")
    with pytest.raises(ValueError, match="even"), runs.reopened_run(run_id):
        raise ValueError("even")
    run = store.get_run(run_id)
    assert run.info.run_name == "mine"
    assert run.data.tags["mlflow.note.content"] == "**Failed.** ValueError: even"


def write_everywhere(text: str, address: str) -> None:
    runs.describe(text, {"reason": text})
    runs.tag_active({"address": address})
    runs.rename_active(text)
    with runs.child_run(text, {"reason": text}, {"note": text}):
        raise ValueError(f"odd {text} {address}")


def test_no_planted_secret_is_recorded(
    store: mlflow.MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_ones = [begin + drawn(7, letters, length) for begin, letters, length in TOKENS.values()]
    text, address = " and ".join(drawn_ones), "https://ann:hunter2@example.org/x.csv"
    (tmp_path / "project" / "starcast").mkdir(parents=True)
    (tmp_path / "project" / "starcast" / "a.py").write_text(f"login('{text}', '{address}')\n")
    monkeypatch.setattr(git, "FOLDER", tmp_path / "project")
    monkeypatch.setenv(LAUNCHER, "")  # restored after the test: a run of an address sets it
    with mlflow.start_run(tags={"mlflow.source.name": address, **PROJECT}) as begun:
        pass
    store.update_run(begun.info.run_id, "RUNNING")
    monkeypatch.setenv("MLFLOW_RUN_ID", begun.info.run_id)
    given = DataParameters(data=address, text_column=text).as_text()
    with pytest.raises(ValueError, match="odd"), runs.step_run("tune", given, f"tune {text}"):
        write_everywhere(text, address)
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        kept = "\n".join(database.iterdump())
    kept += "".join(path.read_text() for path in (tmp_path / "artifacts").rglob("*.*"))
    assert "odd ... and ..." in kept
    assert [secret for secret in (*drawn_ones, "hunter2") if secret in kept] == []


def test_a_mistake_in_parameters_is_left_on_the_run_that_mlflow_began(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begun(monkeypatch)
    runs.leave_mistake(run_id, "tune", "unknown parameter")
    run = store.get_run(run_id)
    assert (run.info.run_name, run.info.status) == ("tune: refused: unknown parameter", "RUNNING")
    assert run.data.tags["mlflow.note.content"] == "**Refused.** unknown parameter"
    assert "step" not in run.data.tags, "else resume=latest would take it for an unfinished search"


def test_a_mistake_is_left_on_no_other_run(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(run_name="mine", tags=PROJECT) as finished:
        pass
    runs.leave_mistake(finished.info.run_id, "tune", "unknown parameter")
    runs.leave_mistake("0" * 32, "tune", "unknown parameter")
    run = store.get_run(finished.info.run_id)
    assert run.info.run_name == "mine"
    assert "mlflow.note.content" not in run.data.tags


def test_an_interrupted_step_says_how_to_start_it_again(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    again = "python3 run.py sampling -P repeats=1"
    ways = [runs.step_run("sampling", {}, "made up"), runs.told_if_interrupted("sampling", again)]
    with pytest.raises(KeyboardInterrupt), ways[0] as run_id, ways[1]:
        raise KeyboardInterrupt
    assert f"sampling: interrupted; start again with: {again}\n" in capsys.readouterr().out
    run = store.get_run(run_id)
    assert (run.info.status, run.data.tags["mlflow.note.content"]) == (
        "KILLED",
        f"**Interrupted.** To start again: `{again}`",
    )
