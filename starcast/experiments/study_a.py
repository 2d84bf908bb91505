"""Repeat study A: a search for each of its four networks, the final models, its figures beside ours."""

from typing import Any

from starcast.cli.progress import clock
from starcast.evaluation.scale import STARS
from starcast.experiments.study_a_parameters import PUBLISHED, StudyAParameters
from starcast.reports.files import write_json
from starcast.reports.table import Table
from starcast.reports.terminal_table import print_table
from starcast.tracking import commands, history, runs
from starcast.workflow.candidate import Candidate
from starcast.workflow.tune import tune

HEAD = (
    *("architecture", "val AUC of the final fit, study", "ours", "best of search, ours"),
    *("test weighted F1, study", "ours", "recall of 1-5 stars", "trials (pruned)", "epochs"),
    *("search, study", "ours"),
)
RECALLS = tuple(f"recall_{name}" for name in STARS.names)


def run_study_a(parameters: StudyAParameters) -> dict[str, Candidate]:
    """Search and fit every family as children of one run, whose description is the table of results."""
    name = f"study A, protocol: {parameters.protocol}"
    with runs.step_run("study-a", parameters.as_text(), name) as run_id:
        fitted = {family: tune(parameters.search(family)) for family in parameters.families}
        rows = {family: _row(family, candidate) for family, candidate in fitted.items()}
        table = _table(rows)
        with runs.artifacts_of_run() as folder:
            (folder / "study_a.md").write_text(table.markdown(), encoding="utf-8")
            write_json(folder / "study_a.json", rows)
        runs.describe(table.markdown())
    print_table(table)
    for line in commands.where_to_look(run_id):
        print(f"study-a: {line}", flush=True)
    return fitted


def _row(family: str, candidate: Candidate) -> dict[str, Any]:
    search = history.search_of(candidate.run_id).data.metrics
    return {
        "family": family,
        "search_best_val_auc": search["best_val_auc"],
        "final_val_auc": history.best_value(candidate.run_id, "val_auc"),
        "test": candidate.test,
        "trials": int(sum(search[f"trials_{outcome}"] for outcome in ("complete", "pruned", "failed"))),
        "pruned": int(search["trials_pruned"]),
        "epochs": int(search["epochs_run"]),
        "seconds": search["search_seconds"],
    }


def _table(rows: dict[str, dict[str, Any]]) -> Table:
    lines = []
    for family, row in rows.items():
        (auc, f1, minutes), test = PUBLISHED.get(family, (None, None, None)), row["test"]
        lines.append(
            (
                family,
                f"{auc:.4f}" if auc else "-",
                f"{row['final_val_auc']:.4f}",
                f"{row['search_best_val_auc']:.4f}",
                f"{f1:.3f}" if f1 else "-",
                f"{test['f1_weighted']:.3f}",
                " ".join(f"{test[name]:.2f}" for name in RECALLS if name in test),
                f"{row['trials']} ({row['pruned']})",
                f"{row['epochs']:,}",
                clock(minutes * 60) if minutes else "-",
                clock(row["seconds"]),
            )
        )
    return Table(HEAD, tuple(lines))
