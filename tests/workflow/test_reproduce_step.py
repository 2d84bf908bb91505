"""`reproduce` on runs that were really made: equal again, other data, other versions, and what it leaves."""

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from mlflow.entities import Run
from mlflow.utils.mlflow_tags import MLFLOW_GIT_COMMIT

from starcast.cli.errors import UserError
from starcast.experiments.parameters import SamplingParameters
from starcast.experiments.sampling import run_sampling
from starcast.models.epoch_lines import EpochLines
from starcast.reproduction.compare import Reproduction
from starcast.reproduction.parameters import ReproduceParameters
from starcast.reproduction.reproduce import reproduce
from starcast.reviews.parameters import DataParameters
from starcast.tracking import lineage
from starcast.tracking.artifacts import fetch
from starcast.tracking.commands import command_line
from starcast.workflow.main import run_main
from starcast.workflow.prepare import preprocess
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.tune import tune
from tests.conftest import make_reviews, statuses
from tests.workflow.conftest import SEARCH

MODEL = "review-rating"


@pytest.fixture
def store(fitted_store: mlflow.MlflowClient) -> mlflow.MlflowClient:
    """Two fits and a search are in it."""
    return fitted_store


@pytest.fixture
def file(store: mlflow.MlflowClient, tmp_path: Path) -> Path:
    """The reviews of the fits."""
    return tmp_path / "reviews.csv"


def one(client: mlflow.MlflowClient, wanted: str, experiment: str = "fitted") -> Run:
    """The one run, or the first made, that matches."""
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id], wanted)
    return min(found, key=lambda run: run.info.start_time)


def again(run_id: str = "") -> Reproduction:
    return reproduce(ReproduceParameters(run=run_id))


def registry_of(client: mlflow.MlflowClient) -> tuple[dict[str, str], list[str]]:
    """Aliases and versions."""
    aliases = dict(client.get_registered_model(MODEL).aliases)
    return aliases, [version.version for version in client.search_model_versions(f"name = '{MODEL}'")]


def scores_of(client: mlflow.MlflowClient, run_id: str) -> dict[str, float]:
    metrics = client.get_run(run_id).data.metrics
    return {name: value for name, value in metrics.items() if name.startswith(("test_", "val_", "train_"))}


def left_by(client: mlflow.MlflowClient) -> tuple[Run, dict[str, Any]]:
    """The step's own run, and its `reproduction.json`."""
    run = one(client, "tags.step = 'reproduce'", "tests")
    return run, json.loads(fetch(run.info.run_id, "reproduction.json").read_text())


def test_the_champion_is_made_again_by_its_name_and_all_is_told(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    store.set_registered_model_alias(MODEL, "champion", "1")
    original, before = store.get_model_version(MODEL, "1").run_id, registry_of(store)
    found = again(f"models:/{MODEL}@champion")
    assert (found.verdict, found.pairs[0].before.run_id) == ("equal", original)
    assert registry_of(store) == before
    run, told = left_by(store)
    assert (run.data.tags["reproduced_run_id"], run.data.tags["reproduction"]) == (original, "equal")
    marked = store.get_run(original).data.tags
    assert (marked["reproduction"], marked["reproduction_run_id"]) == ("equal", run.info.run_id)
    assert store.get_run(found.pairs[0].now.run_id).data.tags["reproduces_run_id"] == original
    assert run.info.run_name == f"equal: reproduce {store.get_run(original).info.run_name}"
    assert "**Equal**" in run.data.tags["mlflow.note.content"]
    names = {item.path for item in store.list_artifacts(run.info.run_id)}
    assert {"report.html", "report.md", "reproduction.json"} <= names
    assert {each["verdict"] for each in told["runs"][0]["metrics"] if each["kind"] == "score"} == {"equal"}
    assert {each["verdict"] for each in told["runs"][0]["metrics"] if each["kind"] == "cost"} == {None}
    said = capsys.readouterr().out
    assert f"reproduce: Equal: {store.get_run(original).info.run_name}, run {original[:8]}; of " in said
    assert said.index("the same as then: data file") < said.index("fitting the candidate")
    assert f"/runs/{run.info.run_id}" in said
    assert set(statuses(store)) == {"FINISHED", "KILLED"}, "pruned trials are KILLED"


def test_a_network_is_equal_in_every_metric(store: mlflow.MlflowClient) -> None:
    original = one(store, "tags.step = 'train' and tags.family = 'gru_1'")
    found = again(original.info.run_id)
    assert found.verdict == "equal"
    [pair] = found.pairs
    assert scores_of(store, pair.now.run_id) == scores_of(store, original.info.run_id)
    assert [each.changed for each in pair.answered] == [0, 0, 0]


def test_a_search_by_one_worker_is_equal_in_all_its_runs(store: mlflow.MlflowClient) -> None:
    search = one(store, "tags.step = 'tune'")
    before = registry_of(store)
    found = again(search.info.run_id)
    assert (found.only_before, found.only_now) == ((), ())
    assert found.verdict == "equal"
    assert len(found.pairs) == 1 + SEARCH["max_trials"] + 1
    assert registry_of(store) == before
    _, told = left_by(store)
    assert {
        "what": "order of trials",
        "kind": "order",
        "then": "one after the other",
        "now": "one after the other",
        "same": True,
    } in (told["checks"])


def test_a_candidate_of_a_search_is_equal(store: mlflow.MlflowClient) -> None:
    candidate = one(store, "tags.role = 'candidate' and attributes.run_name LIKE 'candidate%'")
    found = again(candidate.info.run_id)
    assert found.verdict == "equal"
    assert scores_of(store, found.pairs[0].now.run_id) == scores_of(store, candidate.info.run_id)
    assert len(found.pairs[0].answered) == 3


@pytest.mark.parametrize(
    ("family", "outcome"), [("logistic_regression", "complete"), ("gru_1", "complete"), ("gru_1", "pruned")]
)
def test_a_trial_is_equal_and_never_reads_the_test_split(
    store: mlflow.MlflowClient, family: str, outcome: str
) -> None:
    trial = one(store, f"tags.trial_number != '' and tags.family = '{family}' and tags.outcome = '{outcome}'")
    found = again(trial.info.run_id)
    assert found.verdict == "equal"
    [pair] = found.pairs
    repeated = store.get_run(pair.now.run_id)
    assert scores_of(store, pair.now.run_id) == scores_of(store, trial.info.run_id)
    assert not any(name.startswith("test_") for name in repeated.data.metrics)
    assert repeated.data.params == trial.data.params
    assert repeated.data.tags["outcome"] == outcome
    assert repeated.info.status == trial.info.status


def test_a_trial_of_a_family_that_reads_texts_is_equal(store: mlflow.MlflowClient, file: Path) -> None:
    asked = {"data": str(file), **SEARCH, "families": "linear", "max_trials": 1, "register": False}
    tune(TuneParameters.model_validate(asked))
    trial = one(store, "tags.trial_number != '' and tags.family = 'linear'", "tests")
    [pair] = again(trial.info.run_id).pairs
    assert scores_of(store, pair.now.run_id) == scores_of(store, trial.info.run_id)
    assert [(each.split, each.changed) for each in pair.answered] == [("val", 0)]


def test_preprocessing_is_really_done_again_and_its_digests_compared(
    store: mlflow.MlflowClient, file: Path
) -> None:
    first = preprocess(DataParameters(data=str(file)))
    found = again(first.run_id)
    assert found.verdict == "equal"
    assert found.pairs[0].now.run_id != first.run_id
    assert {each.name for each in found.compared} >= {"digest of train", "digest of test", "reviews"}
    make_reviews(299, seed=1).write_csv(file)
    changed = again(first.run_id)
    assert changed.verdict == "different"
    assert {each.name for each in changed.compared if each.verdict == "different"} >= {
        "digest of train",
        "reviews",
    }


def test_another_file_is_named_as_the_likely_cause(
    store: mlflow.MlflowClient, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = one(store, "tags.step = 'train'").info.run_id
    # The same texts under other ratings: there is nothing to learn.
    shuffled = make_reviews(300).with_columns(pl.col("rating").shuffle(seed=1))
    shuffled.write_csv(file)
    found = again(original)
    assert found.verdict == "different"
    said = capsys.readouterr().out
    assert said.index("reproduce:   data file: then ") < said.index("fitting the candidate")
    assert "reproduce: Likely cause: other data (data file: " in said
    assert store.get_run(original).data.tags["reproduction"] == "different"
    assert found.pairs[0].answered == ()


def test_without_the_file_the_splits_on_the_server_are_taken(
    store: mlflow.MlflowClient, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = one(store, "tags.step = 'train'").info.run_id
    file.unlink()
    assert again(original).verdict == "equal"
    assert "the file is not here: using the original splits" in capsys.readouterr().out
    with pytest.raises(UserError, match="no such file"):
        again(one(store, "tags.step = 'preprocess'").info.run_id)
    _, told = left_by(store)
    assert [each["same"] for each in told["checks"] if each["what"] in ("data file", "train split")] == [
        None,
        True,
    ]


def test_with_neither_file_nor_splits_it_says_so(store: mlflow.MlflowClient, file: Path) -> None:
    original = one(store, "tags.step = 'train'").info.run_id
    shutil.rmtree(fetch(one(store, "tags.step = 'preprocess'").info.run_id, "splits"))
    file.unlink()
    said = r"no such file .*; the original splits are no longer on the server either"
    with pytest.raises(UserError, match=said):
        again(original)
    assert one(store, "tags.step = 'reproduce'", "tests").info.status == "FAILED"


def test_another_version_of_a_package_is_named(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    original = one(store, "tags.step = 'train'").info.run_id
    kept = fetch(original, lineage.VERSIONS)
    versions = json.loads(kept.read_text())
    store.log_metric(original, "test_f1_macro", 0.01, step=100)
    kept.write_text(json.dumps({**versions, "numpy": "1.0.0"}))
    assert again(original).verdict == "different"
    said = capsys.readouterr().out
    assert f"reproduce:   numpy: then 1.0.0, now {versions['numpy']}" in said
    assert f"reproduce: Likely cause: other versions (numpy: 1.0.0, now {versions['numpy']})" in said
    assert "reproduce: Next: install the original versions (numpy==1.0.0)" in said
    run, told = left_by(store)
    [changed] = [each for each in told["runs"][0]["metrics"] if each["verdict"] == "different"]
    assert (changed["name"], changed["then"]) == ("test_f1_macro", 0.01)
    assert run.info.status == "FINISHED"


def test_a_parameter_that_this_version_does_not_take_is_one_line(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(tags={"step": "train", MLFLOW_GIT_COMMIT: "abc"}) as old:
        mlflow.log_params({"data": "sample", "family": "random_forest"})
    with pytest.raises(
        UserError,
        match=r"made by another version of starcast; this one says: parameter family: .*checkout abc",
    ) as told:
        again(old.info.run_id)
    assert "\n" not in str(told.value)


def test_a_run_that_is_not_there_is_one_line_and_the_run_failed(store: mlflow.MlflowClient) -> None:
    with pytest.raises(UserError, match="there is no run 'nowhere'"):
        again("nowhere")
    assert one(store, "tags.step = 'reproduce'", "tests").info.status == "FAILED"


def test_an_interrupt_closes_all_as_killed_and_marks_nothing(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    original = one(store, "tags.step = 'train' and tags.family = 'gru_1'").info.run_id
    monkeypatch.setattr(EpochLines, "report", interrupt)
    with pytest.raises(KeyboardInterrupt):
        again(original)
    run = one(store, "tags.step = 'reproduce'", "tests")
    assert run.info.status == "KILLED"
    assert one(store, "tags.step = 'train'", "tests").info.status == "KILLED"
    assert "RUNNING" not in statuses(store)
    assert "reproduction" not in store.get_run(original).data.tags
    command = command_line("reproduce", run=original)
    assert command in run.data.tags["mlflow.note.content"]
    assert f"start again with: {command}" in capsys.readouterr().out


def test_an_experiment_is_equal_with_its_fits(store: mlflow.MlflowClient, file: Path) -> None:
    run_sampling(SamplingParameters.model_validate({"data": str(file), "variants": "none", "repeats": 1}))
    found = again(one(store, "tags.step = 'sampling'", "tests").info.run_id)
    assert (found.verdict, len(found.pairs)) == ("equal", 2)


def test_the_main_job_is_equal_down_to_its_trials(store: mlflow.MlflowClient, file: Path) -> None:
    given = {
        "data": str(file),
        "families": "logistic_regression",
        "max_trials": 1,
        "workers": 1,
        "register": False,
    }
    run_main(MainParameters.model_validate(given))
    found = again(one(store, "tags.step = 'main'", "tests").info.run_id)
    assert (found.verdict, len(found.pairs)) == ("equal", 4)
