"""What the MLflow UI first shows of an experiment: its description, and a table for each search.

The UI keeps a saved view of the table of runs as JSON in a tag of the experiment, and lists it under Views.
Any client can write such a tag; one of ours takes about 1,500 of the 20,000 characters that it may hold.
"""

import json
from collections.abc import Sequence

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.store import TRAINING, active_run

VIEW = "mlflow.sharedViewState."
SEARCH = f"{VIEW}search-"
OURS = "starcast"  # a section of charts
MOST = 20  # the newest views of searches; with 40 views of any kind, the UI refuses to save another
# The UI shows only the first words before a click. The links lead past the pages for prompts and traces, with
# which a first visit begins.
PURPOSE = (
    "Learns a review's rating. The best trial of each search: "
    "[runs](#/experiments/{experiment}/runs?{training}). The best model, why it is best, how to repeat it: "
    "[registry](#/models?{training}).\n\nA search is one run, its name says which family is best, with "
    "its test f1_macro, the 95% interval and the version. Below it (`+`) are its trials and its candidate: "
    "the best trial's settings fitted once more, tested, and put into the registry. **Views** has a table of "
    "each search, best first."
)
# The columns that the UI always shows come first. With these widths in pixels, family and sampling are in
# sight even beside the UI's assistant, which opens at a first visit. Names differ in their first letters.
NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"
FAMILY, SAMPLING = "params.`family`", "params.`sampling`"
WIDTHS = {NAME: 140, CREATED: 95, DURATION: 75, FAMILY: 135, SAMPLING: 105}
WIDTH = 92


def introduce_experiment(experiment_id: str) -> None:
    """Give an experiment a description, if it has none."""
    client = mlflow.MlflowClient()  # the tag has the same name on runs and experiments
    if not client.get_experiment(experiment_id).tags.get(MLFLOW_RUN_NOTE):
        text = PURPOSE.format(experiment=experiment_id, training=TRAINING)
        again_if_overtaken(lambda: client.set_experiment_tag(experiment_id, MLFLOW_RUN_NOTE, text))


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
    client = mlflow.MlflowClient()
    run = client.get_run(active_run().info.run_id).info  # renamed since it began
    metrics = [f"metrics.`{name}`" for name in dict.fromkeys((objective, "val_f1_macro"))]
    others = (f"params.`{name}`" for name in settings if name not in ("family", "sampling"))
    columns = [*metrics, FAMILY, SAMPLING, DURATION, *others]
    placed = [NAME, CREATED, *columns]
    state: dict[str, object] = {  # what differs from the UI's own state of a table
        "searchFilter": f"tags.mlflow.parentRunId = '{run.run_id}' and tags.family != ''",
        "orderByKey": f"metrics.`{objective}`",
        "orderByAsc": lower_is_better,
        "selectedColumns": columns,
        "columnOrder": placed,
        "columnWidths": {column: WIDTHS.get(column, WIDTH) for column in placed},
        **_charts(objective, shared),
    }
    view = {
        "name": f"{run.run_name} ({run.run_id[:7]})",  # two searches may have one name
        "createdAt": run.start_time,
        "updatedAt": run.start_time,
        "state": json.dumps(state),
    }
    client.set_experiment_tag(run.experiment_id, f"{SEARCH}{run.run_id}", json.dumps(view))
    _remove_oldest(client, run.experiment_id)
    return f"#/experiments/{run.experiment_id}/runs?viewStateShareKey=search-{run.run_id}&{TRAINING}"


def _charts(objective: str, shared: Sequence[str]) -> dict[str, list[dict[str, object]]]:
    """Return a section of four charts, and the UI's own section with a chart of every metric, closed."""
    chosen: list[dict[str, object]] = [
        {
            "type": "PARALLEL",
            "displayName": "Settings",
            "selectedParams": ["family", *shared],
            "selectedMetrics": [objective],
            "showAllRuns": True,
        },
        {"type": "LINE", "metricKey": objective, "selectedMetricKeys": [objective]},
        {"type": "BAR", "metricKey": "val_f1_macro"},
        {
            "type": "SCATTER",
            "displayName": "Size",
            "xaxis": {"key": "parameters", "type": "METRIC"},
            "yaxis": {"key": objective, "type": "METRIC"},
        },
    ]
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
    views = {key: json.loads(value)["createdAt"] for key, value in tags if key.startswith(SEARCH)}
    for key in sorted(views, key=lambda key: (views[key], key))[:-MOST]:
        try:
            client.delete_experiment_tag(experiment, key)
        except MlflowException as error:  # another search that ended at this moment may have removed it
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
