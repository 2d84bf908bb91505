"""A run shows that its process lives, and a process notices that another has taken its run over."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

from starcast.cli.errors import UserError
from starcast.cli.processes import PROCESS
from starcast.tracking import liveness, runs
from starcast.tracking import store as tracking_store
from starcast.tracking.liveness import SIGN, TakenOverError, shows_life

OTHER = "elsewhere:7:77@boot/1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs and looks come quickly."""
    monkeypatch.setattr(liveness, "SIGN_EVERY", 0.1)
    monkeypatch.setattr(liveness, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(liveness, "SILENCE", 3.0)


def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait, as a step does that works in Python."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def taken(run_id: str, status: str = "RUNNING") -> None:
    """Do what another process does that takes a run over and, maybe, ends it."""
    client = mlflow.MlflowClient()
    client.set_tag(run_id, PROCESS, OTHER)
    client.update_run(run_id, status)


@contextmanager
def step() -> Iterator[str]:
    with runs.step_run("tune", {}, "made up") as run_id:
        yield run_id


@contextmanager
def reopened() -> Iterator[str]:
    with mlflow.start_run() as earlier:
        pass
    taken(earlier.info.run_id, "KILLED")
    with step(), runs.reopened_run(earlier.info.run_id):
        yield str(earlier.info.run_id)


def test_a_running_step_shows_life_and_a_dead_one_does_not(store: mlflow.MlflowClient) -> None:
    with step() as run_id:
        assert shows_life(store.get_run(run_id))
    store.update_run(run_id, "RUNNING")
    liveness.SILENCE = 0.3
    assert not shows_life(store.get_run(run_id))


@pytest.mark.parametrize("now", [0.0, 2e9], ids=["1970", "2033"])
def test_signs_are_seen_whatever_the_clock_says(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    began, gmtime = time.monotonic(), time.gmtime
    monkeypatch.setattr(time, "gmtime", lambda: gmtime(now + time.monotonic() - began))
    with step() as run_id:
        assert shows_life(store.get_run(run_id))


def test_a_run_of_an_earlier_version_shows_life_by_its_system_metrics(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("system/cpu_utilization_percentage", 1.0, step=0)
        watched = store.get_run(run.info.run_id)
        liveness.SILENCE = 0.3
        assert not shows_life(watched)
        mlflow.log_metric("system/cpu_utilization_percentage", 2.0, step=1)
        assert shows_life(watched)


@pytest.mark.parametrize("shape", [step, reopened])
@pytest.mark.parametrize("status", ["RUNNING", "FINISHED"])
def test_a_step_stops_once_its_run_is_taken_over_and_leaves_the_run_alone(
    store: mlflow.MlflowClient, shape: Callable[[], AbstractContextManager[str]], status: str
) -> None:
    def lose(run_id: str) -> None:
        until(lambda: SIGN in store.get_run(run_id).data.tags)
        others.append(threading.Thread(target=taken, args=(run_id, status)))
        others[0].start()  # the step may be stopped before the other process is done
        until(lambda: False)

    others = list[threading.Thread]()
    with pytest.raises(TakenOverError, match="was taken over by process 7 on elsewhere: "), shape() as run_id:
        lose(run_id)
    others[0].join()
    run = store.get_run(run_id)
    assert (run.info.status, run.data.tags[PROCESS]) == (status, OTHER)
    assert "mlflow.note.content" not in run.data.tags
    assert mlflow.active_run() is None
    ends = {each.info.status for each in store.search_runs([run.info.experiment_id])} - {status}
    assert ends <= {"FAILED", "FINISHED"}, "the run of the command itself has failed"


@pytest.mark.parametrize("error", [None, ValueError(), KeyboardInterrupt(), UserError("no")], ids=str)
def test_a_step_that_ends_before_it_notices_leaves_a_run_that_was_taken_alone(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    monkeypatch.setattr(liveness, "SIGN_EVERY", 60.0)

    def end(run_id: str) -> None:
        taken(run_id)
        if error:
            runs.leave_word("Interrupted.")
            raise error

    with pytest.raises(TakenOverError), step() as run_id:
        end(run_id)
    run = store.get_run(run_id)
    assert (run.info.status, run.data.tags[PROCESS]) == ("RUNNING", OTHER)
    assert "mlflow.note.content" not in run.data.tags
    assert mlflow.active_run() is None


def test_only_the_run_that_was_taken_is_left_and_those_around_it_are_closed(
    store: mlflow.MlflowClient,
) -> None:
    def lose(run_id: str) -> None:
        with runs.child_run("candidate", {}, {}) as child:
            made.append(child)
            taken(run_id)
            until(lambda: False)

    made = list[str]()
    with pytest.raises(TakenOverError), runs.step_run("main", {}, "main") as main, step() as run_id:
        lose(run_id)
    [child] = made
    ends = {each: store.get_run(each).info.status for each in (main, run_id, child)}
    assert ends == {main: "FAILED", run_id: "RUNNING", child: "FAILED"}
    assert "was taken over" in store.get_run(main).data.tags["mlflow.note.content"]


def test_a_child_does_not_finish_below_a_run_that_was_taken(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "SIGN_EVERY", 60.0)
    with pytest.raises(TakenOverError), step() as run_id, runs.child_run("candidate", {}, {}) as child:
        taken(run_id)
    assert store.get_run(child).info.status == "FAILED"


@pytest.mark.parametrize("status", ["RUNNING", "FINISHED"])
def test_a_search_goes_on_by_itself_whatever_became_of_the_job_above_it(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    with runs.step_run("main", {}, "main") as main, step() as search:
        pass
    store.set_tag(main, PROCESS, OTHER)
    store.update_run(main, status=status)
    monkeypatch.setattr(runs, "_opened", set())  # the job was another process
    with step(), runs.reopened_run(search), runs.child_run("candidate", {}, {}):
        runs.check_own()


@pytest.mark.parametrize("status", ["RUNNING", "FINISHED"])
def test_a_candidate_is_not_registered_once_its_search_was_taken(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(liveness, "SIGN_EVERY", 60.0)

    def register(search: str) -> None:
        taken(search, status)
        runs.check_own()
        registered.append(search)

    registered = list[str]()
    with pytest.raises(TakenOverError), step() as search, runs.child_run("candidate", {}, {}):
        register(search)
    assert not registered


def test_a_run_that_mlflow_run_closed_for_its_dead_process_is_running_again(
    store: mlflow.MlflowClient,
) -> None:
    with reopened() as run_id:
        store.set_terminated(run_id, "FAILED")
        until(lambda: store.get_run(run_id).info.status == "RUNNING")
    assert store.get_run(run_id).info.status == "FINISHED"


def test_a_sign_that_cannot_be_written_ends_no_step_and_the_thread_ends_with_it(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, write = list[str](), mlflow.MlflowClient.set_tag

    def fail(self: mlflow.MlflowClient, run_id: str, name: str, value: object) -> None:
        if name == SIGN:
            tried.append(run_id)
            raise MlflowException("database is locked")
        write(self, run_id, name, value)

    monkeypatch.setattr(mlflow.MlflowClient, "set_tag", fail)
    before = set(threading.enumerate())
    with step() as run_id:
        until(lambda: len(tried) > 2)
    assert store.get_run(run_id).info.status == "FINISHED"
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {name for name in left if "_give_signs" in name}


def test_a_sign_that_comes_after_the_end_does_not_begin_the_run_again(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with step() as run_id:
        pass
    ended = threading.Event()
    ended.set()
    liveness._give_sign(run_id, ended)
    assert store.get_run(run_id).info.status == "FINISHED"


def test_a_step_within_another_is_in_its_experiment_whatever_the_environment_names(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with step() as above:
        monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
        monkeypatch.setattr(mlflow.tracking.fluent, "_active_experiment_id", None)
        with step() as below, runs.child_run("fit", {}, {}) as fit:
            pass
    assert len({store.get_run(each).info.experiment_id for each in (above, below, fit)}) == 1


@pytest.mark.parametrize(("status", "there"), [(200, True), (401, True), (502, False), (429, False)])
def test_a_server_answers_unless_it_or_its_database_is_away(
    monkeypatch: pytest.MonkeyPatch, status: int, there: bool
) -> None:
    answer = requests.Response()
    answer.status_code = status
    monkeypatch.setattr(tracking_store, "ask_server", lambda *_, **__: answer)
    assert tracking_store.answers("http://proxy") is there
