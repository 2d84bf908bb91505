"""A search with a transformer, from its first trial to a registered model that answers."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import polars as pl

from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.tiny_encoder import needs_extra, write_weights


@needs_extra
def test_a_transformer_is_searched_becomes_the_candidate_and_answers(
    store: mlflow.MlflowClient, reviews_file: Path, tmp_path: Path
) -> None:
    own = {"weights": write_weights(tmp_path / "weights"), "layers": [1, 2], "epochs": [1, 2]}
    given = {"data": str(reviews_file), "families": "transformer", "max_trials": 2, "sampling": "none"}
    parameters = {**given, "space": json.dumps({"transformer": own}), "pruner": "none", "workers": 1}
    candidate = tune(TuneParameters.model_validate(parameters))
    search = store.get_run(store.get_run(candidate.run_id).data.tags["mlflow.parentRunId"]).info.run_id
    trials = pl.read_csv(store.download_artifacts(search, "trials.csv"))
    assert trials["outcome"].to_list() == ["complete", "complete"]
    assert set(trials["epochs (setting)"]) <= {1, 2}
    model = mlflow.pyfunc.load_model("models:/review-rating@challenger")
    assert model.predict(pd.DataFrame({"text": ["lovely dress", ""]}))["rating"].between(1, 5).all()
