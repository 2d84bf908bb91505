"""A search on a real store: runs as the design lays them out, a candidate in the registry, scores that hold."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import polars as pl
import pytest
from mlflow.entities import Run
from sklearn.metrics import f1_score

from starcast.cli.errors import UserError
from starcast.models.progress import EpochLines
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

TINY_GRU = '{"units_1": 8}'
MODEL = "models:/review-rating@challenger"


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
    }
    return TuneParameters.model_validate({**given, "batch_size": 64, **parameters})


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
        assert run.data.params["sampling"] in ("none", "class_weight")
    best = max(trials, key=lambda run: run.data.metrics["val_auc"])
    assert parent.data.tags["best_run_id"] == best.info.run_id
    assert parent.data.metrics["trials_complete"] == 3
    assert best.info.run_id in parent.data.tags["mlflow.note.content"]
    said = f"best {parent.data.tags['best_trial'][:9]}, val_auc {best.data.metrics['val_auc']:.4f}"
    assert parent.info.run_name == f"{said}: tune logistic_regression, gru_1 on {reviews_file.name}, 3 trials"
    assert best.info.run_name == parent.data.tags["best_trial"]
    assert set(statuses(store)) == {"FINISHED"}


def test_what_is_taken_from_a_fit_is_trained_for_as_many_epochs(
    store: mlflow.MlflowClient, reviews_file: Path
) -> None:
    given = {"data": str(reviews_file), "register": False}
    first = train(TrainParameters.model_validate({**given, "family": "gru_1", "settings": TINY_GRU}))
    again = train(TrainParameters.model_validate({**given, "from_run": first.run_id}))
    assert again.test == first.test


def test_metrics_are_those_of_the_matrix(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    candidate = train(TrainParameters(data=str(reviews_file), family="gru_1", settings=TINY_GRU, epochs=3))
    metrics = store.get_run(candidate.run_id).data.metrics
    for split in ("train", "val", "test"):
        matrix = np.array(read_json(candidate.run_id, f"confusion_matrix_{split}.json")["matrix"])
        true = np.repeat(np.arange(5), matrix.sum(axis=1))
        predicted = np.concatenate([np.repeat(np.arange(5), row) for row in matrix])
        assert metrics[f"{split}_f1_weighted"] == pytest.approx(f1_score(true, predicted, average="weighted"))
        assert metrics[f"{split}_f1_macro"] == pytest.approx(f1_score(true, predicted, average="macro"))


@pytest.mark.parametrize(("family", "settings"), [("logistic_regression", "{}"), ("gru_1", TINY_GRU)])
def test_served_model_answers_as_in_training(
    store: mlflow.MlflowClient, reviews_file: Path, family: str, settings: str
) -> None:
    parameters = TrainParameters(
        data=str(reviews_file), family=family, settings=settings, epochs=2, title_column="title"
    )
    candidate = train(parameters)
    test = pl.read_parquet(preprocess(parameters.data_parameters()).split("test"))
    in_training = pl.read_parquet(fetch(candidate.run_id, "predictions_test.parquet"))
    served = mlflow.pyfunc.load_model(MODEL).predict(test.select("text", "title").to_pandas())
    assert served["rating"].tolist() == in_training["predicted"].to_list()
    probabilities = [f"probability_{rating}" for rating in range(1, 6)]
    np.testing.assert_allclose(served[probabilities], in_training.select(probabilities), atol=1e-6)
    np.testing.assert_allclose(served["expected_rating"], served[probabilities] @ np.arange(1, 6))


def test_model_answers_any_text_and_holds_no_pickle(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    train(TrainParameters(data=str(reviews_file), family="gru_1", settings=TINY_GRU, epochs=1))
    model = mlflow.pyfunc.load_model(MODEL)
    texts = ["lovely dress", None, "", "soft " * 20_000, "très joli, 素晴らしい", "\x00\ufffd🙂"]
    assert len(model.predict(pd.DataFrame({"text": texts}))) == len(texts)
    assert model.predict(pd.DataFrame({"text": [None]}))["rating"].between(1, 5).all()
    assert model.predict(pd.DataFrame({"text": ["nice"]}, index=[17])).index.tolist() == [17]
    files = [path for path in Path(mlflow.artifacts.download_artifacts(MODEL)).rglob("*") if path.is_file()]
    assert files
    assert not [
        path
        for path in files
        if path.suffix in (".pkl", ".pickle", ".joblib") or path.read_bytes()[:1] == b"\x80"
    ]


@pytest.mark.parametrize(
    ("family", "settings"), [("logistic_regression", "{}"), ("gru_1", TINY_GRU), ("lstm_1", "{}")]
)
def test_equal_runs_of_train_give_equal_metrics(
    store: mlflow.MlflowClient, reviews_file: Path, family: str, settings: str
) -> None:
    runs = [
        train(
            TrainParameters(
                data=str(reviews_file), family=family, settings=settings, epochs=2, register=False
            )
        )
        for _ in range(2)
    ]
    first, second = (store.get_run(run.run_id).data.metrics for run in runs)
    timed = {name for name in first if name.startswith("system/") or name == "fit_seconds"}
    assert {k: v for k, v in first.items() if k not in timed} == {
        k: v for k, v in second.items() if k not in timed
    }


def test_another_seed_gives_other_metrics(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    prepared = {
        "data": str(reviews_file),
        "family": "gru_1",
        "settings": TINY_GRU,
        "epochs": 1,
        "register": False,
    }
    first, second = (train(TrainParameters.model_validate({**prepared, "seed": seed})) for seed in (1, 2))
    assert first.test != second.test


def test_a_failed_trial_does_not_end_the_search(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WORKER", "tests.workflow.failing_worker")
    monkeypatch.setenv("STARCAST_FAIL", "first")
    tune(asked(reviews_file, families="logistic_regression", workers=1))
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
    with pytest.raises(UserError, match="all 2 trials failed; the last failure: MemoryError: no room"):
        tune(asked(reviews_file, families="logistic_regression", max_trials=2))
    assert sorted(statuses(store)) == ["FAILED", "FAILED", "FAILED", "FINISHED"]


def test_an_interrupt_closes_runs_as_killed(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkerPool, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        tune(asked(reviews_file, families="logistic_regression", workers=1))
    assert sorted(statuses(store)) == ["FINISHED", "KILLED", "KILLED"]
    [parent] = store.search_runs([store.get_experiment_by_name("tests").experiment_id], "tags.step = 'tune'")
    assert f"resume={parent.info.run_id}" in parent.data.tags["mlflow.note.content"]


def test_train_takes_the_best_of_a_search(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    candidate = tune(asked(reviews_file, max_trials=2))
    parent = store.get_run(candidate.run_id).data.tags["mlflow.parentRunId"]
    again = train(TrainParameters(data=str(reviews_file), from_run=parent, epochs=2, batch_size=64))
    assert again.family == candidate.family
    assert again.test == candidate.test
    assert again.registered is not None
    assert again.registered.version == "2"


def test_sampling_is_searched_unless_given(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    tune(asked(reviews_file, families="logistic_regression", max_trials=2, register=False))
    tune(asked(reviews_file, families="logistic_regression", max_trials=2, sampling="none", register=False))
    experiment = store.get_experiment_by_name("tests").experiment_id
    trials = store.search_runs([experiment], "tags.outcome = 'complete'", order_by=["attributes.start_time"])
    assert {run.data.params["sampling"] for run in trials[:2]} == {"none", "class_weight"}
    assert {run.data.params["sampling"] for run in trials[2:]} == {"none"}


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


def test_registered_version_says_what_it_is(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    candidate = train(TrainParameters(data=str(reviews_file)))
    version = store.get_model_version_by_alias("review-rating", "challenger")
    assert version.run_id == candidate.run_id
    assert version.tags["family"] == "logistic_regression"
    assert version.tags["test_f1_weighted"] == f"{candidate.test['f1_weighted']:.4f}"
    assert "test reviews" in version.description


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_predict_keeps_all_rows_and_columns(
    store: mlflow.MlflowClient, reviews_file: Path, tmp_path: Path, ending: str
) -> None:
    train(TrainParameters(data=str(reviews_file)))
    unrated = tmp_path / "unrated.csv"
    unrated.write_text("id,text\n7,lovely soft dress\n8,\n9,awful and itchy\n")
    output = tmp_path / f"scores.{ending}"
    predict(PredictParameters(input=str(unrated), output=str(output)))
    readers = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}
    scored = readers[ending](output)
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
        "family": "gru_1",
        "settings": TINY_GRU,
        "epochs": 4,
        "register": False,
    }
    whole = train(TrainParameters.model_validate(given))
    passed_on = EpochLines.epoch

    def interrupt(self: EpochLines, epoch: int, *reported: Any) -> None:
        if epoch == 3:
            raise KeyboardInterrupt
        passed_on(self, epoch, *reported)

    with monkeypatch.context() as patched:
        patched.setattr(EpochLines, "epoch", interrupt)
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
