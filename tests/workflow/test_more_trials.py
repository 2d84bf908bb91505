"""A search that has finished and is given more trials goes on on the same run."""

import re
import shlex
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.search.trials import Proposal, Trial
from starcast.tracking import history, runs
from starcast.tracking.artifacts import fetch
from starcast.tracking.stored_run import StoredRun
from starcast.workflow.candidate import candidate_of
from starcast.workflow.job_report import _commands
from starcast.workflow.main import run_main
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.search_summary import _fitted_from
from starcast.workflow.tune import tune
from tests.conftest import make_reviews, statuses
from tests.workflow.processes import contents, ended_trials

SEARCH = ["--families=logistic_regression", "--workers=1", "--sampling=none"]


def searched(*given: str) -> str:
    return tune(parse(TuneParameters, ["--workers=1", *given])).run_id


def mistake(*given: str) -> str:
    with pytest.raises(UserError) as refused:
        searched(*given)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def search_run(store: mlflow.MlflowClient) -> Run:
    experiment = store.get_experiment_by_name("tests").experiment_id
    [found] = store.search_runs([experiment], "tags.step = 'tune'")
    return found


def versions(store: mlflow.MlflowClient) -> list[str]:
    return [each.version for each in store.search_model_versions("name='review-rating'")]


def best_of(store: mlflow.MlflowClient) -> str:
    return str(search_run(store).data.tags["best_run_id"])


def test_a_finished_search_goes_on_with_more_trials(
    store: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(200).write_csv(file)
    candidate = searched(*SEARCH, f"--data={file}", "--max_trials=2")
    first = search_run(store)
    run_id, best = first.info.run_id, best_of(store)
    kept = contents(store, ended_trials(store, run_id))

    for asked in (run_id, "latest"):
        said = mistake(f"--resume={asked}")
        assert f"resume={run_id}: it is finished, with all its 2 trials; for more: " in said
        assert shlex.split(said)[-2:] == [f"--resume={run_id}", "--max_trials=4"]
    assert "max_trials is 2, not 1" in mistake(f"--resume={run_id}", "--max_trials=1")
    assert search_run(store).info.status == "FINISHED"

    again = searched("--resume=latest", "--max_trials=4")
    assert f"continuing search {run_id} of {file}: 2 of 4 trials are done" in capsys.readouterr().out
    after = search_run(store)
    assert (after.info.run_id, after.info.status) == (run_id, "FINISHED")
    trials = contents(store, ended_trials(store, run_id))
    assert sorted(trials) == [1, 2, 3, 4]
    assert {number: trials[number] for number in kept} == kept, "the first two are made again"
    assert runs.parameters_of(after)["max_trials"] == "4"
    assert (again == candidate) == (best_of(store) == best)
    assert len(versions(store)) == (1 if best_of(store) == best else 2)
    settings = {tuple(sorted(run.data.params.items())) for run in ended_trials(store, run_id).values()}
    assert len(settings) == 4, "settings are tried twice"

    experiment = store.get_experiment_by_name("tests").experiment_id
    last, *_ = store.search_runs([experiment], "tags.step = 'resume tune' and status = 'FINISHED'")
    shown = {name: last.data.params[name] for name in ("data", "families", "max_trials", "resume")}
    wanted = {"data": str(file), "families": "logistic_regression", "max_trials": "4", "resume": "latest"}
    assert shown == wanted, "the run that continued it shows its parameters"
    assert f"data={file}" in last.data.tags["mlflow.note.content"]
    repeat = set(shlex.split(last.data.tags["command"]))
    assert {"steps.tune", f"--resume={run_id}", f"--data={file}", "--max_trials=4"} <= repeat

    assert "with all its 4 trials; for more: " in mistake(f"--resume={run_id}")
    before, best = versions(store), best_of(store)
    again = searched(f"--resume={run_id}", "--max_trials=5")
    said = capsys.readouterr().out
    stays = re.search(r"the best trial is still trial \d: its candidate stays", said)
    assert bool(stays) == (best_of(store) == best) == (versions(store) == before)
    assert f"candidate run {again} is review-rating version {versions(store)[0]}, alias challenger" in said
    assert set(statuses(store)) - {"FINISHED", "FAILED", "KILLED"} == set()


@pytest.mark.parametrize("engine", ["hyperopt", "keras-tuner"])
def test_a_small_space_is_tried_once_whatever_was_asked(
    store: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(200).write_csv(file)
    fixed = '{"logistic_regression": {"ngrams": 1, "features": 2000, "sublinear": false, "c": [1, 3]}}'
    searched(*SEARCH, f"--data={file}", f"--space={fixed}", "--max_trials=9", f"--engine={engine}")
    said = capsys.readouterr().out
    assert "only 2 different settings to try, fewer than max_trials=9" in said
    run = search_run(store)
    assert len(ended_trials(store, run.info.run_id)) == 2
    refused = f"resume={run.info.run_id}: it is finished, and has tried all 2 settings there are"
    assert mistake("--resume=latest", "--max_trials=20") == refused
    assert mistake("--resume=latest") == refused
    with mlflow.start_run(run_id=run.info.run_id):
        fitted = candidate_of(best_of(store))
        assert fitted
        assert "try more settings" not in _commands(fitted, StoredRun(run)).markdown()


@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband"])
def test_keras_tuners_searches_go_on_too(store: mlflow.MlflowClient, tmp_path: Path, algorithm: str) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(200).write_csv(file)
    given = ["--engine=keras-tuner", f"--algorithm={algorithm}", f"--data={file}", "--max_trials=2"]
    if algorithm == "hyperband":  # its rounds are of epochs
        given += ["--families=gru_1", "--max_epochs=2", "--batch_size=64"]
    searched(*SEARCH, *given)
    run_id = search_run(store).info.run_id
    kept = contents(store, ended_trials(store, run_id))
    searched(f"--resume={run_id}", "--max_trials=4")
    trials = contents(store, ended_trials(store, run_id))
    assert sorted(trials) == [1, 2, 3, 4]
    assert {number: trials[number] for number in kept} == kept


def test_a_resumed_main_job_judges_and_reports_what_was_searched(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(200).write_csv(file)
    given = [*SEARCH, f"--data={file}", "--max_trials=2", "--model=mine", "--objective=val_mae"]
    run_main(parse(MainParameters, given))
    search = search_run(store)
    run_main(parse(MainParameters, [f"--resume={search.info.run_id}", "--max_trials=3"]))
    run_main(parse(MainParameters, [f"--resume={search.info.run_id}"]))  # ended after its search, before this
    assert len(ended_trials(store, search.info.run_id)) == 3
    experiment = search.info.experiment_id
    judged = store.search_runs([experiment], "tags.step = 'promote'")
    assert {run.data.params["model"] for run in judged} == {"mine"}
    *resumed, first = store.search_runs([experiment], "tags.step = 'main'")
    for job in resumed:
        report = fetch(job.info.run_id, "report.md").read_text()
        assert "The best, by val_mae" in report
        assert "val_auc" not in report.partition("The best, by")[2].splitlines()[0]
    assert history.is_of_main(search.info.run_id)
    assert not history.is_of_main(first.info.run_id)


def test_the_trial_that_was_fitted_is_named_where_it_is_not_the_best(
    store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    file = tmp_path / "reviews.csv"
    make_reviews(200).write_csv(file)
    searched(*SEARCH, f"--data={file}", "--max_trials=2")
    search = search_run(store)
    run_ids = {number: run.info.run_id for number, run in ended_trials(store, search.info.run_id).items()}
    best = next(number for number, run_id in run_ids.items() if run_id == best_of(store))
    with mlflow.start_run(run_id=search.info.run_id):
        fitted = candidate_of(best_of(store))
    assert fitted
    proposals = (Proposal(number, "logistic_regression", {}) for number in (best, 3 - best))
    same, other = (_fitted_from(fitted, Trial(each, "complete", 0.5), run_ids) for each in proposals)
    assert same == "its settings fitted once more"
    assert other.startswith(f"no time was left to fit it once more, so [trial {best}](")
