"""What MLflow's UI shows of an experiment at first sight: its description, and a table of each search that needs no scrolling.

The UI keeps a saved view of the table of runs as JSON in a tag of the experiment, and lists it under Views. What it writes there
any client can; a view of ours has about 1,500 of the 20,000 letters that such a tag holds.
"""

import json
from collections.abc import Sequence

import mlflow
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from starcast.tracking.patience import again_if_overtaken
from starcast.tracking.server import TRAINING

VIEW = "mlflow.sharedViewState."
SEARCH = f"{VIEW}search-"
MOST = 20  # views of searches, the newest; at 40 views of any kind the UI refuses to save another
# Its first words are all that the UI shows before a click. Its links lead round the pages for prompts and traces, on which a
# first visit begins.
PURPOSE = (
    "Learns a review's 1-5 stars. The best trial of each search: [runs](#/experiments/{experiment}/runs?{training}). The best "
    "model, why it is best, how to repeat it: [registry](#/models?{training}).\n\nA search is one run, its name says which trial "
    "is best; below it (`+`) are its trials and its candidate: the best trial's settings fitted once more, tested, and put into "
    "the registry. **Views** has a table of each search, best first."
)
# The columns that the UI always shows come first. Widths in pixels: with them, the family and the sampling are in sight beside
# the UI's assistant too, which it opens at a first visit. Names of runs are told apart by their first letters.
NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"
FAMILY, SAMPLING = "params.`family`", "params.`sampling`"
WIDTHS = {NAME: 140, CREATED: 95, DURATION: 75, FAMILY: 135, SAMPLING: 105}
WIDTH = 92


def introduce_experiment(experiment_id: str) -> None:
    """Give an experiment a description, if it has none."""
    client = mlflow.MlflowClient()
    if not client.get_experiment(experiment_id).tags.get(
        MLFLOW_RUN_NOTE
    ):  # runs and experiments have one tag for it
        text = PURPOSE.format(experiment=experiment_id, training=TRAINING)
        again_if_overtaken(lambda: client.set_experiment_tag(experiment_id, MLFLOW_RUN_NOTE, text))


def save_search_view(objective: str, lower_is_better: bool, settings: Sequence[str]) -> str:
    """Save the table of the active run's trials and candidate, best objective first; again takes the place of the first.

    Args:
        settings: parameters to show beside family and sampling, those that should be in sight first.

    Returns:
        The table's page within the UI.
    """
    active, client = mlflow.active_run(), mlflow.MlflowClient()
    assert active is not None, "the view is of an active run"
    run = client.get_run(active.info.run_id).info  # renamed since it began
    view = {
        "name": f"{run.run_name} ({run.run_id[:7]})",  # two searches may have one name
        "createdAt": run.start_time,
        "updatedAt": run.start_time,
        "state": json.dumps(_state(run.run_id, objective, lower_is_better, settings)),
    }
    client.set_experiment_tag(run.experiment_id, f"{SEARCH}{run.run_id}", json.dumps(view))
    _remove_oldest(client, client.get_experiment(run.experiment_id))
    return f"#/experiments/{run.experiment_id}/runs?viewStateShareKey=search-{run.run_id}&{TRAINING}"


def _state(run_id: str, objective: str, lower_is_better: bool, settings: Sequence[str]) -> dict[str, object]:
    """What differs from the UI's own state of a table."""
    metrics = [f"metrics.`{name}`" for name in dict.fromkeys((objective, "val_f1_macro"))]
    others = (f"params.`{name}`" for name in settings if name not in ("family", "sampling"))
    columns = [*metrics, FAMILY, SAMPLING, DURATION, *others]
    placed = [NAME, CREATED, *columns]
    return {
        "searchFilter": f"tags.mlflow.parentRunId = '{run_id}' and tags.family != ''",
        "orderByKey": f"metrics.`{objective}`",
        "orderByAsc": lower_is_better,
        "selectedColumns": columns,
        "columnOrder": placed,
        "columnWidths": {column: WIDTHS.get(column, WIDTH) for column in placed},
    }


def _remove_oldest(client: mlflow.MlflowClient, experiment: Experiment) -> None:
    views = {
        key: json.loads(value)["createdAt"]
        for key, value in experiment.tags.items()
        if key.startswith(SEARCH)
    }
    for key in sorted(views, key=lambda key: (views[key], key))[:-MOST]:
        try:
            client.delete_experiment_tag(experiment.experiment_id, key)
        except MlflowException as error:  # another search that ended at this moment may have removed it
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
