"""A search read back is the search that was logged; what cannot be gone on with is refused in one line."""

import itertools
import math
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.cli.parameters import MayChange
from starcast.cli.processes import PROCESS, shown, this_process
from starcast.models.space import Choices, Range, Value
from starcast.reports import files
from starcast.search.loop import Done, Failed, Reported, Result
from starcast.search.trials import Outcome, Proposal, Trial
from starcast.tracking import liveness, resumption, runs
from starcast.tracking.resumption import read_search
from starcast.tracking.trial_log import TrialLog
from starcast.workflow.search_parameters import TuneParameters
from tests.workflow.logged_search import RATINGS, begin_log, children, gru, logistic, parameters, search_run

ASKED = parameters()
SCORES = st.floats(0, 1) | st.floats(1e-320, 1e-300) | st.floats(0, 1e6)
OUTCOMES: tuple[Outcome, ...] = ("complete", "pruned", "failed")


@pytest.fixture(scope="module")
def one_store(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[mlflow.MlflowClient]:
    """A store for all examples of a property: each has a parent of its own."""
    folder = tmp_path_factory.mktemp("resumption")
    shutil.copy(empty_database, folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    experiment = mlflow.create_experiment("many searches", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(experiment_id=experiment)
    yield mlflow.MlflowClient(uri)
    mlflow.set_tracking_uri(None)


def _values(values: Choices | Range) -> st.SearchStrategy[Value]:
    if not isinstance(values, Range):
        return st.sampled_from(values)
    numbers = st.integers(int(values.low), int(values.high))
    return numbers if values.whole else st.floats(values.low, values.high)


@st.composite
def proposals(draw: st.DrawFn, asked: TuneParameters, number: int) -> Proposal:
    spaces = asked.spaces()
    family = draw(st.sampled_from(sorted(spaces)))
    chosen = {name: draw(_values(values)) for name, values in spaces[family].items()}
    epochs = (
        draw(st.integers(1, asked.max_epochs - 1)) if asked.chosen_engine().algorithm == "hyperband" else None
    )
    return Proposal(number, family, chosen, epochs if draw(st.booleans()) else None)


@st.composite
def trials(draw: st.DrawFn, asked: TuneParameters) -> list[Trial]:
    """Trials as `starcast.search.loop` makes them."""
    goal = asked.goal()
    numbers = sorted(draw(st.sets(st.integers(1, 1_200), max_size=5)))
    made = []
    for number in numbers:
        proposal = draw(proposals(asked, number))
        outcome = draw(st.sampled_from(OUTCOMES))
        if outcome != "failed" and proposal.epochs is not None:
            outcome = "pruned"
        least = 0 if outcome == "failed" else 1
        values = draw(st.lists(SCORES, min_size=least, max_size=4))
        curve = tuple(goal.score(value) for value in values)
        trained_to_its_end = outcome == "complete" or proposal.epochs is not None
        kept = goal.score(draw(SCORES)) if trained_to_its_end else (curve or (0.0,))[-1]
        reason = "ValueError: no" if outcome == "failed" else ""
        made.append(Trial(proposal, outcome, None if outcome == "failed" else kept, curve, reason))
    return made


def event_of(trial: Trial, asked: TuneParameters) -> Done | Failed:
    number, goal = trial.proposal.number, asked.goal()
    if trial.score is None:
        return Failed(number, trial.reason, "")
    trained_to_its_end = trial.outcome == "complete" or trial.proposal.epochs is not None
    result = Result([RATINGS], {"best_epoch": 1.0}) if trained_to_its_end else None
    return Done(number, {goal.name: goal.score(trial.score), "val_accuracy": 0.5}, result)


def log_trials(log: TrialLog, made: list[Trial], asked: TuneParameters) -> None:
    """All of them side by side, as many workers would."""
    goal = asked.goal()
    for trial in made:
        log.begin(trial.proposal)
    for epoch, column in enumerate(itertools.zip_longest(*(trial.curve for trial in made)), start=1):
        for trial, score in zip(made, column, strict=True):
            if score is not None:
                log.report(
                    Reported(
                        trial.proposal.number,
                        epoch,
                        {goal.name: goal.score(score), "loss": math.nan},
                        waits=True,
                    )
                )
    for trial in reversed(made):
        log.end(trial, event_of(trial, asked))


OWN = (
    '{"gru_1": {"learning_rate": {"low": 1e-7, "high": 0.3, "log": true}, "units_1": {"low": 3, "high": 99}, '
    '"dropout_1": {"low": 0, "high": 0.9}, "dropout_2": 0.15}}'
)
ASKED_FOR = st.sampled_from(
    [
        {"objective": "val_auc"},
        {"objective": "val_loss"},
        {"objective": "val_mae", "sampling": "none", "batch_size": "32"},
        {"engine": "keras-tuner", "algorithm": "hyperband", "max_epochs": 9, "families": "gru_1"},
        {"space": OWN},
    ]
)


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_search_read_back_is_the_one_that_was_logged(
    one_store: mlflow.MlflowClient, data: st.DataObject
) -> None:
    asked = parameters(**data.draw(ASKED_FOR))
    made = data.draw(trials(asked))
    with pytest.MonkeyPatch.context() as patch, search_run(asked) as parent:
        patch.setattr(files, "write_split_files", lambda *_: None)  # pictures
        log = begin_log(parent, asked)
        log_trials(log, made, asked)
        log.flush()
        read = read_search(
            mlflow.get_run(parent.info.run_id), asked.spaces(), asked.conditions(), asked.goal()
        )
    for trial in read.trials:
        assert 0 <= trial.seconds <= trial.ended + 0.1 <= read.age + 0.2
    assert [replace(trial, seconds=0, ended=0) for trial in read.trials] == made
    assert read.run_ids == log.run_ids
    assert read.next_number == max([trial.proposal.number for trial in made], default=0) + 1


def test_times_are_those_of_the_trials(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as parent:
        experiment, start = parent.info.experiment_id, parent.info.start_time
        tags = {
            "mlflow.parentRunId": parent.info.run_id,
            "trial_number": "1",
            "family": "gru_1",
            "outcome": "pruned",
        }
        run = store.create_run(experiment, start + 2_000, tags).info.run_id
        for name, value in {**gru().settings, "epochs": 3}.items():
            store.log_param(run, name, value)
        store.log_metric(run, "val_auc", 0.5, step=1)
        store.set_terminated(run, "KILLED", start + 9_500)
        [trial] = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        ).trials
    assert (trial.seconds, trial.ended) == (7.5, 9.5)
    assert trial.proposal == gru()


def test_what_was_under_way_is_closed_and_its_number_not_used_again(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as parent:
        log = begin_log(parent, ASKED)
        log.begin(gru(1))
        log.report(Reported(1, 1, {"val_auc": 0.5}, waits=True))
        log.end(Trial(gru(1), "pruned", 0.5, (0.5,)), Done(1, {}, result=None))
        log.begin(gru(2))
        log.report(Reported(2, 1, {"val_auc": 0.5}, waits=True))
        log.begin(logistic(3))
        log.flush()  # and the process is killed
        # Killed between the outcome of a trial and its end: the files may be missing.
        store.set_tag(log.run_ids[3], "outcome", "complete")
        with runs.child_run("preprocess made up", {}, {}) as other:
            store.set_terminated(other, "RUNNING")
            read = read_search(
                mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
            )
            assert store.get_run(other).info.status == "FAILED"
        assert [trial.proposal.number for trial in read.trials] == [1]
        assert read.next_number == 4
        found = [
            run for run in store.search_runs([parent.info.experiment_id]) if "trial_number" in run.data.tags
        ]
        ended = {run.data.tags["trial_number"]: (run.info.status, run.data.tags["outcome"]) for run in found}
        assert ended == {
            "1": ("KILLED", "pruned"),
            "2": ("FAILED", "interrupted"),
            "3": ("FAILED", "interrupted"),
        }
        again = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        )
        assert ([trial.proposal.number for trial in again.trials], again.next_number) == ([1], 4)


def test_interrupted_trials_are_not_ended_ones(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as parent:
        log = begin_log(parent, ASKED)
        log.begin(gru(1))
        log.report(Reported(1, 1, {"val_auc": 0.5}, waits=True))
        log.interrupt()
        read = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        )
    assert (read.trials, read.run_ids, read.next_number) == ([], {}, 2)
    assert [run.info.status for run in children(store, parent)] == ["KILLED"]


def test_candidates_and_trials_of_other_searches_are_no_trials(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as other:
        log = begin_log(other, ASKED)
        log.begin(gru(1))
        log.flush()
    with search_run(ASKED) as parent:
        with runs.child_run("candidate gru_1", {"family": "gru_1"}, {"family": "gru_1"}):
            pass
        read = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        )
    assert (read.trials, read.next_number) == ([], 1)
    assert [run.info.status for run in children(store, other)] == ["RUNNING"]


def test_foreign_and_damaged_trials_are_left_out_by_name(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {"family": "gru_1", "outcome": "pruned"}
    foreign: list[dict[str, str]] = [
        {**whole, "trial_number": "x"},
        {"trial_number": "2", "outcome": "complete"},
        {**whole, "trial_number": "3", "family": "theirs"},
        {**whole, "trial_number": "4", "outcome": "complete"},
    ]
    with search_run(ASKED) as parent:
        for tags in (*foreign, {**whole, "trial_number": "5"}):
            above = {"mlflow.parentRunId": parent.info.run_id}
            run = store.create_run(parent.info.experiment_id, tags={**above, **tags}).info.run_id
            for name, value in {**gru().settings, "epochs": 3}.items():
                store.log_param(run, name, value)
            if tags["outcome"] == "pruned":
                store.log_metric(run, "val_auc", 0.5, step=1)
            store.set_terminated(run)
        read = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        )
    assert [trial.proposal.number for trial in read.trials] == list(read.run_ids) == [5]
    assert read.next_number == 6
    said = capsys.readouterr().out
    assert said.count("it is left out, and another takes its place") == len(foreign) - 1


def test_more_trials_than_a_page_holds(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow.tracking.fluent, "NUM_RUNS_PER_PAGE_PANDAS", 3)
    with search_run(ASKED) as parent:
        log = begin_log(parent, ASKED)
        for number in range(1, 12):
            log.begin(gru(number))
            log.report(Reported(number, 1, {"val_auc": 0.5}, waits=True))
            log.end(Trial(gru(number), "pruned", 0.5, (0.5,)), Done(number, {}, result=None))
        log.flush()
        read = read_search(
            mlflow.get_run(parent.info.run_id), ASKED.spaces(), ASKED.conditions(), ASKED.goal()
        )
    assert [trial.proposal.number for trial in read.trials] == list(range(1, 12))


def refusal(resume: str) -> str:
    """What is said to a process that wants to go on with this."""
    with pytest.raises(UserError) as refused, mlflow.start_run():
        go_on(resume)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def go_on(resume: str, force: bool = False) -> str:
    """The search that a process goes on with."""
    asked = parameters(resume=resume)
    with resumption.resumed_step("tune", asked, resume, force, MayChange(("resume",))) as (run, _):
        return str(run.info.run_id)


def ended_search(status: str, **tags: str) -> str:
    """A search of a process that is gone."""
    with search_run(ASKED) as parent:
        runs.describe("made up", tags)
    mlflow.MlflowClient().set_terminated(parent.info.run_id, status)
    return str(parent.info.run_id)


def found(resume: str, force: bool = False) -> str:
    with mlflow.start_run():
        return go_on(resume, force)


@pytest.mark.parametrize("run_id", ["0" * 32, "no id", "", "latests", "a/b?c"])
def test_no_such_run_is_refused(store: mlflow.MlflowClient, run_id: str) -> None:
    assert "no such run" in refusal(run_id)


def test_a_run_that_is_no_search_is_refused(store: mlflow.MlflowClient) -> None:
    with runs.step_run("train", {}, "train") as run_id:
        pass
    assert "not a run of tune" in refusal(run_id)
    with mlflow.start_run() as run:
        pass
    assert "not a run of tune" in refusal(run.info.run_id)


def test_a_finished_search_is_refused(store: mlflow.MlflowClient) -> None:
    assert "it is finished" in refusal(ended_search("FINISHED"))


def test_a_deleted_search_is_refused(store: mlflow.MlflowClient) -> None:
    run_id = ended_search("KILLED")
    store.delete_run(run_id)
    assert run_id in refusal(run_id)
    assert "no unfinished run of tune" in refusal("latest")


def test_without_an_unfinished_search_there_is_no_latest(store: mlflow.MlflowClient) -> None:
    assert "resume=latest: this experiment has no unfinished run of tune" in refusal("latest")
    ended_search("FINISHED")
    with runs.step_run("train", {}, "train"):
        pass
    assert "no unfinished run of tune" in refusal("latest")


@pytest.mark.parametrize("status", ["KILLED", "FAILED", "RUNNING"])
@pytest.mark.usefixtures("quick")
def test_the_latest_is_the_last_begun_that_did_not_finish(store: mlflow.MlflowClient, status: str) -> None:
    first, second = ended_search("KILLED"), ended_search(status)
    ended_search("FINISHED")
    assert found("latest") == second
    assert found(first) == first


def test_the_latest_is_of_this_experiment(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    elsewhere = ended_search("KILLED")
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("other", artifact_location=tmp_path.as_uri())
    )
    assert "no unfinished run" in refusal("latest")
    assert store.get_run(elsewhere).info.status == "KILLED"


def test_a_search_that_still_runs_here_is_refused(store: mlflow.MlflowClient) -> None:
    run_id = ended_search("RUNNING", **{PROCESS: this_process()})
    assert f"still running here, as process {os.getpid()} on {socket.gethostname()}" in refusal(run_id)
    assert "still running here" in refusal("latest")
    assert found(run_id, force=True) == run_id
    assert store.get_run(run_id).info.status == "RUNNING"


GONE = f"{socket.gethostname()}:{2**22 + 1}:{psutil.Process().create_time():.0f}"  # as up to version 0.7
ELSEWHERE = {
    "nonsense": "nonsense",
    "an earlier version": f"elsewhere:{os.getpid()}:1790000000",
    "another machine": "elsewhere:7:77@a-boot/4026531836",
    "another container": f"{this_process()}9",
    "the clock may have been set": f"{socket.gethostname()}:{os.getpid()}:1",
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for minutes."""
    monkeypatch.setattr(liveness, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(liveness, "SILENCE", 0.2)


@pytest.mark.parametrize("process", [GONE, f"{this_process().replace(':', ':9', 1)}"], ids=["old", "new"])
def test_a_search_whose_process_died_here_can_be_gone_on_with_at_once(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, process: str
) -> None:
    monkeypatch.setattr(liveness, "shows_life", lambda run: pytest.fail("nothing is to be waited for"))
    run_id = ended_search("RUNNING", **{PROCESS: process})
    assert found(run_id) == found("latest") == run_id


@pytest.mark.parametrize("process", ELSEWHERE.values(), ids=ELSEWHERE.keys())
@pytest.mark.usefixtures("quick")
def test_a_search_that_runs_elsewhere_is_taken_over_only_without_a_sign_of_life(
    store: mlflow.MlflowClient, process: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = ended_search("RUNNING", **{PROCESS: process})
    assert found(run_id) == run_id
    assert f"tune: {run_id} is RUNNING elsewhere, as {shown(process)}: " in capsys.readouterr().out


def test_a_search_that_shows_life_elsewhere_is_refused_unless_forced(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "LOOK_EVERY", 0.05)
    run_id = ended_search("RUNNING", **{PROCESS: ELSEWHERE["another machine"]})
    signs = itertools.count()

    def live(ended: threading.Event) -> None:
        while not ended.wait(0.02):
            store.set_tag(run_id, liveness.SIGN, str(next(signs)))

    ended = threading.Event()
    process = threading.Thread(target=live, args=(ended,))
    process.start()
    try:
        said = [refusal(run_id), refusal("latest")]
        assert found(run_id, force=True) == run_id
    finally:
        ended.set()
        process.join()
    for each in said:
        assert f"resume={run_id}: it is still running elsewhere, as process 7 on elsewhere; " in each
        assert each.endswith(f"-m steps.tune --resume={run_id} --force=true")
    assert store.get_run(run_id).info.status == "RUNNING"


@pytest.mark.usefixtures("quick")
def test_a_search_that_ends_while_it_is_watched_is_looked_at_again(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends_as(status: str) -> str:
        def end(run: Run) -> bool:
            store.set_terminated(run.info.run_id, status)
            return True

        monkeypatch.setattr(liveness, "shows_life", end)
        return ended_search("RUNNING", **{PROCESS: ELSEWHERE["another machine"]})

    assert "it is finished" in refusal(ends_as("FINISHED"))
    killed = ends_as("KILLED")
    assert found(killed) == killed


def test_the_latest_is_of_this_user(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    own = ended_search("KILLED", **{runs.USER: "ann"})
    others = ended_search("KILLED", **{runs.USER: "bob"})
    assert (found("latest"), found(others)) == (own, others)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "eve")
    said = refusal("latest")
    assert "no unfinished run of tune of eve" in said
    assert said.endswith(f"to continue one of bob, give its run id: resume={others}")


def test_the_latest_of_an_earlier_version_is_of_this_machines_user(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    own = ended_search("KILLED")
    ended_search("KILLED", **{"mlflow.user": "somebody else"})
    assert found("latest") == own


def test_a_search_of_this_process_that_ended_can_be_gone_on_with(store: mlflow.MlflowClient) -> None:
    run_id = ended_search("KILLED", **{PROCESS: this_process()})
    assert found(run_id) == run_id


def test_nothing_is_a_search_without_trials(store: mlflow.MlflowClient) -> None:
    with search_run(ASKED) as parent:
        read = read_search(parent, ASKED.spaces(), ASKED.conditions(), ASKED.goal())
    assert replace(read, age=0.0) == resumption.NOTHING


@pytest.mark.parametrize(
    ("process", "status"), [(GONE, "FAILED"), (this_process(), "RUNNING")], ids=["dead", "alive"]
)
def test_what_is_below_a_step_whose_process_died_is_closed_with_it(
    store: mlflow.MlflowClient, process: str, status: str
) -> None:
    above = ended_search("RUNNING", **{PROCESS: process})
    with mlflow.start_run(run_id=above):
        below = mlflow.start_run(nested=True, tags={"trial_number": "1"}).info.run_id
        mlflow.end_run("FINISHED")
    for run_id in (above, below):
        store.update_run(run_id, "RUNNING")
    with mlflow.start_run() as now:
        resumption.close_abandoned(keep=now.info.run_id)
    assert {store.get_run(run_id).info.status for run_id in (above, below)} == {status}
    outcome = store.get_run(below).data.tags.get("outcome")
    assert outcome == ("interrupted" if status == "FAILED" else None)
