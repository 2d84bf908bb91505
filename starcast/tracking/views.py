"""What the MLflow UI first shows of an experiment: its description, and tables of runs.

The UI keeps a saved view of the table of runs as JSON in a tag of the experiment, and lists it under Views.
Any client can write such a tag; one of ours takes about 1,500 of the 20,000 characters that it may hold.
"""

import json
from collections.abc import Mapping, Sequence

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from starcast.evaluation.names import HEADLINE
from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import TRAINING, active_run

VIEW = "mlflow.sharedViewState."
CANDIDATES = f"{VIEW}candidates"
OURS = "starcast"  # a section of charts
MOST = 20  # the newest views of runs; with 40 views of any kind, the UI refuses to save another
# The UI shows only the first words before a click. The links lead past the pages for prompts and traces, with
# which a first visit begins.
PURPOSE = (
    "Learns a review's rating. See its [runs](#/experiments/{experiment}/runs?{training}), the tested "
    "models, best first "
    "([candidates](#/experiments/{experiment}/runs?viewStateShareKey=candidates&{training})), and "
    "the best one, why, how to repeat it ([registry](#/models?{training})).\n\n"
    "A search is one run, its name says which family is best, with its test f1_macro, the 95% interval and "
    "the version. Below it (`+`) are its trials and its candidate: the best trial's settings fitted once "
    "more, tested, and put into the registry. **Views** has a table of each search and of each comparison of "
    "samplings, best first."
)
# The columns that the UI always shows come first. With these widths in pixels, family and sampling are in
# sight even beside the UI's assistant, which opens at a first visit. Names differ in their first letters.
NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"
FAMILY, SAMPLING, DATA = "params.`family`", "params.`sampling`", "attributes.`Dataset`"
WIDTHS = {NAME: 140, CREATED: 95, DURATION: 75, FAMILY: 135, SAMPLING: 105}
WIDTH = 92
Chart = Mapping[str, object]


def introduce_experiment(experiment_id: str) -> None:
    """Give an experiment a description, if it has none, and a table of its candidates."""
    client = mlflow.MlflowClient()  # the tag has the same name on runs and experiments
    experiment = client.get_experiment(experiment_id)
    tags = experiment.tags
    if not tags.get(MLFLOW_RUN_NOTE):
        text = PURPOSE.format(experiment=experiment_id, training=TRAINING)
        again_if_overtaken(lambda: client.set_experiment_tag(experiment_id, MLFLOW_RUN_NOTE, text))
    if CANDIDATES not in tags:
        view = json.dumps(_candidates(experiment.creation_time))
        again_if_overtaken(lambda: client.set_experiment_tag(experiment_id, CANDIDATES, view))


def save_search_view(
    objective: str, lower_is_better: bool, settings: Sequence[str], shared: Sequence[str] = ()
) -> str:
    """Save a table and charts of the trials below the active run as a view of its experiment, best first.

    Args:
        objective: name of the metric that orders the trials.
        settings: parameters to show in addition to family and sampling, the most important first.
        shared: those that every trial has.

    Returns:
        The table's page within the UI.
    """
    metrics = [_metric(name) for name in dict.fromkeys((objective, "val_f1_macro"))]
    others = (f"params.`{name}`" for name in settings if name not in ("family", "sampling"))
    charts = (
        _parallel("Settings", ["family", *shared], objective),
        {"type": "LINE", "metricKey": objective, "selectedMetricKeys": [objective]},
        _bars("val_f1_macro"),
        _scatter("Size", "parameters", objective),
    )
    state = _state(objective, lower_is_better, [*metrics, FAMILY, SAMPLING, DURATION, *others], charts)
    return _save_of_run("search", "tags.family != ''", state)


def save_sampling_view(metric: str) -> str:
    """Save a table and charts of the fits below the active run, best first by a test score.

    Returns:
        The table's page within the UI.
    """
    shown = dict.fromkeys((metric, *(f"test_{name}" for name in HEADLINE)))
    columns = [SAMPLING, FAMILY, *map(_metric, shown), "params.`seed`", _metric("fit_seconds")]
    charts = (
        _parallel("Samplings", ["family", "sampling"], metric),
        _bars(metric),
        _scatter("Rare ratings or all", "test_f1_weighted", "test_harmonic_recall"),
        _scatter("Cost", "fit_seconds", metric),
    )
    state = _state(metric, False, columns, charts)
    return _save_of_run("sampling", "tags.role = 'fit'", state)


def _candidates(created: int | None) -> dict[str, object]:
    """Return a view of all candidates of an experiment."""
    metric = "test_f1_macro"
    shown = (metric, "test_f1_weighted", "test_quadratic_kappa", "test_mae", "test_loss", "test_ece")
    charts = (
        _bars(metric),
        _scatter("Right, and as often as said", "test_ece", metric),
        _scatter("Cost", "fit_seconds", metric),
    )
    state = _state(metric, False, [*map(_metric, shown), FAMILY, DATA, SAMPLING, DURATION], charts)
    return _view("candidates", created, {"searchFilter": "tags.role = 'candidate'", **state})


def _save_of_run(kind: str, filter_below: str, state: Mapping[str, object]) -> str:
    """Save a view of the runs below the active one, and return its page."""
    client = mlflow.MlflowClient()
    run = client.get_run(active_run().info.run_id).info  # renamed since it began
    below = f"tags.mlflow.parentRunId = '{run.run_id}' and {filter_below}"
    named = f"{run.run_name} ({run.run_id[:7]})"  # two searches may have one name
    view, key = _view(named, run.start_time, {"searchFilter": below, **state}), f"{kind}-{run.run_id}"
    client.set_experiment_tag(run.experiment_id, f"{VIEW}{key}", json.dumps(view))
    _remove_oldest(client, run.experiment_id)
    return f"#/experiments/{run.experiment_id}/runs?viewStateShareKey={key}&{TRAINING}"


def _view(name: str, created: int | None, state: Mapping[str, object]) -> dict[str, object]:
    return {"name": name, "createdAt": created, "updatedAt": created, "state": json.dumps(state)}


def _state(
    metric: str, lower_is_better: bool, columns: Sequence[str], charts: Sequence[Chart]
) -> dict[str, object]:
    """Return what differs from the UI's own state of a table."""
    placed = [NAME, CREATED, *columns]
    return {
        "orderByKey": _metric(metric),
        "orderByAsc": lower_is_better,
        "selectedColumns": columns,
        "columnOrder": placed,
        "columnWidths": {column: WIDTHS.get(column, WIDTH) for column in placed},
        **_sections(charts),
    }


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _parallel(name: str, parameters: Sequence[str], metric: str) -> Chart:
    shown = {"selectedParams": parameters, "selectedMetrics": [metric], "showAllRuns": True}
    return {"type": "PARALLEL", "displayName": name, **shown}


def _bars(metric: str) -> Chart:
    return {"type": "BAR", "metricKey": metric}


def _scatter(name: str, across: str, up: str) -> Chart:
    axes = {axis: {"key": key, "type": "METRIC"} for axis, key in (("xaxis", across), ("yaxis", up))}
    return {"type": "SCATTER", "displayName": name, **axes}


def _sections(chosen: Sequence[Chart]) -> dict[str, list[dict[str, object]]]:
    """Return a section of these charts, and the UI's own with a chart of every metric, closed."""
    of_ours = {"metricSectionId": OURS, "deleted": False, "isGenerated": False, "runsCountToCompare": 100}
    charts = [{"uuid": f"{OURS}-{place}", **of_ours, **each} for place, each in enumerate(chosen)]
    opened = {
        "What matters": (OURS, True),
        "Model metrics": ("every", False),
        "System metrics": ("system", False),
    }
    sections = [
        {"uuid": uuid, "name": name, "display": shown, "isReordered": True, "deleted": False}
        for name, (uuid, shown) in opened.items()
    ]
    return {"compareRunCharts": charts, "compareRunSections": sections}


def _remove_oldest(client: mlflow.MlflowClient, experiment: str) -> None:
    tags = client.get_experiment(experiment).tags.items()
    ours = (f"{VIEW}search-", f"{VIEW}sampling-")
    views = {key: json.loads(value)["createdAt"] for key, value in tags if key.startswith(ours)}
    for key in sorted(views, key=lambda key: (views[key], key))[:-MOST]:
        try:
            client.delete_experiment_tag(experiment, key)
        except MlflowException as error:  # another search that ended at this moment may have removed it
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
