"""A search on a real store: runs as the design lays them out, a registered candidate, scores that hold."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mlflow.entities import Run
from PIL import Image
from sklearn.metrics import f1_score

from starcast.cli.errors import UserError
from starcast.evaluation.names import MAIN, SCORES
from starcast.evaluation.scores import probability_means
from starcast.models.epoch_lines import EpochLines
from starcast.models.fit_report import FitReport
from starcast.reviews.parameters import DataParameters
from starcast.search.workers import WorkerPool
from starcast.tracking.artifacts import fetch
from starcast.workflow import search
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.prepare import preprocess
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.train import train
from starcast.workflow.tune import tune
from tests.conftest import statuses
from tests.workflow.conftest import LINEAR, NETWORK

LINEAR_MODEL = "models:/review-rating/1"


def children(client: mlflow.MlflowClient, run_id: str) -> list[Run]:
    experiment = client.get_run(run_id).info.experiment_id
    return list(client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'"))


def asked(file: Path, **parameters: object) -> TuneParameters:
    given = {
        "data": str(file),
        "families": "logistic_regression,gru_1",
        "max_trials": 3,
        "max_epochs": 2,
        "epochs": 2,
        "workers": 1,
    }
    return TuneParameters.model_validate({**given, "batch_size": 64, **parameters})


def fit_of(client: mlflow.MlflowClient, family: str) -> Run:
    """The fit of a family in the fitted store."""
    experiment = client.get_experiment_by_name("fitted").experiment_id
    [found] = client.search_runs([experiment], f"tags.step = 'train' and tags.family = '{family}'")
    return found


def scores_of(run: Run) -> dict[str, float]:
    """What a candidate says of itself."""
    return {
        name.removeprefix("test_"): value
        for name, value in run.data.metrics.items()
        if name.startswith("test_") and name.removeprefix("test_") in SCORES
    }


def read_json(run_id: str, name: str) -> dict[str, object]:
    return dict(json.loads(fetch(run_id, name).read_text()))


def test_search_lays_out_its_runs(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    candidate = tune(asked(reviews_file))
    parent = store.get_run(store.get_run(candidate.run_id).data.tags["mlflow.parentRunId"])
    trials = [run for run in children(store, parent.info.run_id) if "outcome" in run.data.tags]
    assert len(trials) == 3
    assert {run.data.tags["family"] for run in trials} == {"logistic_regression", "gru_1"}
    assert {run.data.tags["outcome"] for run in trials} == {"complete"}
    for run in trials:
        names = {item.path for item in store.list_artifacts(run.info.run_id)}
        assert {
            "confusion_matrix_val.json",
            "confusion_matrix_val.png",
            "classification_report_val.json",
        } <= names
        assert not any(name.startswith("test_") for name in run.data.metrics)
    samplings = {run.data.params["sampling"] for run in trials}
    assert samplings == {"none", "class_weight"}, "which is searched unless given"
    best = max(trials, key=lambda run: run.data.metrics["val_auc"])
    assert parent.data.tags["best_run_id"] == best.info.run_id
    assert parent.data.metrics["trials_complete"] == 3
    assert best.info.run_id in parent.data.tags["mlflow.note.content"]
    low, high = candidate.intervals["f1_macro"]
    said = f"{candidate.family} {candidate.test['f1_macro']:.3f} ({low:.2f}-{high:.2f}) v1"
    assert parent.info.run_name == f"tune {reviews_file.name}: {said}"
    assert store.get_run(candidate.run_id).info.run_name == f"candidate {said}"
    assert parent.data.metrics["test_f1_macro"] == candidate.test["f1_macro"]
    assert best.info.run_name == parent.data.tags["best_trial"]
    assert set(statuses(store)) == {"FINISHED"}


@pytest.mark.parametrize("algorithm", ["random", "bayesian", "hyperband"])
def test_a_search_by_keras_tuner(fitted_store: mlflow.MlflowClient, tmp_path: Path, algorithm: str) -> None:
    families = "gru_1" if algorithm == "hyperband" else "logistic_regression"
    given = {"families": families, "max_trials": 2, "register": False}
    tune(asked(tmp_path / "reviews.csv", engine="keras-tuner", algorithm=algorithm, **given))
    experiment = fitted_store.get_experiment_by_name("tests").experiment_id
    trials = fitted_store.search_runs([experiment], "tags.trial_number != ''")
    assert {run.data.tags["engine"] for run in trials} == {"keras-tuner"}
    assert len(trials) == 2


def test_what_is_taken_from_a_fit_is_trained_for_as_many_epochs(fitted_store: mlflow.MlflowClient) -> None:
    network = fit_of(fitted_store, "gru_1")
    given = {"from_run": network.info.run_id, "batch_size": 64, "register": False, "data": "reviews.csv"}
    again = train(TrainParameters.model_validate(given))
    assert again.test == scores_of(network)


def test_what_is_taken_from_a_run_of_train_is_fitted_as_that_was(
    store: mlflow.MlflowClient, reviews_file: Path
) -> None:
    shared = {"data": str(reviews_file), "register": False}
    settings = json.dumps({"units_1": 32, "dropout_1": 0.1})
    given = {"family": "gru_1", "settings": settings, "sampling": "class_weight", "batch_size": 64}
    first = train(TrainParameters.model_validate({**shared, **given, "schedule": "constant", "epochs": 2}))
    second = train(TrainParameters.model_validate({**shared, "from_run": first.run_id, "epochs": 2}))
    third = train(TrainParameters.model_validate({**shared, "from_run": second.run_id, "epochs": 2}))
    assert third.test == second.test == first.test
    options = {"sampling": "class_weight", "batch_size": 64, "schedule": "constant", "epochs": 2}
    assert read_json(third.run_id, "options.json") == options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("settings", '{"c": 0.5}'),
        ("family", "gru_1"),
        ("sampling", "random_over"),
        ("batch_size", 32),
        ("precision", "mixed_bfloat16"),
    ],
)
def test_what_a_run_decides_is_not_taken_and_ignored(
    fitted_store: mlflow.MlflowClient, name: str, value: object
) -> None:
    linear = fit_of(fitted_store, "logistic_regression")
    with pytest.raises(UserError, match=f"^parameter {name}: from_run has its own; leave out {name}, or fr"):
        train(TrainParameters.model_validate({"from_run": linear.info.run_id, name: value}))


def test_metrics_are_those_of_the_matrix(fitted_store: mlflow.MlflowClient) -> None:
    network = fit_of(fitted_store, "gru_1")
    metrics = network.data.metrics
    for split in ("train", "val", "test"):
        matrix = np.array(read_json(network.info.run_id, f"confusion_matrix_{split}.json")["matrix"])
        true = np.repeat(np.arange(5), matrix.sum(axis=1))
        predicted = np.concatenate([np.repeat(np.arange(5), row) for row in matrix])
        assert metrics[f"{split}_f1_weighted"] == pytest.approx(f1_score(true, predicted, average="weighted"))
        assert metrics[f"{split}_f1_macro"] == pytest.approx(f1_score(true, predicted, average="macro"))


def test_a_logged_model_carries_its_scores_data_sets_and_parameters(
    fitted_store: mlflow.MlflowClient,
) -> None:
    run = fit_of(fitted_store, "gru_1")
    better = f"metrics.test_f1_macro >= {run.data.metrics['test_f1_macro']} and source_run_id = "
    where = {"experiment_ids": [run.info.experiment_id], "output_format": "list"}
    [model] = mlflow.search_logged_models(filter_string=f"{better}'{run.info.run_id}'", **where)
    assert model.name == "gru_1 on reviews_csv"
    assert model.params == run.data.params
    assert model.tags["mlflow.note.content"] == run.data.tags["mlflow.note.content"]
    assert {name: model.tags[name] for name in ("family", "data")} == {
        "family": "gru_1",
        "data": "reviews.csv",
    }
    inputs = {each.tags[0].value: each.dataset for each in run.inputs.dataset_inputs}
    stored = pl.read_parquet(mlflow.data.get_source(inputs["test"]).load())
    assert {"num_rows": stored.height} == json.loads(inputs["test"].profile)
    assert len(model.metrics) == 3 * len(MAIN)
    for metric in model.metrics:
        data = inputs[{"train": "train", "val": "validation", "test": "test"}[metric.key.partition("_")[0]]]
        assert (metric.dataset_name, metric.dataset_digest) == (data.name, data.digest)
        assert (metric.value, metric.step) == (
            run.data.metrics[metric.key],
            run.outputs.model_outputs[0].step,
        )
    # The step after the last epoch's: that of the model as it was kept.
    assert metric.step == len(fitted_store.get_metric_history(run.info.run_id, "val_f1_macro"))


@pytest.mark.parametrize("family", ["logistic_regression", "gru_1"])
def test_what_matters_comes_first_where_metrics_are_listed_as_they_were_logged(
    fitted_store: mlflow.MlflowClient, family: str
) -> None:
    named = [name for name in fit_of(fitted_store, family).data.metrics if not name.startswith("system/")]
    first = named.index("test_f1_macro")
    assert named[first : first + len(MAIN)] == [f"test_{name}" for name in MAIN]
    curves = [name for name in named[:first] if not name.startswith("train_")]
    assert curves == ([f"val_{name}" for name in MAIN] if family == "gru_1" else [])
    assert ("best_epoch" in named) == (family == "gru_1")


@pytest.mark.parametrize(("family", "title"), [("logistic_regression", ""), ("gru_1", "title")])
def test_served_model_answers_as_in_training(
    fitted_store: mlflow.MlflowClient, family: str, title: str
) -> None:
    if title:
        given = {**NETWORK, "data": "reviews.csv", "title_column": title}
        run_id, version = train(TrainParameters.model_validate(given)).run_id, "4"
    else:
        run_id, version = fit_of(fitted_store, family).info.run_id, "1"
    data = DataParameters(data="reviews.csv", title_column=title)
    test = pl.read_parquet(preprocess(data).split("test"))
    in_training = pl.read_parquet(fetch(run_id, "predictions_test.parquet"))
    columns = ["text", "title"] if title else ["text"]
    model = mlflow.pyfunc.load_model(f"models:/review-rating/{version}")
    served = model.predict(test.select(columns).to_pandas())
    assert served["rating"].tolist() == in_training["predicted"].to_list()
    probabilities = [f"probability_{rating}" for rating in range(1, 6)]
    np.testing.assert_allclose(served[probabilities], in_training.select(probabilities), atol=1e-6)
    np.testing.assert_allclose(served["expected_rating"], served[probabilities] @ np.arange(1, 6))
    chosen = served[probabilities].to_numpy()[np.arange(len(served)), served["rating"] - 1]
    assert served["confidence"].tolist() == chosen.tolist()
    covered = fitted_store.get_run(run_id).data.metrics["test_coverage"]
    assert served["needs_review"].mean() == pytest.approx(1 - covered)


def test_a_candidate_shows_what_its_probabilities_are_worth(fitted_store: mlflow.MlflowClient) -> None:
    run = fit_of(fitted_store, "logistic_regression")
    metrics, ends = run.data.metrics, read_json(run.info.run_id, "intervals_test.json")
    answers = pl.read_parquet(fetch(run.info.run_id, "predictions_test.parquet"))
    probabilities = answers.select(f"probability_{rating}" for rating in range(1, 6)).to_numpy()
    given = answers["rating"].to_numpy() - 1, answers["predicted"].to_numpy() - 1, probabilities
    for name, value in probability_means(*given).items():
        assert metrics[f"test_{name}"] == pytest.approx(value, rel=1e-4)
        assert ends[name][0] < value < ends[name][1]
        assert {f"test_uncalibrated_{name}", f"val_crossfit_{name}"} <= metrics.keys()
    assert 0 <= metrics["val_crossfit_coverage"] <= 1
    for picture in ("reliability_test.png", "risk_coverage.png"):
        assert Image.open(fetch(run.info.run_id, picture)).width > 500


def test_model_answers_any_text_and_holds_no_pickle(fitted_store: mlflow.MlflowClient) -> None:
    network = "models:/review-rating/2"
    model = mlflow.pyfunc.load_model(network)
    texts = ["lovely dress", None, "", "soft " * 20_000, "très joli, 素晴らしい", "\x00\ufffd🙂"]
    assert len(model.predict(pd.DataFrame({"text": texts}))) == len(texts)
    assert model.predict(pd.DataFrame({"text": [None]}))["rating"].between(1, 5).all()
    assert model.predict(pd.DataFrame({"text": ["nice"]}, index=[17])).index.tolist() == [17]
    files = [path for path in Path(mlflow.artifacts.download_artifacts(network)).rglob("*") if path.is_file()]
    assert files
    assert not [
        path
        for path in files
        if path.suffix in (".pkl", ".pickle", ".joblib") or path.read_bytes()[:1] == b"\x80"
    ]


@pytest.mark.parametrize("given", [LINEAR, NETWORK])
def test_equal_runs_of_train_give_equal_metrics(
    fitted_store: mlflow.MlflowClient, given: dict[str, object]
) -> None:
    first = fit_of(fitted_store, str(given["family"])).data.metrics
    asked_again = {**given, "data": "reviews.csv", "register": False}
    again = train(TrainParameters.model_validate(asked_again))
    second = fitted_store.get_run(again.run_id).data.metrics
    timed = {name for name in {*first, *second} if name.startswith("system/") or name == "fit_seconds"}
    assert {name: first[name] for name in first.keys() - timed} == {
        name: second[name] for name in second.keys() - timed
    }


def test_another_seed_gives_other_metrics(fitted_store: mlflow.MlflowClient) -> None:
    other = {**NETWORK, "data": "reviews.csv", "register": False, "seed": 1}
    assert train(TrainParameters.model_validate(other)).test != scores_of(fit_of(fitted_store, "gru_1"))


def test_a_failed_trial_does_not_end_the_search(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WORKER", "tests.workflow.failing_worker")
    monkeypatch.setenv("STARCAST_FAIL", "first")
    tune(asked(reviews_file, families="logistic_regression"))
    experiment = store.get_experiment_by_name("tests").experiment_id
    [failed] = store.search_runs([experiment], "tags.outcome = 'failed'")
    assert failed.info.status == "FAILED"
    assert failed.data.tags["reason"] == "MemoryError: no room for this one"
    assert "no room for this one" in fetch(failed.info.run_id, "traceback.txt").read_text()
    assert len(store.search_runs([experiment], "tags.outcome = 'complete'")) == 2


def test_a_search_in_which_all_fail_says_why(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WORKER", "tests.workflow.failing_worker")
    monkeypatch.setenv("STARCAST_FAIL", "all")
    said = r"all 2 trials failed; the last failure, trial \d: MemoryError: no room"
    with pytest.raises(UserError, match=said):
        tune(asked(reviews_file, families="logistic_regression", max_trials=2))
    assert sorted(statuses(store)) == ["FAILED", "FAILED", "FAILED", "FINISHED"]


def test_an_interrupt_closes_runs_as_killed(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerPool, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tune(asked(reviews_file, families="logistic_regression"))
    assert sorted(statuses(store)) == ["FINISHED", "KILLED", "KILLED"]
    [parent] = store.search_runs([store.get_experiment_by_name("tests").experiment_id], "tags.step = 'tune'")
    assert f"resume={parent.info.run_id}" in parent.data.tags["mlflow.note.content"]


def test_train_takes_the_best_of_a_search(fitted_store: mlflow.MlflowClient) -> None:
    experiment = fitted_store.get_experiment_by_name("fitted").experiment_id
    [search] = fitted_store.search_runs([experiment], "tags.step = 'tune'")
    [candidate] = [run for run in children(fitted_store, search.info.run_id) if "role" in run.data.tags]
    again = train(TrainParameters(data="reviews.csv", from_run=search.info.run_id, batch_size=64))
    assert again.family == candidate.data.tags["family"]
    assert again.test == scores_of(candidate)
    assert again.registered is not None
    assert again.registered.version == "4"


def test_what_is_taken_from_a_run_has_its_data_and_decision_too(
    store: mlflow.MlflowClient, reviews_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"data": str(reviews_file), "decision": "argmax", "register": False, "seed": 7}
    first = train(TrainParameters.model_validate(given))
    again = train(TrainParameters.model_validate({"from_run": first.run_id, "register": False}))
    assert again.test == first.test
    told = f"data={reviews_file}, seed=7, decision=argmax"
    assert f"train: as run {first.run_id}: {told}\n" in capsys.readouterr().out
    given = {"from_run": first.run_id, "seed": 8, "split": "hash", "register": False}
    run = store.get_run(train(TrainParameters.model_validate(given)).run_id)
    taken = [run.data.params[name] for name in ("seed", "split", "data", "decision")]
    assert taken == ["8", "hash", str(reviews_file), "argmax"]


def test_the_decision_is_part_of_the_model(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    given = {"data": str(reviews_file), "sampling": "none"}
    tuned, plain = (
        train(TrainParameters.model_validate({**given, "decision": d})) for d in ("tuned", "argmax")
    )
    metrics = store.get_run(tuned.run_id).data.metrics
    assert metrics["test_argmax_f1_macro"] == plain.test["f1_macro"] != tuned.test["f1_macro"]
    assert metrics["test_auc"] == plain.test["auc"]
    test = pl.read_parquet(preprocess(DataParameters(data=str(reviews_file))).split("test")).to_pandas()
    for version, candidate in (("1", tuned), ("2", plain)):
        answered = mlflow.pyfunc.load_model(f"models:/review-rating/{version}").predict(test[["text"]])[
            "rating"
        ]
        assert f1_score(test["rating"], answered, average="macro") == pytest.approx(
            candidate.test["f1_macro"]
        )


def test_an_error_is_minimised(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    candidate = tune(asked(reviews_file, families="logistic_regression", objective="val_mae"))
    parent = store.get_run(store.get_run(candidate.run_id).data.tags["mlflow.parentRunId"])
    values = [
        run.data.metrics["val_mae"]
        for run in children(store, parent.info.run_id)
        if "outcome" in run.data.tags
    ]
    assert store.get_run(parent.data.tags["best_run_id"]).data.metrics["val_mae"] == min(values)
    assert parent.data.metrics["best_val_mae"] == min(values)


def test_registered_version_says_what_it_is(fitted_store: mlflow.MlflowClient) -> None:
    fit = fit_of(fitted_store, "logistic_regression")
    version = fitted_store.get_model_version("review-rating", "1")
    assert version.run_id == fit.info.run_id
    assert version.tags["family"] == "logistic_regression"
    assert version.tags["test_f1_weighted"] == f"{fit.data.metrics['test_f1_weighted']:.4f}"
    assert "test reviews" in version.description
    assert str(fitted_store.get_model_version_by_alias("review-rating", "challenger").version) == "3"


def test_predict_keeps_all_rows_and_columns(fitted_store: mlflow.MlflowClient, tmp_path: Path) -> None:
    (tmp_path / "unrated.csv").write_text("id,text\n7,lovely soft dress\n8,\n9,awful and itchy\n")
    readers = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}
    for ending, read in readers.items():
        predict(PredictParameters(input="unrated.csv", output=f"scores.{ending}", model=LINEAR_MODEL))
        scored = read(tmp_path / f"scores.{ending}")
        assert [int(i) for i in scored["id"]] == [7, 8, 9]
        assert scored["expected_rating"][0] > scored["expected_rating"][2]
        assert set(scored["model"]) == {"review-rating"}
        assert {str(version) for version in scored["model_version"]} == {"1"}
        assert {"predicted_rating", "probability_1", "probability_5", "model_run"} <= set(scored.columns)
    assert not list(tmp_path.glob(".*.part"))


def test_train_goes_on_after_its_last_epoch(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "data": str(reviews_file),
        **NETWORK,
        "epochs": 4,
        "register": False,
    }
    whole = train(TrainParameters.model_validate(given))
    passed_on = EpochLines.report

    def interrupt(self: EpochLines, report: FitReport) -> None:
        if report.number == 3:
            raise KeyboardInterrupt
        passed_on(self, report)

    with monkeypatch.context() as patched:
        patched.setattr(EpochLines, "report", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(TrainParameters.model_validate(given))
    [cut_off] = store.search_runs(
        [store.get_experiment_by_name("tests").experiment_id], "attributes.status = 'KILLED'"
    )
    assert f"resume={cut_off.info.run_id}" in cut_off.data.tags["mlflow.note.content"]
    reviews_file.unlink()  # as on another machine: the splits are on the server
    resumed = train(TrainParameters.model_validate({"resume": "latest"}))
    assert resumed.run_id == cut_off.info.run_id
    assert resumed.test == whole.test
    assert len(store.get_metric_history(resumed.run_id, "val_auc")) == len(
        store.get_metric_history(whole.run_id, "val_auc")
    )
    assert "checkpoint" not in {item.path for item in store.list_artifacts(resumed.run_id)}
    assert set(statuses(store)) == {"FINISHED"}
    with pytest.raises(UserError, match="it is finished"):
        train(TrainParameters.model_validate({"resume": resumed.run_id}))
