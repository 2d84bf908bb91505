"""`learning-curve` on a real store: nested samples, a run per fit, a report; mistakes begin no fit."""

from importlib.util import find_spec
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
import pytest
from mlflow.entities import Run

from starcast.cli.errors import UserError
from starcast.cli.parameters import parse
from starcast.experiments import learning_curve
from starcast.experiments.fits import ExperimentData
from starcast.experiments.learning_curve import run_learning_curve
from starcast.experiments.parameters import LearningCurveParameters
from starcast.reviews.split import smallest_with_all
from starcast.tracking.artifacts import fetch
from starcast.workflow.fit_process import FitJob
from starcast.workflow.prepare import preprocess
from tests.conftest import statuses

SIZES, REPEATS = (40, 80, 168), 2  # 168 are all
IMPOSSIBLE: list[tuple[dict[str, str], str]] = [
    (
        {"sizes": "40,1169"},
        "parameter sizes: 1,169 is more than the 168 reviews of the training set",
    ),
    (
        {"sizes": "6,40"},
        "parameter sizes: 6 is too few to contain a review of every rating; start with 7 or more",
    ),
    (
        {"sizes": "7,40", "sampling": "smote"},
        "parameter sizes: 7 is too few to contain two reviews of every rating; start with ",
    ),
]

needs_extra = pytest.mark.skipif(
    find_spec("keras_hub") is None or find_spec("tokenizers") is None,
    reason="the extra `transformer` is not installed",
)


@pytest.fixture
def store(fitted_store: mlflow.MlflowClient) -> mlflow.MlflowClient:
    """The reviews in it are preprocessed."""
    return fitted_store


@pytest.fixture
def reviews_file(store: mlflow.MlflowClient, tmp_path: Path) -> Path:
    """These reviews."""
    return tmp_path / "reviews.csv"


def parameters(file: Path, **given: object) -> LearningCurveParameters:
    """As from the command line."""
    wanted = {
        "data": file,
        "families": "logistic_regression",
        "sizes": "80,40,168,80",
        "repeats": REPEATS,
        **given,
    }
    return parse(LearningCurveParameters, [f"--{name}={value}" for name, value in wanted.items()])


def of_step(client: mlflow.MlflowClient, filter_string: str) -> list[Run]:
    experiment = client.get_experiment_by_name("tests")
    assert experiment
    return list(
        client.search_runs([experiment.experiment_id], filter_string, order_by=["attributes.start_time"])
    )


def jobs_of(given: LearningCurveParameters) -> tuple[list[FitJob], pl.DataFrame]:
    """The fits that would be done, and the training split."""
    prepared = preprocess(given.data_parameters())
    with mlflow.start_run():
        data = ExperimentData.read(prepared, given.metric, (given.decision,))
    return learning_curve._jobs(given, data), pl.read_parquet(prepared.split("train"))


def test_fits_a_curve_and_reports_it(
    store: mlflow.MlflowClient, reviews_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_learning_curve(parameters(reviews_file, sizes="168,80"))
    (parent,) = of_step(store, "tags.step = 'learning-curve'")
    fits = of_step(store, f"tags.role = 'fit' and tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert [int(run.data.params["train_reviews"]) for run in fits] == [80, 80, 168, 168]
    assert [int(run.data.params["seed"]) for run in fits] == [42, 43] * 2
    assert [run.data.metrics["rows_used"] for run in fits] == [
        float(run.data.params["train_reviews"]) for run in fits
    ]
    assert "RUNNING" not in statuses(store)

    (curve,) = found.curves
    history = store.get_metric_history(parent.info.run_id, "test_f1_macro_logistic_regression")
    assert {each.step: each.value for each in history} == {
        point.reviews: point.score.value for point in curve.points
    }
    for point in curve.points:
        values = [
            run.data.metrics["test_f1_macro"]
            for run in fits
            if run.data.params["train_reviews"] == str(point.reviews)
        ]
        assert point.score.value == pytest.approx(np.mean(values))
    assert {
        "fit_seconds_logistic_regression",
        "peak_memory_mb_logistic_regression",
    } <= parent.data.metrics.keys()

    artifacts = {item.path for item in store.list_artifacts(parent.info.run_id)}
    pictures = {"learning_curve.png", "learning_curve_cost.png"}
    assert {"report.html", "report.md", "learning_curve.csv", *pictures} <= artifacts
    table = pl.read_csv(fetch(parent.info.run_id, "learning_curve.csv"))
    assert table["run_id"].to_list() == [run.info.run_id for run in fits]
    np.testing.assert_allclose(table["f1_macro"], [run.data.metrics["test_f1_macro"] for run in fits])
    assert table["repeat"].to_list() == [0, 1] * 2
    said, note = capsys.readouterr().out, parent.data.tags["mlflow.note.content"]
    answer = f"logistic_regression: f1_macro {curve.last.score}"
    assert f"learning-curve: {answer} with 168 training reviews; from 80 to 168 it gains" in said
    assert f"**{answer}**" in note
    assert ".png" not in note
    assert f"runs/{parent.info.run_id}" in said


def test_samples_are_nested_stratified_and_drawn_anew_in_every_repeat(
    store: mlflow.MlflowClient, reviews_file: Path
) -> None:
    jobs, train = jobs_of(parameters(reviews_file, families="logistic_regression,gru_1"))
    assert [
        (len(job.rows), job.spec.options.seed, job.spec.family) for job in jobs if job.rows is not None
    ] == [
        (size, 42 + repeat, family)
        for size in SIZES
        for repeat in range(2)
        for family in ("logistic_regression", "gru_1")
    ]
    rows = {
        (len(job.rows), job.spec.options.seed): set(job.rows.tolist()) for job in jobs if job.rows is not None
    }
    for seed in (42, 43):
        assert rows[40, seed] < rows[80, seed] < rows[168, seed] == set(range(train.height))
    assert rows[40, 42] != rows[40, 43]
    counts = train["rating"].value_counts().sort("rating")["count"].to_numpy()
    for chosen in rows.values():
        kept = np.bincount(train["rating"].to_numpy()[list(chosen)], minlength=6)[1:]
        assert np.abs(kept - counts * len(chosen) / train.height).max() < 2


@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ([20, 17, 13, 33, 85], [10, 21, 42, 84, 168]),
        ([20, 17, 3, 33, 95], [42, 84, 168]),  # 10 and 21 hold no review with 3 stars
        ([0, 0, 1, 0, 1], [2]),
    ],
)
def test_sizes_left_out_are_doublings_that_hold_every_rating(counts: list[int], sizes: list[int]) -> None:
    ratings = np.repeat(np.arange(5), counts)
    assert learning_curve._sizes((), ratings) == sizes
    twice = learning_curve._sizes((), ratings, 2)
    assert twice == [size for size in sizes if size >= smallest_with_all(ratings, 2)]


def test_what_cannot_be_fitted_is_said_before_any_fit(store: mlflow.MlflowClient, reviews_file: Path) -> None:
    for given, message in IMPOSSIBLE:
        with pytest.raises(UserError) as caught:
            run_learning_curve(parameters(reviews_file, **given))
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)
    assert of_step(store, "tags.role = 'fit'") == []
    assert {run.info.status for run in of_step(store, "tags.step = 'learning-curve'")} == {"FAILED"}
    assert "RUNNING" not in statuses(store)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"repeats": 0}, "parameter repeats: should be greater than or equal to 1, not '0'"),
        ({"sizes": "2k,4k"}, "parameter sizes: should be a whole number, not '2k'"),
        ({"sizes": "0,100"}, "parameter sizes: should be greater than or equal to 1, not '0'"),
        ({"families": "lineal"}, "parameter families: should be one of lstm_2, gru_1"),
        ({"sampling": "undersample"}, "parameter sampling: should be one of default, none"),
        ({"decision": "best"}, "parameter decision: should be one of tuned, argmax"),
        ({"metric": "loss"}, "parameter metric: should be one of accuracy"),
        ({"size": "3"}, "unknown parameter 'size'; did you mean sizes?"),
        ({"sampling": "adasyn_token_ids"}, "sampling adasyn_token_ids: not for logistic_regression, which"),
        ({"settings": '{"logistic_regression": {"c": 0}}'}, "settings: logistic_regression's c should be"),
    ],
)
def test_a_mistake_in_a_parameter_is_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parameters(Path("reviews.csv"), **given)
    assert message in str(caught.value)


def test_an_interrupt_closes_all_runs(
    store: mlflow.MlflowClient, reviews_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("starcast.experiments.fits.fit_alone", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_learning_curve(parameters(reviews_file))
    experiment = store.get_experiment_by_name("tests").experiment_id
    assert sorted(run.info.status for run in store.search_runs([experiment])) == [
        "FINISHED",
        "KILLED",
        "KILLED",
    ]  # preprocessing; the step and its first fit


@needs_extra
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (2, 32)),
        ({"epochs": 1}, (1, 32)),
        ({"batch_size": 8}, (2, 8)),
        ({"epochs": 1, "settings": '{"transformer": {"epochs": 4}}'}, (4, 32)),
    ],
)
def test_a_transformer_has_its_own_epochs_and_batches_unless_others_are_given(
    given: dict[str, object], expected: tuple[int, int]
) -> None:
    parameters = LearningCurveParameters.model_validate({"families": "transformer,gru_1", **given})
    options = parameters.spec("transformer", "default", 0).options
    assert (options.epochs, options.batch_size) == expected
    assert parameters.spec("gru_1", "default", 0).options.epochs == given.get("epochs", 3)
