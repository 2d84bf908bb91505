"""Search over one or more families; the best is fitted once more, evaluated on the test split, registered as challenger.

mlflow run . -e tune -P data=clothing -P families=logistic_regression,gru_1,lstm_2 -P max_trials=12
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from steps import candidate, preprocess
from steps.errors import UserError
from steps.evaluation import scores
from steps.models.catalogue import FAMILIES, check_name
from steps.models.corpus import Corpus, Part
from steps.models.family import Sampling, Settings, Space
from steps.parameters import command
from steps.progress import TrialLines
from steps.search.objective import Objective
from steps.search.proposals import Algorithm, HyperoptProposals, Proposal
from steps.search.trials import Trial, best_of, run_trials
from steps.search_summary import describe_search, log_search
from steps.tracking import runs, server
from steps.train import FitParameters
from steps.trial import TrialTraining, split_sampling


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

    sampling: Literal["search", "default"] | Sampling = Field(
        "search", description="search (none and class_weight are tried), default (the family's study's), none, class_weight"
    )
    families: Families = Field(("logistic_regression", "gru_1", "lstm_2"), description=f"comma list of {', '.join(FAMILIES)}")
    algorithm: Algorithm = Field("tpe", description="tpe, random or anneal")
    max_trials: int = Field(12, ge=1, le=100_000, description="trials over all families")
    max_epochs: int = Field(3, ge=1, le=1_000, description="epochs of a trial; study A's 3")
    objective: Annotated[str, AfterValidator(_check_objective)] = Field(
        "val_auc", description="val_auc (study A's) or another val_ score"
    )
    timeout_minutes: float = Field(0, ge=0, description="begin no trial after this; 0 is no limit")

    def goal(self) -> Objective:
        """The objective with its direction."""
        return Objective(self.objective, self.objective.removeprefix("val_") in scores.LOWER_IS_BETTER)


def run(parameters: TuneParameters) -> candidate.Candidate:
    """Run the search and end with a candidate.

    Raises:
        UserError: every trial failed.
    """
    name = f"tune {Path(parameters.data).name}, {parameters.max_trials} trials"
    goal = parameters.goal()
    with runs.step_run("tune", parameters.as_text(), name) as run_id:
        prepared = preprocess.run(parameters.data_parameters())
        trials = _search(parameters, prepared)
        best = best_of(trials)
        if best is None:
            raise UserError(f"all {len(trials)} trials failed, the last with {trials[-1].reason}; see their traceback.txt")
        log_search(goal, trials)
        fitted = _fit_best(parameters, prepared, best.proposal)
        describe_search(goal, trials, fitted)
    trials_page = server.trials_page(run_id, goal.name, goal.lower_is_better)
    for line in (*fitted.lines(), *server.where_to_look(run_id), f"compare the trials: {trials_page}"):
        print(f"tune: {line}", flush=True)
    return fitted


def first_trials(families: Sequence[str], searched: Space) -> list[tuple[str, Settings]]:
    """Each family where it is known to be good, then again under each other sampling: pairs that differ in nothing else."""
    samplings = searched.get("sampling", ())
    if not samplings:
        return [(family, FAMILIES[family].start) for family in families]
    return [
        (family, {**FAMILIES[family].start, "sampling": samplings[(i + turn) % len(samplings)]})
        for turn in range(len(samplings))
        for i, family in enumerate(families)
    ]


def _search(parameters: TuneParameters, prepared: preprocess.Prepared) -> list[Trial]:
    tables = {name: prepared.table(name) for name in ("train", "validation")}
    prepared.log_inputs(tables)
    corpus = Corpus(Part.from_table(tables["train"]), Part.from_table(tables["validation"]))
    searched: Space = {"sampling": get_args(Sampling)} if parameters.sampling == "search" else {}
    spaces = {family: {**FAMILIES[family].space, **searched} for family in parameters.families}
    first = first_trials(parameters.families, searched)
    proposals = HyperoptProposals(spaces, parameters.algorithm, parameters.max_trials, parameters.seed, first)
    epochs = parameters.max_epochs
    train = TrialTraining(
        corpus,
        parameters.goal(),
        lambda family, sampling: parameters.training(family, sampling, epochs, patience=epochs),
        parameters.sampling,
    )
    lines = TrialLines(parameters.goal(), parameters.max_trials)
    print(f"tune: {parameters.max_trials} trials of {', '.join(spaces)} by {parameters.algorithm}", flush=True)
    trials = []
    for trial in run_trials(proposals, train, parameters.max_trials, parameters.timeout_minutes * 60):
        lines.show(trial)
        trials.append(trial)
    return trials


def _fit_best(parameters: TuneParameters, prepared: preprocess.Prepared, best: Proposal) -> candidate.Candidate:
    settings, sampling = split_sampling(best.settings, parameters.sampling)
    plan = parameters.plan(best.family, settings, sampling)
    logged = {"family": best.family, **settings, **plan.training.logged()}
    with runs.child_run(f"candidate {best.family}", {"family": best.family}, logged) as run_id:
        return candidate.fit_candidate(run_id, prepared, plan)


if __name__ == "__main__":
    command("tune", TuneParameters, run)
