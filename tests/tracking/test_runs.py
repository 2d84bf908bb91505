"""Runs of steps and trials: closed with the status that says how they ended, with or without a server."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import mlflow
import pytest
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.tracking import runs
from starcast.tracking.patience import RETRIES, ServerGoneError
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
    with mlflow.start_run() as begun:
        mlflow.log_param("data", "'my file.csv'")  # as `mlflow run` writes it into its command
    monkeypatch.setenv("MLFLOW_RUN_ID", begun.info.run_id)
    with runs.step_run("tune", {"data": "my file.csv", "seed": "42"}, "made up") as run_id:
        assert run_id == begun.info.run_id
    assert store.get_run(run_id).data.params == {"data": "'my file.csv'", "seed": "42"}
