"""Study A whole: a search for each of its four recurrent networks, their final models, its figures beside ours.

mlflow run . -e study-a
mlflow run . -e study-a -P protocol=ours -P families=lstm_2
"""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from steps import tune
from steps.candidate import Candidate
from steps.evaluation.files import write_json
from steps.parameters import Parameters, Seed, command
from steps.progress import clock
from steps.tracking import history, runs, server
from steps.tune_parameters import Families, TuneParameters

STUDY: dict[str, Any] = {
    "cleaning": "study_a",
    "engine": "keras-tuner",
    "algorithm": "random",
    "pruner": "none",
    "start": "random",
    "batch_size": (32,),
    "schedule": "constant",
    "sampling": "none",
    "decision": "argmax",
}
# Where we do otherwise: stop words stay, TPE learns from trials, asha stops weak ones, larger batches, class weights are
# tried as well, and the decision is fitted on validation.
OURS: dict[str, Any] = {"cleaning": "light", "engine": "hyperopt", "algorithm": "tpe", "pruner": "asha", "sampling": "search"}
PROTOCOLS = {"study": STUDY, "ours": OURS}


@dataclass(frozen=True)
class Published:
    """What the study reports of an architecture: validation AUC of the final fit, test weighted F1, minutes of the search."""

    validation_auc: float
    test_f1_weighted: float | None
    minutes: float


PUBLISHED = {
    "lstm_2": Published(0.8375, 0.596, 22.2),
    "gru_1": Published(0.8379, None, 13.9),
    "gru_2": Published(0.8317, None, 17.7),
    "gru_4": Published(0.8298, None, 39.5),
}


class StudyAParameters(Parameters):
    """Study A's searches and final models, each family in a search of its own."""

    data: str = Field("clothing", description="clothing, or another data set")
    families: Families = Field(tuple(PUBLISHED), description="comma list of architectures")
    protocol: Literal["study", "ours"] = Field("study", description="the study's random search, or ours")
    max_trials: int = Field(50, ge=1, le=100_000, description="trials of each family")
    max_epochs: int = Field(3, ge=1, le=1_000, description="epochs of a trial")
    executions_per_trial: int = Field(1, ge=1, le=100, description="trainings of a trial, with seeds of their own")
    epochs: int = Field(0, ge=0, le=1_000, description="most epochs of a final fit; 0 is a trial's if linear, else 15")
    workers: int = Field(0, ge=0, le=1_024, description="trials at the same time; 0 is what the machine carries")
    seed: Seed = Field(42, description="seed of everything random")

    def search(self, family: str) -> TuneParameters:
        """The search of one family."""
        own = self.model_dump(exclude={"families", "protocol"})
        given = {"split": "study_a", "register": False, "families": (family,), **PROTOCOLS[self.protocol], **own}
        return TuneParameters.model_validate(given)


def run(parameters: StudyAParameters) -> dict[str, Candidate]:
    """Search and fit every family as children of one run, whose description is the table."""
    with runs.step_run("study-a", parameters.as_text(), f"study A, protocol: {parameters.protocol}") as run_id:
        fitted = {family: tune.run(parameters.search(family)) for family in parameters.families}
        rows = {family: _row(family, candidate) for family, candidate in fitted.items()}
        table = _table(rows)
        with runs.artifacts_of_run() as folder:
            (folder / "study_a.md").write_text(table, encoding="utf-8")
            write_json(folder / "study_a.json", rows)
        runs.describe(table)
    print(table)
    for line in server.where_to_look(run_id):
        print(f"study-a: {line}", flush=True)
    return fitted


def _row(family: str, candidate: Candidate) -> dict[str, Any]:
    search = history.search_of(candidate.run_id)
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


def _table(rows: dict[str, dict[str, Any]]) -> str:
    head = [
        "| architecture | val AUC of the final fit, study | ours | best of search, ours | test weighted F1, study | ours "
        "| recall of 1-5 stars | trials (pruned) | epochs | search, study | ours |",
        "|---|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|",
    ]
    return "\n".join([*head, *(_line(family, row) for family, row in rows.items())])


def _line(family: str, row: dict[str, Any]) -> str:
    study, test = PUBLISHED.get(family), row["test"]
    f1 = f"{study.test_f1_weighted:.3f}" if study and study.test_f1_weighted else "-"
    cells = [
        family,
        f"{study.validation_auc:.4f}" if study else "-",
        f"{row['final_val_auc']:.4f}",
        f"{row['search_best_val_auc']:.4f}",
        f1,
        f"{test['f1_weighted']:.3f}",
        " ".join(f"{test[f'recall_{rating}']:.2f}" for rating in range(1, 6)),
        f"{row['trials']} ({row['pruned']})",
        f"{row['epochs']:,}",
        clock(study.minutes * 60) if study else "-",
        clock(row["seconds"]),
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    command("study-a", StudyAParameters, run)
