"""A search: data, engine, pruner, workers and the log of its trials put together; then a fit of the best."""

import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.models.corpus import Corpus
from starcast.models.family import ModelSpec, Settings, split_choices
from starcast.models.sampling import count_ratings, sampling_note
from starcast.reviews.split import LEARNED_FROM
from starcast.search.loop import Search
from starcast.search.progress import TrialLines, say
from starcast.search.pruning import PRUNERS
from starcast.search.trial_worker import TrialOptions, work_on_spark
from starcast.search.trials import Proposal, SearchPlan, Trial, best_of
from starcast.search.workers import WorkerPool, carried_workers
from starcast.spark.session import spark_session
from starcast.spark.trial_pool import SparkPool
from starcast.tracking import runs
from starcast.tracking.patience import Patience, quick_failures
from starcast.tracking.resumption import Finished
from starcast.tracking.trial_log import TrialLog
from starcast.workflow import candidate, prepare
from starcast.workflow.prepare import Prepared
from starcast.workflow.search_parameters import TuneParameters

if TYPE_CHECKING:
    import numpy as np

WORKER = "starcast.search.trial_worker"


@dataclass(frozen=True)
class Searched:
    """All trials of a search, those of earlier processes included, and their run ids by number."""

    trials: list[Trial]
    run_ids: dict[int, str]


def search(parameters: TuneParameters, prepared: Prepared, parent_id: str, finished: Finished) -> Searched:
    """Run the trials that are still missing, below the active run, which is the parent."""
    missing = parameters.max_trials - len(finished.trials)
    if missing <= 0:
        return Searched(finished.trials, finished.run_ids)
    prepared.log_inputs(LEARNED_FROM)
    corpus = Corpus.stored(*(prepared.split(name) for name in LEARNED_FROM))
    notes = _sampling_notes(parameters, corpus.train.ratings)
    with scratch_folder() as scratch, _session(parameters) as session:
        carried = session.sparkContext.defaultParallelism if session else carried_workers()
        workers = min(parameters.workers or carried, missing)
        _announce(parameters, missing, workers)
        for note in notes:
            say(note)
        folder = scratch / "corpus"
        folder.mkdir()
        corpus.save(folder)
        trials = TrialOptions(
            folder,
            parameters.goal(),
            parameters.trial_options(),
            parameters.executions_per_trial,
            prunes=parameters.chosen_engine().pruner != "none",
        )
        patience = Patience(parameters.server_patience_minutes * 60, say)
        ratings, earlier = corpus.validation.ratings, finished.run_ids
        log = TrialLog(parent_id, parameters.engine, trials.parameters, ratings, patience, earlier)
        pool = _spark_pool(session, trials, workers) if session else WorkerPool(WORKER, trials, workers)
        return _run(parameters, log, finished, pool)


def _session(parameters: TuneParameters) -> AbstractContextManager[Any]:
    """Start the search's Spark session, or stand in for one with None."""
    if parameters.executor == "local":
        return nullcontext()
    once = {"spark.speculation": "false"}  # a task run twice would be two trainings of one trial
    return spark_session(parameters.spark_master, f"starcast {parameters.data}", once)


def _spark_pool(session: Any, trials: TrialOptions, workers: int) -> SparkPool:
    folder = trials.folder
    # The folder itself is in the archive: Spark refuses one whose first entry is `./`.
    archive = Path(shutil.make_archive(str(folder), "tar", folder.parent, folder.name))
    return SparkPool(session, work_on_spark, trials, archive, workers)


def _sampling_notes(parameters: TuneParameters, ratings: "np.ndarray") -> list[str]:
    """Return what a user should know of the samplings of a search.

    Raises:
        UserError: a trial would be bound to fail: a family does not take a sampling, or no review can be made
            up.
    """
    counts, options = count_ratings(ratings), parameters.trial_options()
    samplings = {name for family in parameters.families for name in parameters.samplings_of(family)}
    notes = {name: sampling_note(counts, replace(options, sampling=name)) for name in sorted(samplings)}
    return [f"sampling {name}{note}" for name, note in notes.items() if note]


def _announce(parameters: TuneParameters, missing: int, workers: int) -> None:
    engine = parameters.chosen_engine()
    where = f" on {parameters.spark_master}" if parameters.executor == "spark" else ""
    how = f"{engine.name} {engine.algorithm}, pruner {engine.pruner}"
    at_once = f"{workers} worker{'s' if workers > 1 else ''}{where}"
    say(f"{missing} trials of {', '.join(parameters.families)} by {how}, {at_once}")


def _run(
    parameters: TuneParameters, log: TrialLog, finished: Finished, where: WorkerPool | SparkPool
) -> Searched:
    start, goal, engine = time.monotonic(), parameters.goal(), parameters.chosen_engine()
    # An equal seed would replay the draws of an earlier process.
    seed = (parameters.seed, len(finished.trials)) if finished.trials else (parameters.seed,)
    first = still_to_try(parameters.first_points(), finished.trials)
    plan = SearchPlan(parameters.spaces(), parameters.max_trials, parameters.max_epochs, seed, first)
    proposals = engine.proposals(plan)
    pruner = PRUNERS[engine.pruner]()
    for trial in finished.trials:
        proposals.tell(trial)
        pruner.learn(trial)
    trials, lines = list(finished.trials), TrialLines(goal, parameters.max_trials, finished.trials)
    missing, timeout = parameters.max_trials - len(trials), parameters.timeout_minutes * 60
    try:
        with quick_failures(), where as pool:
            turned = Search(proposals, pool, pruner, log, goal, finished.age)
            for trial in turned.run(missing, finished.next_number, timeout):
                lines.show(trial)
                trials.append(trial)
            log.flush()
    except BaseException:
        log.interrupt()
        raise
    tracking = {"tracking_seconds": log.seconds, "tracking_cpu_seconds": log.cpu_seconds}
    runs.log_metrics({"search_seconds": time.monotonic() - start, **tracking})
    return Searched(trials, log.run_ids)


def still_to_try(first: Sequence[tuple[str, Settings]], done: Sequence[Trial]) -> list[tuple[str, Settings]]:
    """Return the first points that no trial was made from; each trial accounts for one point."""
    left = list(first)
    for tried in (trial.proposal for trial in done):
        for family, settings in left:
            if family == tried.family and settings.items() <= tried.settings.items():
                left.remove((family, settings))
                break
    return left


def check_best(searched: Searched) -> Proposal:
    """Return what the best complete trial was made from.

    Raises:
        UserError: no trial is complete.
    """
    best = best_of(searched.trials)
    if best:
        return best.proposal
    failed = [trial for trial in searched.trials if trial.outcome == "failed"]
    if failed:
        all_failed = len(failed) == len(searched.trials)
        what = f"all {len(failed)} trials failed" if all_failed else "no trial is complete"
        raise UserError(f"{what}; the last failure: {failed[-1].reason} (see its traceback.txt)")
    raise UserError(f"none of {len(searched.trials)} trials is complete: raise max_trials or use pruner=none")


def fit_best(parameters: TuneParameters, prepared: prepare.Prepared, best: Proposal) -> candidate.Candidate:
    """Fit a search's best settings once more, on a child run of the active one, as the candidate."""
    settings, options = split_choices(best.settings, parameters.trial_options())
    options = replace(options, epochs=best.epochs or options.epochs)
    plan = parameters.plan(ModelSpec(best.family, settings, options))
    logged = plan.spec.logged()
    with runs.child_run(f"candidate {best.family}", {"family": best.family}, logged) as run_id:
        return candidate.fit_candidate(run_id, prepared, plan)
