"""`predict` with words: a column of a scored file, and one review on the terminal."""

from dataclasses import replace
from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.models.explanations import contributions
from starcast.tracking import registry, scoring
from starcast.workflow.explain import explaining
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from starcast.workflow.predict_text import predict_text
from tests.conftest import statuses

LINEAR_MODEL, NETWORK_MODEL = "models:/review-rating/1", "models:/review-rating/2"


def asked(**parameters: object) -> PredictParameters:
    return PredictParameters.model_validate({"model": LINEAR_MODEL, **parameters})


@pytest.mark.parametrize("model", [LINEAR_MODEL, NETWORK_MODEL])
def test_a_scored_file_has_the_words_of_each_rating(fitted_store: mlflow.MlflowClient, model: str) -> None:
    table = pl.DataFrame(
        {"text": ["lovely perfect shirt", "", "awful awful itchy"], "words": ["own", "", "x"]}
    )
    table.write_csv("asked.csv")
    written = predict(asked(model=model, input="asked.csv", output="scored.parquet", explain=2))
    scored = pl.read_parquet(written)
    assert scored["words"].to_list() == ["own", "", "x"], "the file keeps its own"
    words = scored["starcast_words"].to_list()
    assert words[1] == ""
    assert all(len(each.split(", ")) <= 2 for each in words)
    with scoring.opened(registry.find(model)) as loaded:
        assert loaded.predictor
        found = contributions(loaded.predictor, table.select(pl.col("text").fill_null("")))
    chosen = found.filter(pl.col("row") == 0).sort(pl.col(str(scored["predicted_rating"][0] - 1)).abs())
    assert words[0].split(" ")[0] == chosen["word"][-1].split(" ")[0]


@pytest.mark.parametrize("model", [LINEAR_MODEL, NETWORK_MODEL])
def test_a_model_of_other_code_is_explained_by_its_answers(
    fitted_store: mlflow.MlflowClient, model: str, tmp_path: Path
) -> None:
    reviews = pl.DataFrame({"text": ["lovely perfect! Lovely", ""]})
    with scoring.opened(registry.find(model)) as loaded:
        before = explaining(loaded, 5).predict(reviews)["words"]
        after = explaining(replace(loaded, predictor=None, stored=tmp_path), 5).predict(reviews)["words"]
    assert {word.split(" ")[0] for word in after[0].split(", ")} == {"lovely", "perfect"}
    assert before[1] == after[1] == ""


def test_a_model_of_another_project_is_not_explained(fitted_store: mlflow.MlflowClient) -> None:
    with (
        scoring.opened(registry.find(LINEAR_MODEL)) as loaded,
        pytest.raises(UserError, match="model models:/review-rating/1 was not logged by starcast"),
    ):
        explaining(replace(loaded, predictor=None), 5)


def test_one_review_is_answered_on_the_terminal_and_nothing_is_written(
    fitted_store: mlflow.MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, runs = sorted(tmp_path.iterdir()), len(statuses(fitted_store))
    answers = predict_text(asked(text="lovely, perfect and soft"))
    *told, shares, answer = capsys.readouterr().out.splitlines()
    assert answer.startswith(
        f"predict: {answers['rating'][0]} stars, confidence {answers['confidence'][0]:.2f}"
    )
    assert told[0] == "predict: model review-rating version 1"
    assert told[1].startswith(f"predict: words for {answers['rating'][0]} stars, in log odds: ")
    assert "lovely +" in told[1]
    assert shares.startswith("predict: probabilities: 1 star 0.")
    assert (sorted(tmp_path.iterdir()), len(statuses(fitted_store))) == (before, runs)


def test_a_run_of_mlflow_is_described_by_the_answer(
    fitted_store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mlflow.start_run() as run:
        pass
    fitted_store.set_terminated(run.info.run_id, "RUNNING")
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    answers = predict_text(asked(text="lovely"))
    found = fitted_store.get_run(run.info.run_id)
    assert found.info.run_name == "predict one review"
    assert f"{answers['rating'][0]} stars" in found.data.tags["mlflow.note.content"]
    assert found.info.status == "FINISHED"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--text=good", "--input=my.csv"], "parameter text: is answered on the terminal; leave out input"),
        (["--text=good", "--output=my.csv"], "parameter text: is answered on the terminal; leave out output"),
        (["--text="], "parameter text: is empty; leave it out to answer a file"),
        (["--text=good", "--executor=spark"], "parameter text: works with executor=local only"),
        (["--explain=3", "--executor=spark"], "parameter explain: works with executor=local only"),
        (["--explain=-1"], "parameter explain: should be greater than or equal to 0"),
    ],
)
def test_parameters_that_exclude_each_other_are_refused(given: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse(PredictParameters, given)
