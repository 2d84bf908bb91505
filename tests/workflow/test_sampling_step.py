"""The entry point `sampling` on real, small fits: its runs, its files, its answer, and what it refuses."""

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.experiments.parameters import SamplingParameters
from starcast.experiments.sampling import run_sampling
from starcast.experiments.sampling_effects import SamplingScores
from starcast.workflow.search_parameters import TuneParameters
from starcast.workflow.tune import tune
from tests.conftest import make_reviews, statuses

PROJECT = Path(__file__).parents[2]
VARIANTS = ("none", "random_over", "nearmiss_2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sampling")


@pytest.fixture(scope="module")
def client(folder: Path, empty_database: Path) -> mlflow.MlflowClient:
    (folder / "mlflow.db").write_bytes(empty_database.read_bytes())
    return mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


@pytest.fixture(scope="module")
def done(folder: Path, client: mlflow.MlflowClient) -> tuple[str, SamplingScores]:
    """One small experiment for the tests below: two repeats of a linear model under three samplings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.set_tracking_uri(client.tracking_uri)
        experiment = mlflow.create_experiment("samplings", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment(experiment_id=experiment)
        make_reviews(300).write_csv(folder / "reviews.csv")
        given = SamplingParameters(data=str(folder / "reviews.csv"), variants=VARIANTS, repeats=2)
        scored = run_sampling(given)
        mlflow.set_tracking_uri(None)
        mlflow.tracking.fluent._active_experiment_id = None
        return experiment, scored


def fits(client: mlflow.MlflowClient, experiment: str) -> list[mlflow.entities.Run]:
    return list(client.search_runs([experiment], "tags.role = 'fit'", order_by=["attributes.start_time"]))


def parent(client: mlflow.MlflowClient, experiment: str) -> mlflow.entities.Run:
    [found] = client.search_runs([experiment], "tags.step = 'sampling'")
    return found


def read(run: mlflow.entities.Run, client: mlflow.MlflowClient, name: str) -> str:
    return Path(client.download_artifacts(run.info.run_id, name)).read_text()


def test_every_fit_is_a_run_below_the_experiments(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    best = done[1].best()
    named = f"sampling reviews.csv: {best.sampling} {best.decision}, logistic_regression 0."
    assert parent(client, done[0]).info.run_name.startswith(named)
    found = [(run.data.params["sampling"], run.data.params["seed"]) for run in fits(client, done[0])]
    # What no seed changes is fitted once.
    assert sorted(found) == [
        ("nearmiss_2", "42"),
        ("none", "42"),
        ("random_over", "42"),
        ("random_over", "43"),
    ]
    parents = {run.data.tags["mlflow.parentRunId"] for run in fits(client, done[0])}
    assert parents == {parent(client, done[0]).info.run_id}
    assert set(statuses(client)) == {"FINISHED"}


def test_class_counts_before_and_after_are_a_table_and_a_figure(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    run = next(run for run in fits(client, done[0]) if run.data.params["sampling"] == "random_over")
    counts = json.loads(read(run, client, "class_counts.json"))
    assert counts["after"] == [max(counts["before"])] * 5
    assert run.data.metrics["rows_used"] == sum(counts["after"])
    assert "class_counts.png" in {file.path for file in client.list_artifacts(run.info.run_id)}


def test_a_fit_has_scores_of_every_decision_its_time_and_its_memory(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    for run in fits(client, done[0]):
        for decision in ("argmax", "tuned", "expected", "prior_corrected"):
            assert 0 < run.data.metrics[f"test_{decision}_f1_macro"] < 1
        assert run.data.metrics["test_f1_macro"] == pytest.approx(run.data.metrics["test_argmax_f1_macro"])
        assert run.data.metrics["peak_memory_mb"] > 100
        assert run.data.metrics["fit_seconds"] > 0
        decided = json.loads(read(run, client, "decisions.json"))
        assert sum(map(sum, decided["tuned"]["confusion_matrix_test"])) == len(done[1].ratings)


def test_the_table_of_scores_says_what_the_runs_say(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    path = client.download_artifacts(parent(client, done[0]).info.run_id, "scores.csv")
    table = pl.read_csv(path)
    assert table.height == 4 * 4
    for row in table.filter(pl.col("decision") == "tuned").iter_rows(named=True):
        assert client.get_run(row["run_id"]).data.metrics["test_tuned_mae"] == pytest.approx(row["mae"])


def test_the_report_begins_with_the_answer(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    run = parent(client, done[0])
    best = done[1].best()
    lines = read(run, client, "report.md").splitlines()
    assert lines[2].startswith(
        f"**logistic_regression: best is `{best.sampling}` with decision `{best.decision}`, f1_macro 0."
    )
    assert run.data.tags["best_sampling"] == best.sampling
    text = "\n".join(lines)
    assert "`nearmiss_2` is trained on" in text
    assert all(
        f"## {heading}" in text
        for heading in ("Was it the sampling, or the threshold?", "Confusion matrices")
    )
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "scores.png", "ratings_logistic_regression.png", "scores.csv"} <= files


def test_the_parent_describes_itself_with_the_report(
    done: tuple[str, SamplingScores], client: mlflow.MlflowClient
) -> None:
    assert "best is" in parent(client, done[0]).data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"variants": "none,undersample"}, "parameter variants"),
        ({"decisions": "best"}, "parameter decisions"),
        ({"repeats": "0"}, "parameter repeats: should be greater than or equal to 1"),
        ({"metric": "mae"}, "parameter metric: should be one of"),
        ({"families": "svm"}, "parameter families: should be one of lstm_2"),
        ({"settings": "[1]"}, "parameter settings: should be a JSON object"),
        ({"settings": '{"svm": {}}'}, "no such family: svm"),
        ({"settings": '{"gru_1": {}}'}, "settings: gru_1 is not among the families"),
        (
            {"families": "logistic_regression,ordinal", "variants": "adasyn_token_ids"},
            "variants: logistic_regression takes none of these",
        ),
        ({"neighbours": "0"}, "parameter neighbours"),
        ({"variants": ""}, "parameter variants: should name at least one"),
        ({"variants": "adasyn_token_ids"}, "sampling adasyn_token_ids: not for logistic_regression, which"),
        ({"settings": '{"logistic_regression": {"depth": 2}}'}, "logistic_regression has no 'depth'"),
    ],
)
def test_a_wrong_parameter_is_one_clear_line(given: dict[str, str], expected: str) -> None:
    with pytest.raises(UserError) as error:
        parse(SamplingParameters, [f"--{name}={value}" for name, value in given.items()])
    assert expected in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_one_class_only_is_refused(store: mlflow.MlflowClient, tmp_path: Path) -> None:
    path = tmp_path / "fives.csv"
    pl.DataFrame({"text": [f"good {i}" for i in range(40)], "rating": [5] * 40}).write_csv(path)
    with pytest.raises(UserError, match="only rating 5 is left"):
        run_sampling(SamplingParameters(data=str(path)))
    assert "RUNNING" not in statuses(store)


@pytest.mark.parametrize("members", [1, 2, 3])
def test_a_rating_too_rare_for_three_splits_is_refused_by_name(
    store: mlflow.MlflowClient, tmp_path: Path, members: int
) -> None:
    reviews = make_reviews(200).filter(pl.col("rating") != 2)
    rare = pl.DataFrame(
        {"text": [f"odd {i}" for i in range(members)], "title": ["t"] * members, "rating": [2] * members}
    )
    path = tmp_path / "rare.csv"
    pl.concat([reviews, rare]).write_csv(path)
    with pytest.raises(UserError, match=f"rating 2: {members} review"):
        run_sampling(SamplingParameters(data=str(path), variants=("smote",)))


def test_a_search_tries_samplings_as_a_setting(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    samplings = ("none", "random_under", "smote")
    given = {"families": ("logistic_regression",), "sampling": samplings, "max_trials": 3, "register": False}
    tune(TuneParameters(data=str(reviews_file), **given))
    [experiment] = [each.experiment_id for each in store.search_experiments() if each.name == "tests"]
    trials = store.search_runs([experiment], "tags.trial_number != ''")
    assert {run.data.params["sampling"] for run in trials} == set(samplings)
    for run in trials:
        counts = json.loads(read(run, store, "class_counts.json"))
        assert run.data.metrics["rows_used"] == sum(counts["after"])
        pictures = {file.path for file in store.list_artifacts(run.info.run_id)}
        assert ("class_counts.png" in pictures) == (run.data.params["sampling"] != "none")


def test_a_model_that_is_served_does_without_imbalanced_learn() -> None:
    code = "import sys, starcast.models.predictor; sys.exit('imblearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
