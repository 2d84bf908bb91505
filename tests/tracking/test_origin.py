"""A run to be made again: how it is found, what is refused, what is known of it and of its code."""

import json

import mlflow
import pytest
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from starcast.cli.errors import UserError
from starcast.tracking import code_record, lineage, registry, runs
from starcast.tracking.code_record import Code
from starcast.tracking.origin import REPRODUCES, find


def made(step: str = "train", *, role: str = "candidate", end: str = "FINISHED", **tags: str) -> str:
    """A run of a step as the store has it, almost without what it did."""
    with mlflow.start_run(run_name=step, tags={"step": step, "role": role, **tags}) as run:
        mlflow.log_params({"data": "sample", "seed": "7"})
        mlflow.log_dict({}, "made.json")  # an experiment whose folder is gone would be refused
    mlflow.MlflowClient().set_terminated(run.info.run_id, end)
    return str(run.info.run_id)


def refused(asked: str) -> str:
    """What is said to a run; one line."""
    with pytest.raises(UserError) as caught, runs.step_run("reproduce", {}, "made up"):
        find(asked)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def found(asked: str) -> str:
    with runs.step_run("reproduce", {}, "made up"):
        return find(asked).run_id


def test_empty_is_the_newest_finished_candidate_that_no_reproduction_made(store: mlflow.MlflowClient) -> None:
    wanted = made()
    made(end="KILLED")
    made(**{REPRODUCES: wanted})
    made("preprocess", role="")
    assert found("") == wanted


def test_without_any_candidate_it_says_what_to_do(store: mlflow.MlflowClient) -> None:
    assert "this experiment has no finished candidate: make one" in refused("")


def test_a_registered_model_stands_for_the_run_it_is_of(store: mlflow.MlflowClient) -> None:
    wanted = made()
    store.create_registered_model("review-rating")
    store.create_model_version("review-rating", "file:///nowhere", wanted)
    store.set_registered_model_alias("review-rating", registry.CHAMPION, "1")
    assert found("models:/review-rating@champion") == found("models:/review-rating/1") == wanted
    assert "models:/review-rating/2" in refused("models:/review-rating/2")


def test_a_main_job_that_continued_a_search_names_that(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(tags={"step": "main"}) as job:
        mlflow.log_params({"data": "sample", "resume": "latest"})
        mlflow.log_dict({}, "made.json")
        with mlflow.start_run(nested=True, tags={"step": "resume tune", "resumed_run_id": "abc"}):
            pass
    assert f"{job.info.run_id} continued a search, reproduce that: " in refused(job.info.run_id)


@pytest.mark.parametrize("pointer", ["resumed_run_id", "reused_run"])
def test_a_run_that_only_points_to_another_stands_for_it(store: mlflow.MlflowClient, pointer: str) -> None:
    wanted = made()
    assert found(made("preprocess", role="", **{pointer: wanted})) == wanted


@pytest.mark.parametrize(
    "asked", ["0" * 32, "no run at all", "../../etc/passwd", "'; drop table runs; --", "日本"]
)
def test_there_is_no_such_run(store: mlflow.MlflowClient, asked: str) -> None:
    assert f"there is no run {asked!r}" in refused(asked)


@pytest.mark.parametrize("step", ["compare", "predict", "promote"])
def test_steps_that_fit_nothing_are_refused_with_what_can_be(store: mlflow.MlflowClient, step: str) -> None:
    text = refused(made(step, role=""))
    assert f"is a run of {step}; what can be reproduced: a run of preprocess, tune, train" in text


def test_a_reproduction_names_the_run_to_give_instead(store: mlflow.MlflowClient) -> None:
    assert "run=abc" in refused(made("reproduce", role="", reproduced_run_id="abc"))


def test_other_runs_are_refused(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run() as foreign:
        pass
    assert "was not begun by a step of starcast" in refused(foreign.info.run_id)
    killed = made(end="KILLED")
    assert f"{killed} is KILLED; only a run that finished" in refused(killed)
    deleted = made()
    store.delete_run(deleted)
    assert "was deleted; restore it first" in refused(deleted)


def test_fits_and_unfinished_trials_say_what_to_give(store: mlflow.MlflowClient) -> None:
    parent = made("tune", role="")
    for tags, expected in (
        ({"role": "fit"}, f"reproduce that as a whole: run={parent}"),
        ({"trial_number": "1", "outcome": "failed"}, "a trial that is failed"),
        ({"trial_number": "1"}, "a trial that is not at its end"),
    ):
        with mlflow.start_run(tags={"mlflow.parentRunId": parent, **tags}) as child:
            pass
        assert expected in refused(child.info.run_id)


def test_what_a_run_came_from_is_read(store: mlflow.MlflowClient) -> None:
    run_id = made(git_dirty="true", **{MLFLOW_GIT_COMMIT: "abc"})
    store.log_text(run_id, "diff --git a/x b/x\n", code_record.CHANGES)
    store.log_text(run_id, json.dumps({"numpy": "1.0"}), lineage.VERSIONS)
    with runs.step_run("reproduce", {}, "made up"):
        origin = find(run_id)
    assert origin.code == Code("abc", "diff --git a/x b/x\n")
    assert origin.versions == {"numpy": "1.0"}
    assert origin.parameters["seed"] == "7"
    assert (origin.kind, origin.digests, origin.prepared_run_id, origin.resumed) == ("train", {}, "", False)


def test_a_search_that_was_gone_on_with_is_known_as_one(store: mlflow.MlflowClient) -> None:
    search = made("tune", role="")
    made("resume tune", role="", resumed_run_id=search)
    with runs.step_run("reproduce", {}, "made up"):
        assert find(search).resumed
