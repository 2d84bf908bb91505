"""Log a search's results on its own run: best settings, counts, figures, a table of trials, a description."""

from collections import Counter
from collections.abc import Mapping
from typing import get_args

import polars as pl

from starcast.models.ensemble_family import ENSEMBLE
from starcast.models.family import settings_text
from starcast.reports import files
from starcast.reports.page import drawn
from starcast.reports.search_figures import best_so_far_figure
from starcast.reports.setting_importance import importance_figure, setting_importance
from starcast.reports.terminal_table import print_table
from starcast.reports.trial_table import (
    TrialRecord,
    best_trials_markdown,
    leading_trials,
    outcome_text,
    trial_table,
)
from starcast.search.trials import Objective, Outcome, Trial
from starcast.tracking import commands, history, runs, store, views
from starcast.workflow.candidate import Candidate

SHOWN = 10  # trials in the description
DPI = 90


def log_search(objective: Objective, best: Trial, trials: list[Trial], run_ids: Mapping[int, str]) -> None:
    """Log the results of the trials on the active run, and print the best."""
    (name, lower), table = (objective.name, objective.lower_is_better), table_of(objective, trials, run_ids)
    assert best.score is not None
    counts = Counter(trial.outcome for trial in trials)
    epochs = sum(trial.epochs for trial in trials)
    # Also under the children's metric name, so that the UI's table shows the best in the parent's row.
    value = objective.score(best.score)
    runs.log_metrics({name: value, f"best_{name}": value, "epochs_run": epochs})
    runs.log_metrics({f"trials_{outcome}": counts[outcome] for outcome in get_args(Outcome)})
    importance, left_out = setting_importance(table, lower)
    figures = {
        "best_so_far.png": best_so_far_figure(table, name, lower),
        "setting_importance.png": importance_figure(importance, left_out),
    }
    number, family, settings = best.proposal.number, best.proposal.family, best.proposal.settings
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "best_settings.json", {"family": family, **settings})
        table.write_csv(folder / "trials.csv")
        importance.write_csv(folder / "setting_importance.csv")
        for file, figure in figures.items():
            (folder / file).write_bytes(drawn(figure, DPI))
    tags = {"best_run_id": run_ids[number], "best_trial": f"trial {number:03d} {family}"}
    tags |= {"best_family": family, "best_settings": settings_text(settings)}
    top = best_trials_markdown(table, name, lower, SHOWN)
    runs.describe(f"The search is done; the candidate is being fitted.\n\n{top}", tags)
    print_table(leading_trials(table, name, lower))


def describe_search(
    data: str,
    objective: Objective,
    best: Trial,
    trials: list[Trial],
    run_ids: Mapping[int, str],
    fitted: Candidate,
) -> None:
    """Describe the finished search and its candidate on the active run, and name this after the candidate."""
    assert best.score is not None
    score = f"{objective.name} {objective.score(best.score):.4f}"
    runs.log_metrics(fitted.headline())
    runs.rename_active(f"tune {data}: {fitted.answer}")
    settings = dict.fromkeys(setting for each in (best, *trials) for setting in each.proposal.settings)
    shared = [name for name in settings if all(name in each.proposal.settings for each in trials)]
    page = views.save_search_view(objective.name, objective.lower_is_better, list(settings), shared)
    table, run_id = table_of(objective, trials, run_ids), run_ids[best.proposal.number]
    # The UI shows only the first lines of a description until a click: links come first.
    trial, candidate = store.page_within(run_id), store.page_within(fitted.run_id)
    blended = "the best of each family, fitted once more and blended"
    what = blended if fitted.family == ENSEMBLE.name else _fitted_from(fitted, best, run_ids)
    parts = [
        f"**Best: [trial {best.proposal.number}]({trial})**, {score}, of {outcome_text(table)}; "
        f"{what}: the [candidate]({candidate}). [All trials, best first]({page}).",
        f"Candidate: {fitted.summary()}.",
        f"Next: `{fitted.next_command()}`",
        f"The best trial's settings once more: `{commands.command_line('train', from_run=run_id)}`",
        best_trials_markdown(table, objective.name, objective.lower_is_better, SHOWN),
    ]
    runs.describe("\n\n".join(parts))


def _fitted_from(fitted: Candidate, best: Trial, run_ids: Mapping[int, str]) -> str:
    """Say of which trial a candidate has the settings: of the best, unless its fit would not end in time."""
    first = history.fitted_from(fitted.run_id)[0]
    if first == run_ids[best.proposal.number]:
        return "its settings fitted once more"
    [number] = [number for number, run_id in run_ids.items() if run_id == first]
    return f"no time was left to fit it once more, so [trial {number}]({store.page_within(first)}) was"


def table_of(objective: Objective, trials: list[Trial], run_ids: Mapping[int, str]) -> pl.DataFrame:
    """Return all trials as a table."""
    records = []
    for trial in trials:
        number, family, settings = trial.proposal.number, trial.proposal.family, trial.proposal.settings
        score = None if trial.score is None else objective.score(trial.score)
        result = trial.outcome, score, trial.epochs, trial.seconds, trial.ended
        records.append(TrialRecord(number, run_ids[number], family, *result, settings))
    return trial_table(records)
