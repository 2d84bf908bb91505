"""`monitor` on files and models of a store: verdicts, exit code, curves, columns, refusals."""

from pathlib import Path

import mlflow
import polars as pl
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.monitoring.drift import Drift
from starcast.monitoring.monitor import monitor
from starcast.monitoring.parameters import MonitorParameters
from starcast.tracking import monitored
from starcast.workflow.predict import predict
from starcast.workflow.predict_parameters import PredictParameters
from steps.monitor import run
from tests.conftest import make_reviews, statuses

LINEAR = "models:/review-rating/1"
# Each review has one word of its own, as those of the store have, but none of these words is there already.
LATER = make_reviews(200, seed=9).with_columns(pl.col("text").str.replace(r" n(\d+)$", " n90$1"))
MOVED = LATER.with_columns(text="zapatos " + pl.col("text"))


def parameters(file: Path, **given: object) -> MonitorParameters:
    return MonitorParameters.model_validate({"input": str(file), "model": LINEAR, **given})


def verdict_on(table: pl.DataFrame, **given: object) -> Drift:
    file = Path.cwd() / "new.csv"
    table.write_csv(file)
    return monitor(parameters(file, **given))


def runs_with(client: mlflow.MlflowClient, wanted: str) -> list[Run]:
    experiment = client.get_experiment_by_name("tests")
    assert experiment
    return client.search_runs([experiment.experiment_id], wanted, order_by=["attributes.start_time"])


def refusal(table: pl.DataFrame, **given: object) -> str:
    with pytest.raises(UserError) as refused:
        verdict_on(table, **given)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_every_monitoring_is_a_step_of_one_run_per_version(
    fitted_store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "unknown words" not in verdict_on(LATER).verdict
    changed = verdict_on(MOVED)
    assert {"unknown words", "single words"} <= {check.key for check in changed.changed}
    said = capsys.readouterr().out
    assert "monitor: true ratings from 'rating': 200 of 200" in said
    assert f"monitor: Changed: {changed.verdict.removeprefix('changed: ')}: " in said
    [curves] = runs_with(fitted_store, "tags.role = 'monitoring'")
    history = fitted_store.get_metric_history(curves.info.run_id, "effect/unknown_words")
    assert [point.step for point in history] == [0, 1]
    assert history[0].value < history[1].value
    steps = runs_with(fitted_store, "tags.step = 'monitor'")
    assert [step.data.tags["verdict"] for step in steps][1] == changed.verdict
    files = {item.path for item in fitted_store.list_artifacts(steps[1].info.run_id)}
    assert {"report.html", "report.md", "monitoring.json", "answers_and_texts.png"} <= files
    page = curves.data.tags["mlflow.note.content"]
    assert page.index("| 1 | changed: ") < page.index("| 0 | ")
    tags = fitted_store.get_model_version("review-rating", "1").tags
    assert tags[monitored.VERDICT] == changed.verdict
    assert tags[monitored.VERDICT_RUN] == steps[1].info.run_id
    assert not {"RUNNING", "FAILED"} & set(statuses(fitted_store))


def test_the_exit_code_is_3_if_something_changed(fitted_store: mlflow.MlflowClient, tmp_path: Path) -> None:
    MOVED.write_parquet(tmp_path / "new.parquet")
    with pytest.raises(SystemExit) as ended:
        run(parameters(tmp_path / "new.parquet"))
    assert ended.value.code == 3
    assert set(statuses(fitted_store)) <= {"FINISHED", "KILLED"}


def test_what_predict_wrote_is_read_like_the_file_that_it_read(
    fitted_store: mlflow.MlflowClient, tmp_path: Path
) -> None:
    direct = verdict_on(LATER)
    given = {"input": str(tmp_path / "new.csv"), "output": str(tmp_path / "scored.jsonl"), "model": LINEAR}
    predict(PredictParameters.model_validate(given))
    scored = monitor(parameters(tmp_path / "scored.jsonl"))
    assert scored.checks == direct.checks


def test_reviews_that_the_model_was_trained_on_and_rows_without_text_are_left_out(
    fitted_store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    drift = verdict_on(pl.read_csv("reviews.csv"))
    said = capsys.readouterr().out
    assert "240 of 300 reviews read like ones that the model was trained on: left out" in said
    assert drift.verdict == "as before"  # what is left is the test split
    assert "60 of 300 reviews read like the test split's own\n" in said
    together = verdict_on(pl.concat([pl.read_csv("reviews.csv"), LATER], how="diagonal_relaxed"))
    assert "60 of 500 reviews read like the test split's own: left out" in capsys.readouterr().out
    assert len(together.now.predicted) == 200
    blank = pl.DataFrame({"text": ["  "] * 40, "title": [""] * 40, "rating": [5] * 40})
    drift = verdict_on(pl.concat([LATER, blank], how="vertical_relaxed"))
    assert "no text" in {check.key for check in drift.changed}
    assert len(drift.now.predicted) == 200


def test_without_ratings_or_with_few_the_verdict_says_that_scores_are_not_compared(
    fitted_store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    few = LATER.with_row_index().with_columns(pl.when(pl.col("index") < 99).then("rating").alias("rating"))
    for table, given, rated in (
        (LATER.drop("rating"), {}, 0),
        (LATER, {"rating_column": "none"}, 0),
        (few.drop("index"), {}, 99),
    ):
        assert verdict_on(table, **given).scores == {}
        told = f"scores are not compared: {rated} new reviews have a rating, and 100 are needed"
        assert told in capsys.readouterr().out


def test_ratings_that_end_below_the_top_of_the_scale_are_doubted(
    fitted_store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict_on(LATER.with_columns(rating=1 + pl.col("rating") // 3))
    said = "monitor: no new rating is above 2, "
    assert said in capsys.readouterr().out
    verdict_on(LATER)
    assert "no new rating" not in capsys.readouterr().out


def test_mistakes_are_refused_in_a_line(fitted_store: mlflow.MlflowClient) -> None:
    assert "40 reviews with a text are left: 50 are needed" in refusal(LATER[:40])
    assert "no column 'stars'" in refusal(LATER, rating_column="stars")
    others = LATER.with_columns(pl.col("rating") * 20)
    assert "column 'rating' holds other ratings ('100': " in refusal(others)
    assert "holds other ratings" in refusal(others.rename({"rating": "stars"}), rating_column="stars")
    assert "no column 'text'" in refusal(LATER.select("rating"))
    assert "FAILED" in statuses(fitted_store)
