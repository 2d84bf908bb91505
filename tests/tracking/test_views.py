"""Views of searches and descriptions of experiments, as tags of experiments in a real store."""

import json

import mlflow
import pytest
from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

from starcast.tracking import views

SETTINGS = ["c", "ngrams", "sampling", "features"]


def tags(store: mlflow.MlflowClient) -> dict[str, str]:
    return dict(store.get_experiment_by_name("tests").tags)


def saved(store: mlflow.MlflowClient) -> dict[str, dict]:
    """Views by their key."""
    return {key: json.loads(value) for key, value in tags(store).items() if key.startswith(views.VIEW)}


def save(name: str = "search", settings: list[str] = SETTINGS) -> str:
    with mlflow.start_run(run_name=name) as run:
        views.save_search_view("val_auc", False, settings)
    return run.info.run_id


def test_the_view_holds_this_search_best_first_with_the_columns_in_their_order(
    store: mlflow.MlflowClient,
) -> None:
    with mlflow.start_run(run_name="search") as run:
        page = views.save_search_view("val_mae", True, SETTINGS)
    [view] = saved(store).values()
    state = json.loads(view["state"])
    assert run.info.run_id in page
    assert view["name"].startswith("search (")
    assert state["searchFilter"].startswith(f"tags.mlflow.parentRunId = '{run.info.run_id}'")
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`val_mae`", True)
    metrics = ["metrics.`val_mae`", "metrics.`val_f1_macro`"]
    settings = ["params.`c`", "params.`ngrams`", "params.`features`"]
    assert state["selectedColumns"] == [
        *metrics,
        "params.`family`",
        "params.`sampling`",
        "duration",
        *settings,
    ]
    assert state["columnWidths"].keys() == set(state["columnOrder"]) > set(state["selectedColumns"])


def test_the_view_has_four_charts_and_those_of_every_metric_are_closed(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(run_name="search"):
        views.save_search_view("val_auc", False, SETTINGS, ["sampling"])
    [view] = saved(store).values()
    state = json.loads(view["state"])
    sections = {each["name"]: each for each in state["compareRunSections"]}
    assert [name for name, each in sections.items() if each["display"]] == ["What matters"]
    placed = {each["metricSectionId"] for each in state["compareRunCharts"]}
    assert placed == {sections["What matters"]["uuid"]}
    kinds = [each["type"] for each in state["compareRunCharts"]]
    assert kinds == ["PARALLEL", "LINE", "BAR", "SCATTER"]
    assert state["compareRunCharts"][0]["selectedParams"] == ["family", "sampling"]


def test_a_comparison_of_samplings_has_a_view_by_its_score(store: mlflow.MlflowClient) -> None:
    with mlflow.start_run(run_name="sampling") as run:
        page = views.save_sampling_view("test_f1_macro")
    assert f"viewStateShareKey=sampling-{run.info.run_id}" in page
    [view] = saved(store).values()
    state = json.loads(view["state"])
    assert state["searchFilter"] == f"tags.mlflow.parentRunId = '{run.info.run_id}' and tags.role = 'fit'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`test_f1_macro`", False)
    assert state["selectedColumns"].count("metrics.`test_f1_macro`") == 1
    assert [each["type"] for each in state["compareRunCharts"]] == ["PARALLEL", "BAR", "SCATTER", "SCATTER"]


def test_saving_again_makes_no_second_view_and_takes_the_new_name(store: mlflow.MlflowClient) -> None:
    run_id = save()
    before = saved(store)
    with mlflow.start_run(run_id=run_id):
        views.save_search_view("val_auc", False, SETTINGS)
        assert saved(store) == before
        mlflow.set_tag("mlflow.runName", "best trial 3")
        views.save_search_view("val_auc", False, SETTINGS)
    [view] = saved(store).values()
    assert view["name"] == f"best trial 3 ({run_id[:7]})"


def test_only_the_newest_views_are_kept_and_none_that_a_user_saved(
    store: mlflow.MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST", 3)
    own = f"{views.VIEW}0123456789abcdef0123456789abcdef"
    store.set_experiment_tag(store.get_experiment_by_name("tests").experiment_id, own, "{}")
    ids = [save(f"search {number}") for number in range(5)]
    kept = set(saved(store)) - {own}
    assert kept == {f"{views.VIEW}search-{run_id}" for run_id in ids[-3:]}
    assert own in saved(store)


def test_a_view_of_many_settings_is_far_below_what_a_tag_holds(store: mlflow.MlflowClient) -> None:
    save("a long name " * 20, [f"a_setting_with_a_long_name_{number}" for number in range(40)])
    [value] = [value for key, value in tags(store).items() if key.startswith(views.VIEW)]
    assert len(value) < MAX_EXPERIMENT_TAG_VAL_LENGTH / 2


def test_an_experiment_is_described_once_and_never_over_what_somebody_wrote(
    store: mlflow.MlflowClient,
) -> None:
    experiment_id = store.get_experiment_by_name("tests").experiment_id
    views.introduce_experiment(experiment_id)
    assert f"#/experiments/{experiment_id}/runs?" in tags(store)["mlflow.note.content"]
    store.set_experiment_tag(experiment_id, "mlflow.note.content", "Mine.")
    views.introduce_experiment(experiment_id)
    assert tags(store)["mlflow.note.content"] == "Mine."


def test_an_experiment_has_one_view_of_its_candidates(store: mlflow.MlflowClient) -> None:
    experiment_id = store.get_experiment_by_name("tests").experiment_id
    views.introduce_experiment(experiment_id)
    [(key, view)] = saved(store).items()
    assert f"viewStateShareKey={key.removeprefix(views.VIEW)}&" in tags(store)["mlflow.note.content"]
    assert json.loads(view["state"])["searchFilter"] == "tags.role = 'candidate'"
    store.set_experiment_tag(experiment_id, key, "{}")  # somebody's own, under this name
    views.introduce_experiment(experiment_id)
    assert saved(store) == {key: {}}
