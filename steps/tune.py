"""Search over one or more families; the best is fitted once more, evaluated on the test split, registered as challenger.

mlflow run . -e tune -P data=clothing -P families=logistic_regression,gru_1,lstm_2 -P max_trials=12
"""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from steps import candidate, preprocess
from steps.errors import UserError
from steps.evaluation import figures, files, scores
from steps.models.catalogue import FAMILIES, check_name
from steps.models.corpus import Corpus, Part
from steps.parameters import command
from steps.progress import TrialLines
from steps.search.proposals import Algorithm, HyperoptProposals, Proposal
from steps.search.trials import Scored, Trial, best_of, run_trials
from steps.tracking import runs, server
from steps.tracking.recorder import recorder_of, val_scores
from steps.train import PATIENCE, FitParameters


def _split_names(value: Any) -> Any:
    return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value


def _check_objective(name: str) -> str:
    names = [f"val_{score}" for score in scores.SCORES]
    if name not in names:
        raise ValueError(f"should be one of {', '.join(names)}")
    return name


Family = Annotated[str, AfterValidator(check_name)]
Families = Annotated[tuple[Family, ...], BeforeValidator(_split_names), Field(min_length=1)]


class TuneParameters(FitParameters):
    """Search one or more families; fit the best once more; register it as challenger."""

    families: Families = Field(("logistic_regression", "gru_1", "lstm_2"), description=f"comma list of {', '.join(FAMILIES)}")
    algorithm: Algorithm = Field("tpe", description="tpe, random or anneal")
    max_trials: int = Field(12, ge=1, le=100_000, description="trials over all families")
    max_epochs: int = Field(3, ge=1, le=1_000, description="epochs of a trial; study A's 3")
    objective: Annotated[str, AfterValidator(_check_objective)] = Field(
        "val_auc", description="val_auc (study A's) or another val_ score"
    )
    timeout_minutes: float = Field(0, ge=0, description="begin no trial after this; 0 is no limit")

    @property
    def lower_is_better(self) -> bool:
        """Whether the objective is an error."""
        return self.objective.removeprefix("val_") in scores.LOWER_IS_BETTER


def run(parameters: TuneParameters) -> candidate.Candidate:
    """Run the search and end with a candidate."""
    name = f"tune {Path(parameters.data).name}, {parameters.max_trials} trials"
    with runs.step_run("tune", parameters.as_text(), name) as run_id:
        prepared = preprocess.run(parameters.data_parameters())
        trials = _search(parameters, prepared)
        best = best_of(trials)
        if best is None:
            raise UserError(f"all {len(trials)} trials failed, the last with {trials[-1].reason}; see their traceback.txt")
        _log_search(parameters, trials, best)
        fitted = _fit_best(parameters, prepared, best)
        runs.describe(_description(parameters, trials, best, fitted))
    trials_page = server.trials_page(run_id, parameters.objective, parameters.lower_is_better)
    for line in (*fitted.lines(), *server.where_to_look(run_id), f"compare the trials: {trials_page}"):
        print(f"tune: {line}", flush=True)
    return fitted


def _search(parameters: TuneParameters, prepared: preprocess.Prepared) -> list[Trial]:
    tables = {name: prepared.table(name) for name in ("train", "validation")}
    prepared.log_inputs(tables)
    corpus = Corpus(Part.from_table(tables["train"]), Part.from_table(tables["validation"]))
    spaces = {family: FAMILIES[family].space for family in parameters.families}
    proposals = HyperoptProposals(spaces, parameters.algorithm, parameters.max_trials, parameters.seed)
    lines = TrialLines(parameters.objective, parameters.max_trials, parameters.lower_is_better)
    print(f"tune: {parameters.max_trials} trials of {', '.join(spaces)} by {parameters.algorithm}", flush=True)
    trials = []
    for trial in run_trials(
        proposals, lambda proposal: _train(parameters, corpus, proposal), parameters.max_trials, parameters.timeout_minutes * 60
    ):
        lines.show(trial)
        trials.append(trial)
    return trials


def _train(parameters: TuneParameters, corpus: Corpus, proposal: Proposal) -> Scored:
    training = parameters.training(proposal.family, parameters.max_epochs, patience=parameters.max_epochs)
    logged = {
        **proposal.settings,
        "sampling": training.sampling,
        "batch_size": training.batch_size,
        "max_epochs": training.epochs,
    }
    with runs.trial_run(proposal.number, proposal.family, "hyperopt", logged) as run_id:
        recorder = recorder_of(run_id, corpus.validation.ratings)
        fitted = FAMILIES[proposal.family].fit(corpus, proposal.settings, training, recorder)
        probabilities = fitted.validation_probabilities
        kept = val_scores(corpus.validation.ratings, probabilities)
        if fitted.best_epoch != fitted.epochs:
            runs.log_metrics(kept, step=fitted.epochs + 1)  # the weights kept are not the last epoch's
        runs.log_metrics({"best_epoch": fitted.best_epoch, "parameters": fitted.model.parameters()})
        with runs.artifacts_of_run() as folder:
            files.write_json(folder / "settings.json", proposal.settings)
            files.write_split_files(folder, "val", corpus.validation.ratings, probabilities)
    score = kept[parameters.objective]
    return Scored(-score if parameters.lower_is_better else score, run_id)


def _log_search(parameters: TuneParameters, trials: list[Trial], best: Trial) -> None:
    outcomes = Counter(trial.outcome for trial in trials)
    sign = -1 if parameters.lower_is_better else 1
    complete = [(t.proposal.number, t.proposal.family, sign * t.score) for t in trials if t.score is not None]
    runs.log_metrics({f"trials_{outcome}": outcomes[outcome] for outcome in ("complete", "failed")})
    runs.log_metrics({f"best_{parameters.objective}": sign * (best.score or 0.0)})
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "best_settings.json", {"family": best.proposal.family, **best.proposal.settings})
        figure = figures.progress_figure(complete, parameters.objective, parameters.lower_is_better)
        figure.savefig(folder / "search_progress.png", dpi=90)
    runs.describe("search done, fitting the candidate", {"best_run_id": best.run_id, "best_family": best.proposal.family})


def _fit_best(parameters: TuneParameters, prepared: preprocess.Prepared, best: Trial) -> candidate.Candidate:
    family, settings = best.proposal.family, best.proposal.settings
    training = parameters.training(family, parameters.epochs, PATIENCE)
    logged = {
        "family": family,
        **settings,
        "sampling": training.sampling,
        "batch_size": training.batch_size,
        "epochs": training.epochs,
    }
    with runs.child_run(f"candidate {family}", {"family": family}, logged) as run_id:
        plan = candidate.Plan(family, settings, training, parameters.register_as())
        return candidate.fit_candidate(run_id, prepared, plan)


def _description(parameters: TuneParameters, trials: list[Trial], best: Trial, fitted: candidate.Candidate) -> str:
    sign = -1 if parameters.lower_is_better else 1
    ranked = sorted((t for t in trials if t.score is not None), key=lambda t: -(t.score or 0.0))[:5]
    rows = [
        f"| {t.proposal.number} | {t.proposal.family} | {sign * (t.score or 0.0):.4f} | "
        f"{', '.join(f'{name} {value}' for name, value in t.proposal.settings.items())} |"
        for t in ranked
    ]
    failed = sum(t.outcome == "failed" for t in trials)
    return "\n".join(
        [
            f"**Best of {len(trials)} trials ({failed} failed): trial {best.proposal.number}, run {best.run_id}.**",
            f"\nCandidate (run {fitted.run_id}): {fitted.summary()}.",
            f"\n| trial | family | {parameters.objective} | settings |\n|---|---|---|---|",
            *rows,
        ]
    )


if __name__ == "__main__":
    command("tune", TuneParameters, run)
