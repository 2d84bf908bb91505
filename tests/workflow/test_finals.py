"""The end of a search over several families: their best models, blended or not."""

import json
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest

from starcast.tracking import registry, scoring
from starcast.tracking.artifacts import fetch
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.train import train
from starcast.workflow.tune import tune


def test_an_ensemble_is_searched_fitted_served_and_fitted_again(
    store: mlflow.MlflowClient, reviews_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"families": "logistic_regression,gru_1", "max_trials": 2, "max_epochs": 2, "batch_size": 64}
    asked = {**given, "data": str(reviews_file), "ensemble": "always", "minutes": 30, "workers": 1}
    candidate = tune(TuneParameters.model_validate(asked))
    assert candidate.family == "ensemble"
    shares = json.loads(fetch(candidate.run_id, "ensemble.json").read_text())["shares"]
    assert sum(shares.values()) == pytest.approx(1)
    run = store.get_run(candidate.run_id)
    members = json.loads(json.loads(fetch(candidate.run_id, "settings.json").read_text())["members"])
    assert [member["family"] for member in members] == ["logistic_regression", "gru_1"]
    assert run.data.params["members"] == json.dumps(members)
    said = capsys.readouterr().out
    assert "tune: the candidate is the ensemble, which is " in said
    assert "the ensemble's members: " in said
    search = store.get_run(run.data.tags["mlflow.parentRunId"]).info.run_id
    verdict = json.loads(fetch(search, "ensemble_verdict.json").read_text())
    assert verdict["chosen"] == "ensemble"
    assert set(verdict["differences"]) == {"val_loss", "val_f1_macro"}

    test = pl.read_parquet(fetch(candidate.run_id, "predictions_test.parquet"))
    texts = pl.read_csv(reviews_file)[test["review_id"].to_list()].select("text").to_pandas()
    served = mlflow.pyfunc.load_model("models:/review-rating/1").predict(texts)
    columns = [f"probability_{rating}" for rating in range(1, 6)]
    np.testing.assert_allclose(served[columns], test.select(columns), atol=1e-4)

    with scoring.opened(registry.find("models:/review-rating/1")) as loaded:
        assert not loaded.notes, "it answers with the code here, as every family of starcast does"

    again = train(TrainParameters.model_validate({"data": str(reviews_file), "from_run": candidate.run_id}))
    assert again.family == "ensemble"
    assert again.test == pytest.approx(candidate.test, abs=0.02)
