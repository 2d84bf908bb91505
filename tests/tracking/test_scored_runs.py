"""Scored runs found on a real store and read back."""

import json
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.evaluation.scores import count_matrix
from starcast.reports.files import write_json, write_predictions, write_split_files
from starcast.tracking.scored_runs import LeftOut, ScoredRun, find_runs, read_runs

RATINGS = np.array([0, 1, 2, 3, 4, 4, 4, 3])
PREDICTED = np.array([0, 1, 1, 3, 4, 4, 2, 4])


def answered(**columns: list[float]) -> pl.DataFrame:
    """The predictions of one review, with some other columns."""
    named = {"review_id": [1], "rating": [1], "predicted": [1]}
    return pl.DataFrame({**named, **{f"probability_{label}": [0.2] for label in range(1, 6)}, **columns})


IDS = pl.Series([8, 7, 6, 5, 4, 3, 2, 1])


def log_run(
    score: float, split: str = "test", status: str = "FINISHED", files: bool = True, **tags: str
) -> str:
    """A run of a family with a score on a split, and its files."""
    active = mlflow.active_run()
    with mlflow.start_run(
        run_name=f"run {score}", nested=active is not None, tags={"family": "gru_1", **tags}
    ) as run:
        mlflow.log_params({"epochs": "2", "settings": '{"units_1": 8}'})
        for step in (1, 2, 3):
            mlflow.log_metric("val_f1_macro", step / 10, step=step)
        mlflow.log_metrics(
            {f"{split}_f1_macro": score, f"{split}_mae": 1 - score, "fit_seconds": 1.5, "parameters": 99},
            step=3,
        )
        if files:
            log_files(split)
    mlflow.MlflowClient().set_terminated(run.info.run_id, status)
    return str(run.info.run_id)


def log_files(split: str) -> None:
    folder = Path("files")
    folder.mkdir(exist_ok=True)
    write_json(folder / "settings.json", {"units_1": 8, "dropout_1": 0.3})
    write_split_files(folder, split, RATINGS, PREDICTED)
    if split == "test":
        write_predictions(folder, split, IDS, RATINGS, PREDICTED, np.eye(5)[PREDICTED])
    mlflow.log_artifacts(str(folder))
    for file in folder.iterdir():
        file.unlink()


def found(
    *names: str, wanted: str = "", split: str = "test", metric: str = "f1_macro", most: int = 50
) -> tuple[list[Run], list[str]]:
    with mlflow.start_run(run_name="the step"):
        return find_runs(names, wanted, split, metric, most)


def ids(runs: list[Run]) -> list[str]:
    return [run.info.run_id for run in runs]


def read_one(run_id: str, split: str = "test") -> ScoredRun:
    (run,) = read_runs([mlflow.get_run(run_id)], split, "f1_macro")
    assert isinstance(run, ScoredRun)
    return run


def test_the_best_runs_come_first_and_the_rest_is_counted(store: mlflow.MlflowClient) -> None:
    low, high, middle = (log_run(score, files=False) for score in (0.2, 0.9, 0.5))
    assert (ids(found()[0]), found()[1]) == ([high, middle, low], [])
    assert (ids(found(most=2)[0]), found(most=2)[1]) == ([high, middle], [low])
    assert ids(found(metric="mae")[0]) == [high, middle, low]  # of which lower is better


def test_only_finished_runs_of_a_family_with_a_score_of_the_split_are_found(
    store: mlflow.MlflowClient,
) -> None:
    kept = log_run(0.5, files=False)
    log_run(0.6, status="FAILED", files=False)
    log_run(0.7, status="KILLED", files=False)
    log_run(0.8, split="val", files=False)
    log_run(float("nan"), files=False)
    log_run(0.9, files=False, family="")  # a search carries its best trial's score
    assert ids(found()[0]) == [kept]


def test_a_negative_score_is_a_score(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(tags={"family": "gru_1"}) as run:
        mlflow.log_metric("test_quadratic_kappa", -0.2)
    assert ids(found(metric="quadratic_kappa")[0]) == [run.info.run_id]


def test_runs_are_read_page_by_page(store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow.tracking.fluent, "NUM_RUNS_PER_PAGE_PANDAS", 2)
    logged = [log_run(score, files=False) for score in (0.1, 0.2, 0.3, 0.4, 0.5)]
    assert ids(found()[0]) == logged[::-1]
    store.create_experiment("second")
    store.create_experiment("third")
    assert ids(found("tests", "second", "third")[0]) == logged[::-1]


def test_a_filter_and_experiments_choose(store: mlflow.MlflowClient) -> None:
    chosen = log_run(0.1, files=False, colour="blue")
    log_run(0.2, files=False)
    assert ids(found(wanted="tags.colour = 'blue'")[0]) == [chosen]
    mlflow.set_experiment("other")
    elsewhere = log_run(0.9, files=False)
    assert ids(found()[0]) == [elsewhere]
    assert len(found("tests", "other")[0]) == 3


@pytest.mark.parametrize(
    ("names", "given", "expected"),
    [
        (["nope"], {}, "there is no 'nope' on sqlite:///"),
        (["tests", "nope"], {}, "; there are tests, Default"),
        ([], {"wanted": "family is gru"}, 'MLflow cannot read "family is gru" (Invalid'),
        ([], {"wanted": "tags.family = 'gru_1' or tags.family = 'x'"}, "MLflow cannot read"),
        (
            [],
            {"wanted": "tags.colour = 'red'"},
            "no finished run that matches tags.colour = 'red' in experiment tests has test_f1",
        ),
        (["Default"], {}, "in experiment Default has test_f1_macro: make runs first"),
        ([], {"metric": "auc"}, "has test_auc"),
    ],
)
def test_what_cannot_be_found_is_said_in_one_line(
    store: mlflow.MlflowClient, names: list[str], given: dict[str, str], expected: str
) -> None:
    log_run(0.5, files=False)
    with pytest.raises(UserError) as caught:
        found(*names, **given)  # type: ignore[arg-type]
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_validation_scores_are_pointed_to_and_not_taken(store: mlflow.MlflowClient) -> None:
    log_run(0.5, split="val", files=False)
    with pytest.raises(UserError, match="there are runs scored on validation, compare these with split=val"):
        found()
    assert len(found(split="val")[0]) == 1


def test_a_run_is_read_with_its_answers_in_the_order_of_the_reviews(store: mlflow.MlflowClient) -> None:
    run = read_one(log_run(0.5))
    assert run.answers is not None
    assert run.answers.probabilities is None  # F1 needs none: of many runs they would fill the memory
    assert run.answers.ratings.tolist() == RATINGS[::-1].tolist()
    assert run.answers.predicted.tolist() == PREDICTED[::-1].tolist()
    assert run.matrix.tolist() == count_matrix(RATINGS, PREDICTED).tolist()
    assert (run.scores["f1_macro"], run.seconds, run.parameters, run.name) == (0.5, 1.5, 99, "run 0.5")


def test_settings_are_the_parameters_and_every_setting_under_its_own_name(store: mlflow.MlflowClient) -> None:
    run = read_one(log_run(0.5))
    assert run.settings == {"epochs": "2", "units_1": "8", "dropout_1": "0.3"}
    assert run.get("family") == "gru_1"


def test_a_curve_ends_with_the_last_epoch_not_with_the_model_kept(store: mlflow.MlflowClient) -> None:
    assert read_one(log_run(0.5)).curve == {1: 0.1, 2: 0.2}


def test_a_trial_has_its_matrix_and_no_answers(store: mlflow.MlflowClient) -> None:
    run = read_one(log_run(0.5, split="val"), "val")
    assert run.answers is None
    assert run.matrix.tolist() == count_matrix(RATINGS, PREDICTED).tolist()


DAMAGES: dict[str, tuple[str, object]] = {
    "no files": ("", ""),
    "predictions cut off": ("predictions_test.parquet", b"PAR1"),
    "predictions that are text": ("predictions_test.parquet", b"review_id,rating\n1,5\n"),
    "another table": ("predictions_test.parquet", pl.DataFrame({"review_id": [1], "rating": [5]})),
    "a rating off the scale": ("predictions_test.parquet", answered(rating=[9], predicted=[1])),
    "no number": ("predictions_test.parquet", answered(probability_1=[float("nan")])),
    "no label": ("predictions_test.parquet", answered(probability_1=[0.1], probability_x=[0.1])),
    "a review twice": ("predictions_test.parquet", pl.concat([answered(), answered()])),
    "a list": ("confusion_matrix_test.json", [1, 2]),
    "three classes without labels": ("confusion_matrix_test.json", {"matrix": np.eye(3, dtype=int).tolist()}),
    "other labels": ("confusion_matrix_test.json", {"labels": ["a", None], "matrix": [[1, 0], [0, 1]]}),
    "fractions": ("confusion_matrix_test.json", {"matrix": (np.eye(5) / 2).tolist()}),
    "ragged rows": ("confusion_matrix_test.json", {"matrix": [[1], [1, 2]]}),
    "no JSON": ("confusion_matrix_test.json", b"{"),
    "settings that are a list": ("settings.json", ["units"]),
}


def test_runs_whose_files_are_damaged_or_foreign_are_left_out_and_do_not_stop_the_others(
    store: mlflow.MlflowClient,
) -> None:
    whole = log_run(0.5)
    damaged = {}
    for name, (file, content) in DAMAGES.items():
        damaged[log_run(0.6, files=file == "settings.json")] = name
        if file:
            put(next(reversed(damaged)), file, content)
    runs = [mlflow.get_run(run_id) for run_id in (*damaged, whole)]
    read = list(read_runs(runs, "test", "f1_macro"))
    for each in read[:-1]:
        assert isinstance(each, LeftOut), damaged[each.run_id]
        assert "\n" not in each.why
    assert [each.run_id for each in read] == [*damaged, whole]
    assert read[0] == LeftOut(read[0].run_id, "their predictions and confusion matrices are gone")


def test_files_of_another_run_are_noticed_by_their_accuracy(store: mlflow.MlflowClient) -> None:
    right, other = log_run(0.5), log_run(0.6)
    store.log_metric(right, "test_accuracy", (RATINGS == PREDICTED).mean())
    store.log_metric(other, "test_accuracy", 0.9)
    read = list(read_runs([mlflow.get_run(right), mlflow.get_run(other)], "test", "f1_macro"))
    assert isinstance(read[0], ScoredRun)
    assert isinstance(read[1], LeftOut)
    assert "files of another run: their accuracy is 0.6250, the run's 0.9000" in read[1].why


def put(run_id: str, file: str, content: object) -> None:
    """Make a file of a run anew."""
    path = Path(file)
    if isinstance(content, pl.DataFrame):
        content.write_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    mlflow.MlflowClient().log_artifact(run_id, path)


def test_a_name_is_shown_in_one_line(store: mlflow.MlflowClient) -> None:
    run_id = log_run(0.5)
    store.set_tag(run_id, "mlflow.runName", "two\nlines \x1b[31m")
    assert read_one(run_id).name == "two lines [31m"


def test_without_predictions_the_matrix_that_was_kept_is_taken(store: mlflow.MlflowClient) -> None:
    run_id = log_run(0.5)
    artifacts = Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=""))
    (artifacts / "predictions_test.parquet").unlink()
    (artifacts / "confusion_matrix_test.json").write_text(
        json.dumps({"matrix": np.eye(5, dtype=int).tolist()})
    )
    assert read_one(run_id).matrix.tolist() == np.eye(5).tolist()
