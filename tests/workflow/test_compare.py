"""The step `compare` on runs that `train` made: what it reports, and what it says to mistakes."""

import csv
import re
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run

from starcast.cli import progress
from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.comparison.compare import compare_runs
from starcast.comparison.parameters import CompareParameters
from starcast.comparison.ranking import Comparison
from starcast.reports.table import WIDTH
from starcast.tracking.artifacts import fetch
from starcast.workflow.fit_parameters import TrainParameters
from starcast.workflow.train import train
from tests.conftest import make_reviews, store_in

FITS: tuple[dict[str, object], ...] = (
    {},
    {"settings": '{"c": 0.03}'},
    {"seed": 7},
)  # the last splits otherwise


@pytest.fixture(scope="module")
def empty_database(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `store` copies: here it is not empty, as making the fits takes longer than comparing them."""
    folder = tmp_path_factory.mktemp("fitted")
    with store_in(folder, empty_database, "fitted") as database:
        make_reviews(300).write_csv("reviews.csv")
        for given in FITS:
            train(TrainParameters.model_validate({"data": "reviews.csv", "register": False, **given}))
    return database


def compared(**given: object) -> Comparison:
    return compare_runs(parse(CompareParameters, [f"--{name}={value}" for name, value in given.items()]))


def mistake(**given: object) -> str:
    """What the step says to these parameters: one line."""
    with pytest.raises(UserError) as caught:
        compared(**given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def runs_of_the_step(store: mlflow.MlflowClient) -> list[Run]:
    experiments = [experiment.experiment_id for experiment in store.search_experiments()]
    return list(store.search_runs(experiments, "tags.step = 'compare'"))


def fits(store: mlflow.MlflowClient) -> dict[str, float]:
    """Run to its macro F1 on the test split."""
    found = store.search_runs(
        [store.get_experiment_by_name("fitted").experiment_id], "tags.role = 'candidate'"
    )
    return {run.info.run_id: run.data.metrics["test_f1_macro"] for run in found}


def text_of(run: Run, artifact: str) -> str:
    return fetch(run.info.run_id, artifact).read_text(encoding="utf-8")


def test_runs_are_compared_and_the_report_is_on_the_run(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    result = compared(experiment="fitted")
    said = capsys.readouterr().out
    values = fits(store)
    assert len(values) == len(FITS)
    assert {each.system.runs[0].run_id: each.value for each in result.placed} == pytest.approx(values)
    best = max(values, key=values.__getitem__)
    (run,) = runs_of_the_step(store)
    assert run.info.status == "FINISHED"
    description = run.data.tags["mlflow.note.content"]
    for text in (said, text_of(run, "report.html"), text_of(run, "report.md"), description):
        assert best in text
        assert "Not comparable with the best, as they were scored on other reviews" in text
    assert "![" not in description
    assert {item.path for item in store.list_artifacts(run.info.run_id)} >= {
        "scores.png",
        "cost.png",
        "comparison.csv",
    }
    table = said.split("\n\n")[1]
    assert len(table.splitlines()) == 1 + len(FITS)
    assert max(map(len, table.splitlines())) <= WIDTH
    assert any(line.startswith("compare: ") and run.info.run_id in line for line in said.splitlines()[-3:])


def test_the_file_of_numbers_has_a_row_per_run_best_first(store: mlflow.MlflowClient) -> None:
    compared(experiment="fitted", metric="mae")
    (run,) = runs_of_the_step(store)
    rows = list(csv.DictReader(text_of(run, "comparison.csv").splitlines()))
    values = [float(row["value"]) for row in rows]
    assert values == sorted(values)
    assert {row["run_ids"] for row in rows} == set(fits(store))
    assert sorted(row["setting_c"] for row in rows) == ["0.03", "1.0", "1.0"]


def test_groups_average_the_fits_that_answered_the_same_reviews(store: mlflow.MlflowClient) -> None:
    result = compared(experiment="fitted", by="family", split="val")
    assert sorted(len(each.system.runs) for each in result.placed) == [1, 2]
    assert {each.lead for each in result.placed} == {None}
    (run,) = runs_of_the_step(store)
    assert "by family: val f1_macro" in text_of(run, "report.md").splitlines()[0]


def test_fits_on_the_same_reviews_are_paired(store: mlflow.MlflowClient) -> None:
    result = compared(experiment="fitted", filter="params.seed = '42'")
    assert len(result.placed) == 2
    assert result.second is not None
    assert result.second.lead is not None
    assert result.second.lead.estimate.value == pytest.approx(result.best.value - result.second.value)


def test_of_more_runs_the_best_is_kept_and_its_matrix_is_that_of_its_predictions(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    (kept,) = compared(max_runs=1, experiment="fitted").placed
    assert kept.value == max(fits(store).values())
    assert "Runs left out: 2, as they are beyond the 1 best (max_runs): " in capsys.readouterr().out
    table = pl.read_parquet(fetch(kept.system.runs[0].run_id, "predictions_test.parquet"))
    assert kept.system.matrix.sum() == table.height
    assert kept.system.matrix.diagonal().sum() == table.filter(pl.col("rating") == pl.col("predicted")).height


@pytest.mark.figures
def test_foreign_runs_are_left_out_by_name_and_hostile_names_are_shown_as_they_are(
    store: mlflow.MlflowClient, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = (r"$\foo$ <script>alert(1)</script> | **x** ` \x1b[31m $$ 评论 😀", "two\nlines", "_$^{")
    for fit, name in zip(fits(store), hostile, strict=True):
        store.set_tag(fit, "mlflow.runName", name)
        store.set_tag(fit, "family", name)
    experiment = store.get_experiment_by_name("fitted").experiment_id
    foreign = {}
    for name, kept in {
        "three classes": {"labels": [0, 1, 2], "matrix": [[9, 0, 0], [0, 9, 0], [0, 0, 9]]},
        "another form": [1, 2, 3],
    }.items():
        foreign[name] = store.create_run(experiment, tags={"family": "theirs"}).info.run_id
        store.log_metric(foreign[name], "test_f1_macro", 0.99)
        store.log_dict(foreign[name], kept, "confusion_matrix_test.json")
        store.set_terminated(foreign[name])
    compared(experiment="fitted")
    said = capsys.readouterr().out
    assert (
        f"Runs left out: 1, as their ratings are not 1-5, as those of most are: {foreign['three classes']}."
        in said
    )
    assert f"(confusion_matrix_test.json: no JSON object): {foreign['another form']}." in said
    assert "\x1b" not in said
    (run,) = runs_of_the_step(store)
    for text in (
        text_of(run, "report.html"),
        text_of(run, "report.md"),
        run.data.tags["mlflow.note.content"],
    ):
        assert "<script>" not in text.replace(r"\<script>", "")
        assert foreign["another form"] in text


def test_progress_is_told_when_reading_takes_long(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", -1.0)
    compared(experiment="fitted")
    # Of runs that are read at the same moment the first line says enough.
    line = r"^  reading runs: (33%, 1|67%, 2) runs, [\d,.]+ a second, about \d+ s left$"
    assert re.search(line, capsys.readouterr().out, re.M)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"metric": "f2"}, "parameter metric: should be one of loss, brier, ece"),
        ({"split": "train"}, "parameter split: should be one of test, val"),
        ({"max_runs": 0}, "parameter max_runs: should be greater than or equal to 1"),
        ({"runs": "a"}, "unknown parameter 'runs'"),
    ],
)
def test_a_bad_parameter_begins_no_run(
    store: mlflow.MlflowClient, given: dict[str, object], expected: str
) -> None:
    assert expected in mistake(**given)
    assert runs_of_the_step(store) == []


def test_mistakes_found_later_are_one_line_and_the_run_failed(store: mlflow.MlflowClient) -> None:
    assert "no finished run in experiment tests has test_f1_macro: make runs first" in mistake()
    assert "there is no 'nowhere'" in mistake(experiment="nowhere")
    assert 'MLflow cannot read "family"' in mistake(filter="family")
    assert "check the filter, or leave it empty" in mistake(
        filter="tags.family = 'lstm_2'", experiment="fitted"
    )
    with mlflow.start_run(tags={"family": "gru_1"}) as run:
        mlflow.log_metric("test_f1_macro", 0.5)
    assert "none of 1 scored runs has predictions or a confusion matrix" in mistake()
    store.log_dict(run.info.run_id, {"matrix": np.eye(5, dtype=int).tolist()}, "confusion_matrix_test.json")
    assert "parameter by: no run has 'colour'; the runs differ in nothing" in mistake(by="colour")
    assert [each.info.status for each in runs_of_the_step(store)] == ["FAILED"] * 6


def test_a_server_that_is_away_is_said_before_anything_is_begun(store: mlflow.MlflowClient) -> None:
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    assert "tracking server http://127.0.0.1:9 does not answer" in mistake()
