"""Run a logged run again: its step with its parameters, or one fit of a search; nothing is registered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from starcast.cli.errors import OwnCodeError, UserError
from starcast.cli.parameters import Parameters, parse_logged
from starcast.cli.processes import scratch_folder
from starcast.experiments.learning_curve import run_learning_curve
from starcast.experiments.parameters import LearningCurveParameters, SamplingParameters
from starcast.experiments.sampling import run_sampling
from starcast.experiments.study_a import run_study_a
from starcast.experiments.study_a_parameters import StudyAParameters
from starcast.models.catalogue import family_named, reports_of
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions
from starcast.reviews import sources
from starcast.reviews.parameters import DataParameters
from starcast.reviews.split import LEARNED_FROM
from starcast.search import progress
from starcast.search.loop import Search
from starcast.search.pruning import Pruner
from starcast.search.trial_worker import TrialOptions
from starcast.search.trials import Proposal, Trial
from starcast.search.workers import WorkerPool, carried_workers
from starcast.tracking import history, runs
from starcast.tracking import repetition as stored
from starcast.tracking.lineage import PREPARED
from starcast.tracking.origin import Origin
from starcast.tracking.patience import Patience, quick_failures
from starcast.tracking.trial_log import BUDGET, TrialLog
from starcast.workflow import prepare
from starcast.workflow.fit_parameters import FitParameters, TrainParameters
from starcast.workflow.main import run_main
from starcast.workflow.prepare import Prepared, preprocess
from starcast.workflow.search import WORKER
from starcast.workflow.search_parameters import MainParameters, TuneParameters
from starcast.workflow.train import train
from starcast.workflow.tune import tune

STEPS: dict[str, tuple[type[Parameters], Callable[[Any], object]]] = {
    "tune": (TuneParameters, tune),
    "train": (TrainParameters, train),
    "sampling": (SamplingParameters, run_sampling),
    "learning-curve": (LearningCurveParameters, run_learning_curve),
    "study-a": (StudyAParameters, run_study_a),
    "main": (MainParameters, run_main),
}


def parameters_of(origin: Origin) -> Parameters:
    """Return the parameters of the run's step, or of the search it is part of, with `register` off.

    Raises:
        UserError: this version of the code refuses them.
    """
    model = _model(origin.kind)
    try:
        return parse_logged(model, {**origin.parameters, "register": "false"})
    except OwnCodeError:
        raise
    except UserError as why:
        at = f"; check out its commit: git checkout {origin.code.commit}" if origin.code.commit else ""
        made = f"run {origin.run_id} was made by another version of starcast"
        raise UserError(f"{made}; this one says: {why}{at}") from None


def missing_parameters(origin: Origin) -> list[str]:
    """List parameters that the run did not have (now at their defaults), and those that no longer exist."""
    return sorted({*_model(origin.kind)().as_text()} ^ {*origin.parameters})


def _model(kind: str) -> type[Parameters]:
    if kind == "preprocess":
        return DataParameters
    return STEPS["tune" if kind in ("candidate", "trial") else kind][0]


def data_parameters(parameters: Parameters) -> DataParameters:
    """Return the parameters that preprocessing needs."""
    if isinstance(parameters, StudyAParameters):
        return parameters.search(parameters.families[0]).data_parameters()
    names = set(DataParameters.model_fields)
    return DataParameters(**parameters.model_dump(include=names))


def run_again(origin: Origin, parameters: Parameters, prepared: Prepared, run_id: str) -> None:
    """Run it again with these splits, below `run_id`, the active run.

    Raises:
        UserError: the step refuses its parameters, or a trial failed.
    """
    if origin.kind == "preprocess":
        return  # `prepared` is it
    if origin.kind in STEPS:
        STEPS[origin.kind][1](parameters)
        return
    assert isinstance(parameters, TuneParameters), "candidates and trials stand below searches"
    if origin.kind == "candidate":
        train(_candidate(origin, parameters))
        return
    tags = origin.tags
    budget = int(tags[BUDGET]) if BUDGET in tags else None
    pruned = tags["outcome"] == "pruned" and budget is None
    pruned_after = round(origin.epochs_run * reports_of(tags["family"])) if pruned else None
    spec = history.spec_of(origin.run_id, parameters.seed)
    proposal = Proposal(int(tags["trial_number"]), spec.family, spec.settings, budget)
    _train_again(proposal, spec.options, pruned_after, parameters, prepared, run_id)


def _candidate(origin: Origin, search: TuneParameters) -> TrainParameters:
    """Return the parameters that fit a candidate again with the data, decision and seed of its search."""
    epochs = history.spec_of(origin.run_id, search.seed).options.epochs
    shared = search.model_dump(by_alias=True, include={*FitParameters.model_fields} - {"epochs"})
    return TrainParameters.model_validate({**shared, "epochs": epochs, "from_run": origin.run_id})


@dataclass
class _One:
    """A source of settings that proposes one point."""

    proposal: Proposal

    def ask(self, number: int) -> Proposal:
        return self.proposal

    def tell(self, trial: Trial) -> None:
        """Ignore the trial."""


@dataclass
class _StopsAfter(Pruner):
    """Stops a trial after the report at which it was pruned originally."""

    last: int

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        return epoch < self.last


def _train_again(
    proposal: Proposal,
    options: FitOptions,
    pruned_after: int | None,
    parameters: TuneParameters,
    prepared: Prepared,
    run_id: str,
) -> None:
    """Train a proposal on a run below `run_id`, the active one; `parameters` are those of its search.

    Args:
        pruned_after: the report after which the trial was pruned originally, if it was.

    Raises:
        UserError: it failed this time.
    """
    prepared.log_inputs(LEARNED_FROM)
    train_split, validation = map(prepared.split, LEARNED_FROM)
    corpus, family = Corpus.stored(train_split, validation, prepared.scale), family_named(proposal.family)
    goal = parameters.goal()
    # Each worker used its share of the threads.
    workers = min(parameters.workers or carried_workers(parameters.families), parameters.max_trials)
    with scratch_folder() as folder:
        corpus.save(folder, {family.reads})
        family.prepare(corpus, folder, {name: (value,) for name, value in proposal.settings.items()})
        prunes = pruned_after is not None
        trials = TrialOptions(folder, goal, options, parameters.executions_per_trial, prunes)
        patience = Patience(parameters.server_patience_minutes * 60, progress.say)
        ratings, scale = corpus.validation.ratings, corpus.scale
        review_ids = pl.read_parquet(validation, columns=["review_id"])["review_id"]
        log = TrialLog(run_id, parameters.engine, trials.parameters, ratings, patience, {}, scale, review_ids)
        pruner = Pruner() if pruned_after is None else _StopsAfter(pruned_after)
        try:
            with quick_failures(), WorkerPool(WORKER, trials, workers) as pool:
                [trial] = Search(_One(proposal), pool, pruner, log, goal).run(1, proposal.number)
                log.flush()
        except BaseException:
            log.interrupt()
            raise
    if trial.outcome == "failed":
        raise UserError(f"the trial failed this time: {trial.reason}; its traceback.txt says where")


def prepare_again(origin: Origin, asked: DataParameters) -> Prepared:
    """Return the splits for all runs below the active one.

    Raises:
        UserError: the file is not here, and the splits are not on the server.
    """
    if origin.kind == "preprocess":
        return preprocess(asked, anew=True)
    try:
        sources.locate_files(asked)
    except UserError as missing:
        if not stored.has_splits(origin.prepared_run_id):
            raise UserError(f"{missing}; the original splits are no longer on the server either") from None
        say(f"the file is not here: using the original splits on run {origin.prepared_run_id}")
        runs.tag_active({PREPARED: origin.prepared_run_id})
    return prepare.prepare_once(asked)


def say(text: str) -> None:
    """Print a line of the reproduction."""
    print(f"reproduce: {text}", flush=True)
