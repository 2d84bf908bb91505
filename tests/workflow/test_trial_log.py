"""The log of a search's trials on a real store: runs as the design lays them out, closed whatever happens."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from starcast.cli.processes import PROCESS
from starcast.models.catalogue import family_named
from starcast.search.loop import Done, Failed, Reported, Result
from starcast.search.trials import Outcome, Proposal, Trial
from starcast.tracking import lineage, trial_log
from starcast.tracking.artifacts import fetch
from starcast.tracking.liveness import TakenOverError
from starcast.tracking.patience import Patience, ServerGoneError
from starcast.tracking.scored_runs import read_answers
from starcast.tracking.trial_log import TrialLog
from tests.workflow.logged_search import (
    RATINGS,
    begin_log,
    children,
    curve_of,
    gru,
    logistic,
    parameters,
    search_run,
)

ASKED = parameters()
LONG = 60.0  # seconds that nothing of this takes, on a busy machine either
CURVE = (0.5, 0.75, 0.625)
PREDICTED = (RATINGS + 1).clip(0, 4)
KEPT = {"val_auc": 0.75, "val_mae": 0.5}
FACTS = {"best_epoch": 2.0, "epochs_run": 3.0, "parameters": 1234.0}


@pytest.fixture
def parent(store: mlflow.MlflowClient) -> Iterator[Run]:
    with search_run(ASKED) as run:
        yield run


def log_epochs(log: TrialLog, number: int, curve: tuple[float, ...] = CURVE) -> None:
    for epoch, value in enumerate(curve, start=1):
        metrics = {"val_auc": value, "loss": 2 - value}
        log.report(Reported(number, epoch, metrics, True, PREDICTED))


def trial(proposal: Proposal, outcome: Outcome, curve: tuple[float, ...] = CURVE, reason: str = "") -> Trial:
    return Trial(proposal, outcome, None if outcome == "failed" else 0.75, curve, reason)


def log_complete(log: TrialLog, proposal: Proposal) -> None:
    log.begin(proposal)
    log_epochs(log, proposal.number)
    log.end(trial(proposal, "complete"), Done(proposal.number, KEPT, Result([PREDICTED], FACTS)))


def test_a_complete_trial(store: mlflow.MlflowClient, parent: Run) -> None:
    log, before = begin_log(parent, ASKED), time.time() * 1000
    log_complete(log, gru(7))
    log.flush()
    [run] = children(store, parent)
    assert log.run_ids == {7: run.info.run_id}
    assert run.info.run_name == "trial 007 gru_1"
    assert run.info.experiment_id == parent.info.experiment_id
    assert run.info.status == "FINISHED"
    assert before - 1 <= run.info.start_time <= run.info.end_time <= time.time() * 1000
    wanted = {"family": "gru_1", "engine": "hyperopt", "trial_number": "7", "outcome": "complete"}
    assert wanted.items() <= run.data.tags.items()
    assert "reason" not in run.data.tags
    assert run.data.params == {
        **{
            "family": "gru_1",
            "units_1": "8",
            "dropout_1": "0.3",
            "dropout_2": "0.0",
            "learning_rate": "0.01",
        },
        **{"sampling": "none", "batch_size": "64", "schedule": "linear", "epochs": "3", "executions": "1"},
    }
    assert curve_of(store, run, "val_auc") == {1: 0.5, 2: 0.75, 3: 0.625, 4: 0.75}
    assert curve_of(store, run, "val_mae") == {4: 0.5}
    assert curve_of(store, run, "loss") == {1: 1.5, 2: 1.25, 3: 1.375}
    assert run.data.metrics["val_auc"] == 0.75
    assert {name: run.data.metrics[name] for name in FACTS} == FACTS


def test_the_artifacts_of_a_complete_trial(store: mlflow.MlflowClient, parent: Run) -> None:
    log = begin_log(parent, ASKED)
    log_complete(log, gru(1))
    log.flush()
    run_id = log.run_ids[1]
    names = {item.path for item in store.list_artifacts(run_id)}
    split = {"confusion_matrix_val.json", "confusion_matrix_val.png", "classification_report_val.json"}
    assert names == {"settings.json", *split}
    settings = {
        name: value for name, value in gru().settings.items() if name not in ("sampling", "batch_size")
    }
    assert json.loads(fetch(run_id, "settings.json").read_text()) == settings
    matrix = json.loads(fetch(run_id, "confusion_matrix_val.json").read_text())["matrix"]
    assert [sum(row) for row in matrix] == [1, 1, 1, 2, 3]
    assert matrix[0][1] == matrix[1][2] == matrix[2][3] == 1


def test_executions_are_counted_together_and_their_curves_kept(
    store: mlflow.MlflowClient, parent: Run
) -> None:
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log_epochs(log, 1)
    curves = [(epoch, {"execution_2/val_auc": epoch / 10}) for epoch in (1, 2)]
    log.end(
        trial(gru(1), "complete"),
        Done(1, KEPT, Result([PREDICTED, RATINGS], {**FACTS, "epochs_run": 5.0}, curves)),
    )
    log.flush()
    [run] = children(store, parent)
    assert curve_of(store, run, "execution_2/val_auc") == {1: 0.1, 2: 0.2}
    assert run.data.metrics["epochs_run"] == 5
    matrix = json.loads(fetch(run.info.run_id, "confusion_matrix_val.json").read_text())["matrix"]
    assert [sum(row) for row in matrix] == [2, 2, 2, 4, 6]


def test_a_trial_that_reports_within_epochs_says_at_which_epoch_it_was_pruned(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(family_named("gru_1")), "reports", 4)
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log.end(trial(gru(1), "pruned", (0.5, 0.6, 0.7, 0.7, 0.8, 0.8), "too slow"), Done(1, {}, result=None))
    log.flush()
    [run] = children(store, parent)
    assert run.info.run_name == "trial 001 gru_1: pruned at epoch 1.5"


def test_a_pruned_trial_says_so_and_keeps_the_matrix_of_its_last_epoch(
    store: mlflow.MlflowClient, parent: Run
) -> None:
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log_epochs(log, 1, CURVE[:2])
    log.end(trial(gru(1), "pruned", CURVE[:2], "too slow"), Done(1, {"val_auc": 0.75}, result=None))
    log.flush()
    [run] = children(store, parent)
    assert run.info.status == "KILLED"
    assert run.data.tags["outcome"] == "pruned"
    assert curve_of(store, run, "val_auc") == {1: 0.5, 2: 0.75}
    assert run.data.metrics["epochs_run"] == 2
    assert run.info.run_name == "trial 001 gru_1: pruned at epoch 2"
    assert run.data.tags["mlflow.note.content"] == "**Pruned** after epoch 2: too slow."
    matrix = json.loads(fetch(run.info.run_id, "confusion_matrix_val.json").read_text())["matrix"]
    assert [sum(row) for row in matrix] == [1, 1, 1, 2, 3]
    assert matrix[0][1] == matrix[1][2] == matrix[2][3] == 1


def test_a_matrix_of_an_epoch_counts_the_reviews_that_were_looked_at(
    store: mlflow.MlflowClient, parent: Run
) -> None:
    log, places = begin_log(parent, ASKED), np.array([2, 7])
    log.begin(gru(1))
    log.report(Reported(1, 1, {"val_auc": 0.5}, True, RATINGS[places], places))
    log.end(trial(gru(1), "pruned", CURVE[:1]), Done(1, {"val_auc": 0.5}, result=None))
    log.flush()
    matrix = json.loads(fetch(log.run_ids[1], "confusion_matrix_val.json").read_text())["matrix"]
    assert np.diag(matrix).tolist() == [0, 0, 1, 1, 0]


def test_a_trial_has_the_data_sets_of_its_search_and_keeps_its_answers(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as run:
        lineage.log_dataset(pl.Schema({"text": pl.String}), 8, "reviews", "d1", "reviews.csv", "validation")
        log = begin_log(store.get_run(run.info.run_id), ASKED, review_ids=pl.Series(np.arange(8)[::-1]))
        log.begin(gru(1))
        given = np.eye(5, dtype=np.float16)[PREDICTED]
        log.end(trial(gru(1), "complete"), Done(1, KEPT, Result([PREDICTED], FACTS, probabilities=given)))
        log.flush()
    [made] = children(store, run)
    assert [each.dataset.digest for each in made.inputs.dataset_inputs] == ["d1"]
    answers = read_answers(fetch(made.info.run_id, "predictions_val.parquet"))
    assert answers.ratings.tolist() == RATINGS[::-1].tolist()
    assert answers.probabilities.dtype == np.float32
    assert (answers.probabilities == given[::-1]).all()


@pytest.mark.parametrize("traceback", ["Traceback (most recent call last):\n  ...\nMemoryError: no room", ""])
def test_a_failed_trial(store: mlflow.MlflowClient, parent: Run, traceback: str) -> None:
    log = begin_log(parent, ASKED)
    log.begin(logistic(1))
    log.end(
        trial(logistic(1), "failed", (), "MemoryError: no room"), Failed(1, "MemoryError: no room", traceback)
    )
    log.flush()
    [run] = children(store, parent)
    assert run.info.status == "FAILED"
    assert run.data.tags["outcome"] == "failed"
    assert run.data.tags["reason"] == "MemoryError: no room"
    assert run.info.run_name == "trial 001 logistic_regression: failed: MemoryError: no room"
    assert run.data.tags["mlflow.note.content"] == "**Failed.** MemoryError: no room"
    assert run.data.metrics["epochs_run"] == 0
    assert fetch(run.info.run_id, "traceback.txt").read_text() == (traceback or "MemoryError: no room")


@pytest.mark.parametrize(
    "reason", ["x" * 20_000, "ValueError: ", "é\U0001f600" * 3_000, "tab\tand \x00 zero"]
)
def test_any_reason_of_a_failure_can_be_logged(store: mlflow.MlflowClient, parent: Run, reason: str) -> None:
    log = begin_log(parent, ASKED)
    log.begin(logistic(1))
    log.end(trial(logistic(1), "failed", (), reason), Failed(1, reason, reason))
    log.flush()
    [run] = children(store, parent)
    assert run.info.status == "FAILED"
    assert reason.replace("\0", "\ufffd").startswith(run.data.tags["reason"][:20])
    assert run.info.run_name.startswith("trial 001 logistic_regression: failed: ")


def test_losses_that_are_no_numbers_do_not_stop_a_search(store: mlflow.MlflowClient, parent: Run) -> None:
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log.report(Reported(1, 1, {"val_auc": 0.5, "loss": float("nan"), "val_loss": float("inf")}, waits=False))
    log.end(trial(gru(1), "complete", (0.5,)), Done(1, KEPT, Result([PREDICTED], FACTS)))
    log.flush()
    assert [run.info.status for run in children(store, parent)] == ["FINISHED"]


def test_trials_side_by_side(store: mlflow.MlflowClient, parent: Run) -> None:
    log = begin_log(parent, ASKED)
    proposals = [gru(1), logistic(2), gru(3)]
    for proposal in proposals:
        log.begin(proposal)
    for epoch, value in enumerate(CURVE, start=1):
        for proposal in proposals:
            log.report(Reported(proposal.number, epoch, {"val_auc": value / proposal.number}, waits=True))
    for proposal in reversed(proposals):
        log.end(trial(proposal, "pruned"), Done(proposal.number, {}, result=None))
    log.flush()
    runs = children(store, parent)
    assert [run.data.tags["family"] for run in runs] == ["gru_1", "logistic_regression", "gru_1"]
    for number, run in enumerate(runs, start=1):
        assert list(curve_of(store, run, "val_auc").values()) == [value / number for value in CURVE]


def test_an_interrupt_closes_what_is_open_and_nothing_else(store: mlflow.MlflowClient, parent: Run) -> None:
    log = begin_log(parent, ASKED)
    log_complete(log, logistic(1))
    log.begin(gru(2))
    log_epochs(log, 2, CURVE[:1])
    log.begin(gru(3))
    log.interrupt()
    runs = children(store, parent)
    assert [run.info.status for run in runs] == ["FINISHED", "KILLED", "KILLED"]
    assert [run.data.tags["outcome"] for run in runs] == ["complete", "interrupted", "interrupted"]
    assert curve_of(store, runs[1], "val_auc") == {1: 0.5}
    assert all(run.info.end_time for run in runs)
    log.check()


def test_an_interrupt_of_a_search_that_has_begun_nothing(store: mlflow.MlflowClient, parent: Run) -> None:
    begin_log(parent, ASKED).interrupt()
    assert children(store, parent) == []


def test_logging_does_not_wait_for_the_store(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, logged = mlflow.MlflowClient.create_run, threading.Event()

    def slow(*arguments: object, **more: object) -> Run:
        assert logged.wait(LONG), "logging waits for the store"
        time.sleep(0.5)
        return create(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(mlflow.MlflowClient, "create_run", slow)
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log_epochs(log, 1)
    log.end(trial(gru(1), "pruned"), Done(1, {}, result=None))
    logged.set()
    log.flush()
    assert log.seconds - 0.5 > log.cpu_seconds > 0
    assert [run.info.status for run in children(store, parent)] == ["KILLED"]


def failing(error: Exception, times: int = 10**9) -> Callable[..., None]:
    left = [times]

    def fail(*_: object, **__: object) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise error

    return fail


@pytest.mark.parametrize("method", ["create_run", "log_batch", "log_artifacts", "set_terminated"])
@pytest.mark.parametrize(
    "error", [MlflowException("disk full"), OSError("disk full")], ids=["MlflowException", "OSError"]
)
def test_an_error_of_writing_ends_the_search_at_its_next_look(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch, method: str, error: Exception
) -> None:
    monkeypatch.setattr(mlflow.MlflowClient, method, failing(error))
    log = begin_log(parent, ASKED)
    log.check()
    log.begin(gru(1))
    log.begin(gru(2))
    log.end(trial(gru(1), "pruned"), Done(1, {}, result=None))
    with pytest.raises(type(error), match="disk full"):
        log.flush()
    with pytest.raises(type(error), match="disk full"):
        log.check()
    monkeypatch.undo()  # one write failed, and the next would not
    before = time.monotonic()
    log.interrupt()
    assert time.monotonic() - before < trial_log.FLUSH_SECONDS  # it waits for nothing
    assert {run.info.status for run in children(store, parent)} <= {"KILLED"}


def test_a_server_that_stays_away_says_how_many_writes_are_lost_and_how_to_go_on(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away(Patience):
        def through(self, _: object) -> None:  # type: ignore[override]
            raise ServerGoneError("the tracking server stayed away for 1 min")

    log = begin_log(parent, ASKED, patience=Away(60, print))
    log.begin(gru(1))
    log_epochs(log, 1)
    with pytest.raises(
        ServerGoneError, match=rf"stayed away for 1 min; [1-5] writes .*resume={parent.info.run_id}"
    ) as gone:
        log.flush()
    assert "\n" not in str(gone.value)


class Twice(Patience):
    """The server dies once in each write, before it (`done` false) or after it was done."""

    def __init__(self, done: bool) -> None:
        super().__init__(1, print)
        self.done = done

    def through(self, write: Callable[[bool], object]) -> object:  # type: ignore[override]
        if self.done:
            write(False)
        return write(True)


@pytest.mark.parametrize("done", [False, True])
def test_a_write_that_is_repeated_leaves_one_run_and_one_value(
    store: mlflow.MlflowClient, parent: Run, done: bool
) -> None:
    log = begin_log(parent, ASKED, patience=Twice(done))
    for number in (1, 2, 12):
        log_complete(log, gru(number))
    log.begin(gru(13))
    log.interrupt()
    log.check()
    runs = children(store, parent)
    assert [int(run.data.tags["trial_number"]) for run in runs] == [1, 2, 12, 13]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED", "FINISHED", "KILLED"]
    for run in runs[:3]:
        assert curve_of(store, run, "val_auc") == {1: 0.5, 2: 0.75, 3: 0.625, 4: 0.75}


def test_a_repeated_creation_takes_no_run_of_another_search(store: mlflow.MlflowClient, parent: Run) -> None:
    with search_run(ASKED) as other:
        log = begin_log(other, ASKED)
        log_complete(log, logistic(1))
        log.flush()
        log = begin_log(parent, ASKED, patience=Twice(done=False))
        log_complete(log, gru(1))
        log.flush()
        assert [run.data.tags["family"] for run in children(store, parent)] == ["gru_1"]
        assert [run.data.tags["family"] for run in children(store, other)] == ["logistic_regression"]


def test_an_interrupt_waits_only_so_long_for_the_store(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial_log, "FLUSH_SECONDS", 0.2)
    ended = threading.Event()
    monkeypatch.setattr(mlflow.MlflowClient, "create_run", lambda *_, **__: ended.wait(LONG))
    log = begin_log(parent, ASKED)
    log.begin(gru(1))
    log.interrupt()
    assert log._thread.is_alive()  # the store has not answered yet
    ended.set()
    log._thread.join()


@pytest.mark.parametrize("when", ["before it begins", "before it ends", "before it is interrupted"])
def test_nothing_of_a_trial_is_written_once_another_process_has_the_search(
    store: mlflow.MlflowClient, parent: Run, when: str
) -> None:
    log = begin_log(parent, ASKED)
    if when != "before it begins":
        log.begin(gru(1))
        log_epochs(log, 1)
        while not children(store, parent) or len(curve_of(store, children(store, parent)[0], "loss")) < 3:
            time.sleep(0.01)
    before = [run.to_dictionary() for run in children(store, parent)]
    store.set_tag(parent.info.run_id, PROCESS, "elsewhere:7:77@boot/1")
    if when == "before it begins":
        log.begin(gru(1))
    elif when == "before it ends":
        log.end(trial(gru(1), "pruned"), Done(1, {}, result=None))
    else:
        log.interrupt()
    with pytest.raises(TakenOverError, match="taken over by process 7 on elsewhere"):
        log.flush()
    assert [run.to_dictionary() for run in children(store, parent)] == before


def test_an_interrupt_that_polars_hands_to_the_writing_thread_costs_no_trial(
    store: mlflow.MlflowClient, parent: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, interrupts = trial_log.files.write_split_files, [KeyboardInterrupt()]

    def interrupted(*given: Any) -> None:
        if interrupts:
            raise interrupts.pop()
        write(*given)

    monkeypatch.setattr(trial_log.files, "write_split_files", interrupted)
    log = begin_log(parent, ASKED)
    for number in (1, 2):
        log_complete(log, logistic(number))
    log.interrupt()
    assert not interrupts
    assert [run.info.status for run in children(store, parent)] == ["FINISHED", "FINISHED"]
    assert {item.path for item in store.list_artifacts(log.run_ids[1])} >= {"confusion_matrix_val.json"}
