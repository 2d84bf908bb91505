"""Run a search with data, engine, pruner, workers and a log of its trials; then fit the best settings."""

import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.evaluation.scale import Scale
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.references import sources
from starcast.models.sampling import count_ratings, sampling_note
from starcast.models.space import Settings
from starcast.reviews.split import LEARNED_FROM
from starcast.search.loop import Search
from starcast.search.progress import Display, display_of, say
from starcast.search.pruning import PRUNERS
from starcast.search.standing import Length, SearchStanding
from starcast.search.time_budget import TimeBudget
from starcast.search.trial_worker import OWN_CODE, TrialOptions, work_on_spark
from starcast.search.trials import STOPPED_EARLY, Proposal, SearchPlan, Trial, best_of, best_of_families
from starcast.search.workers import WorkerPool, carried_workers
from starcast.spark.session import spark_session
from starcast.spark.trial_pool import SparkPool
from starcast.tracking import runs
from starcast.tracking.patience import Patience, quick_failures
from starcast.tracking.resumption import Finished
from starcast.tracking.trial_log import TrialLog
from starcast.workflow.prepare import Prepared
from starcast.workflow.presets import EPOCH_SECONDS, START_SECONDS
from starcast.workflow.search_parameters import TuneParameters

WORKER = "starcast.search.trial_worker"


# All trials of a search, those of earlier processes included, and their run ids by number.
Searched = tuple[list[Trial], dict[int, str]]


def search(
    parameters: TuneParameters,
    prepared: Prepared,
    parent_id: str,
    finished: Finished,
    budget: TimeBudget,
    keeps: Path | None = None,
) -> Searched:
    """Run the trials that are still missing, below the active run, which is the parent.

    `keeps`: folder for the fits of each family's best trial, where they took long.
    """
    missing = parameters.trials() - len(finished.trials)
    if missing <= 0:
        return finished.trials, finished.run_ids
    prepared.log_inputs(LEARNED_FROM)
    prepared.check_score("objective", parameters.objective)
    prepared.check_score("decision_metric", parameters.decision_metric)
    train, validation = map(prepared.split, LEARNED_FROM)
    corpus = Corpus.stored(train, validation, prepared.scale)
    notes = _sampling_notes(parameters, corpus.train.ratings, corpus.scale)
    engine = parameters.chosen_engine()
    with scratch_folder() as scratch, _session(parameters) as session:
        cluster = session.sparkContext.defaultParallelism if session else 0
        carried = cluster or carried_workers(parameters.families)
        workers = min(parameters.workers or carried, missing)
        where = f" on {parameters.spark_master}" if session else ""
        at_once = f"{workers} worker{'s' if workers > 1 else ''}{where}"
        how = f"{engine.name} {engine.algorithm}, pruner {engine.pruner}, {at_once}"
        say(f"{missing} trials of {', '.join(parameters.families)} by {how}")
        for note in (*notes, *parameters.start_notes()):
            say(note)
        folder = scratch / "corpus"
        folder.mkdir()
        corpus.save(folder, {family_named(family).reads for family in parameters.families})
        for family, space in parameters.spaces().items():
            family_named(family).prepare(corpus, folder, space)
        options, executions = parameters.trial_options(), parameters.executions_per_trial
        budget.expected, budget.start = expected_seconds(parameters, len(corpus.train.ratings)), START_SECONDS
        trials = TrialOptions(folder, parameters.goal(), options, executions, engine.pruner != "none", keeps)
        log = _trial_log(parameters, parent_id, trials, corpus, finished, validation)
        length = partial(_length, trials)
        first = _first_families(parameters, finished)
        goal, most = parameters.goal(), parameters.trials()
        standing = SearchStanding(goal, most, finished.trials, budget, length, first)
        display = display_of(standing, log)
        if not session:
            pool = WorkerPool(WORKER, trials, workers, display.output)
            return _run(parameters, log, display, finished, budget, pool, keeps)
        for source in sources():
            source.copy_code(folder / OWN_CODE)
        # The folder itself is in the archive: Spark refuses one whose first entry is `./`.
        archive = Path(shutil.make_archive(str(folder), "tar", scratch, folder.name))
        spark_pool = SparkPool(session, work_on_spark, trials, archive, workers)
        return _run(parameters, log, display, finished, budget, spark_pool)


def _trial_log(
    parameters: TuneParameters,
    parent_id: str,
    trials: TrialOptions,
    corpus: Corpus,
    finished: Finished,
    validation: Path,
) -> TrialLog:
    """Return what writes trials below the search's run; `validation`: the split's file."""
    return TrialLog(
        parent_id,
        parameters.engine,
        trials.parameters,
        corpus.validation.ratings,
        Patience(parameters.server_patience_minutes * 60, say),
        run_ids=finished.run_ids,
        scale=corpus.scale,
        review_ids=pl.read_parquet(validation, columns=["review_id"])["review_id"],
    )


def _first_families(parameters: TuneParameters, finished: Finished) -> list[str]:
    """Return the families of the next trials, as far as they are known: not where time decides on them."""
    if not parameters.families_together:
        return []
    return [family for family, _ in still_to_try(parameters.first_points(), finished.trials)]


def _length(trials: TrialOptions, proposal: Proposal) -> Length:
    family = family_named(proposal.family)
    return Length(trials.spec(proposal).options.epochs if family.iterative else 0, family.reports)


def expected_seconds(parameters: TuneParameters, reviews: int) -> dict[str, float]:
    """Estimate the seconds of each family's first trial on this many reviews, as on another machine."""
    expected = {}
    for name in parameters.families:
        if name in EPOCH_SECONDS:
            epochs = _first_epochs(parameters, name)
            expected[name] = START_SECONDS + EPOCH_SECONDS[name] * reviews / 1_000 * epochs
    return expected


def _first_epochs(parameters: TuneParameters, name: str) -> int:
    """Return the epochs of a family's first trial: its own, where they are a setting of it."""
    family = family_named(name)
    if not family.iterative:
        return 1
    own = family.published.get("epochs", parameters.max_epochs)
    return min(int(str(own)), parameters.max_epochs)


def _session(parameters: TuneParameters) -> AbstractContextManager[Any]:
    """Start the search's Spark session, or stand in for one with None."""
    if parameters.executor == "local":
        return nullcontext()
    once = {"spark.speculation": "false"}  # a task run twice would train a trial twice
    return spark_session(parameters.spark_master, f"starcast {parameters.data}", once)


def _sampling_notes(parameters: TuneParameters, ratings: np.ndarray, scale: Scale) -> list[str]:
    """Return what a user should know about the samplings of a search.

    Args:
        ratings: of the training split, as index from 0.

    Raises:
        UserError: a trial is bound to fail: a family does not support a sampling, or it needs more reviews.
    """
    options, counts = parameters.trial_options(), count_ratings(ratings, len(scale))
    samplings = {name for family in parameters.families for name in parameters.samplings_of(family)}
    notes = {
        name: sampling_note(counts, replace(options, sampling=name), scale) for name in sorted(samplings)
    }
    return [f"sampling {name}{note}" for name, note in notes.items() if note]


def _run(
    parameters: TuneParameters,
    log: TrialLog,
    display: Display,
    finished: Finished,
    budget: TimeBudget,
    where: WorkerPool | SparkPool,
    keeps: Path | None = None,
) -> Searched:
    start, goal, engine = time.monotonic(), parameters.goal(), parameters.chosen_engine()
    # The same seed would repeat the draws of an earlier process.
    seed = (parameters.seed, len(finished.trials)) if finished.trials else (parameters.seed,)
    first = still_to_try(parameters.first_points(), finished.trials)
    spaces, conditions = parameters.spaces(), parameters.conditions()
    plan = SearchPlan(spaces, parameters.trials(), parameters.max_epochs, seed, first, conditions)
    together = parameters.families_together
    proposals = engine.proposals(plan) if together else engine.by_family(plan, budget, say)
    pruner = PRUNERS[engine.pruner]()
    for trial in finished.trials:
        proposals.tell(trial)
        pruner.learn(trial)
    trials = list(finished.trials)
    missing, timeout = parameters.trials() - len(trials), parameters.timeout_minutes * 60
    try:
        with quick_failures(), display, where as pool:
            turned = Search(proposals, pool, pruner, display, goal, finished.age, budget)
            for trial in turned.run(missing, finished.next_number, timeout):
                trials.append(trial)
                if keeps:
                    _keep_best(keeps, trials)
            log.flush()
    except BaseException:
        log.interrupt()
        raise
    tracking = {"tracking_seconds": log.seconds, "tracking_cpu_seconds": log.cpu_seconds}
    runs.log_metrics({"search_seconds": time.monotonic() - start, **tracking})
    return trials, log.run_ids


def _keep_best(keeps: Path, trials: list[Trial]) -> None:
    """Remove the kept fits of ended trials that are not the best of their family."""
    best = {trial.proposal.number for trial in best_of_families(trials)}
    for trial in trials:
        if trial.proposal.number not in best:
            shutil.rmtree(keeps / str(trial.proposal.number), ignore_errors=True)


def still_to_try(first: Sequence[tuple[str, Settings]], done: Sequence[Trial]) -> list[tuple[str, Settings]]:
    """Return the first points that no trial has used yet; each trial accounts for one point."""
    left = list(first)
    for tried in (trial.proposal for trial in done):
        for family, settings in left:
            if family == tried.family and settings.items() <= tried.settings.items():
                left.remove((family, settings))
                break
    return left


def check_best(trials: list[Trial], minutes: float = 0) -> Trial:
    """Return the best complete trial; `minutes`: the time that the search had (0: no limit).

    Raises:
        UserError: no trial is complete.
    """
    best = best_of(trials)
    if best:
        return best
    failed = [trial for trial in trials if trial.outcome == "failed" and trial.reason != STOPPED_EARLY]
    if minutes and not failed:
        raise UserError(f"none of {len(trials)} trials is complete: raise minutes, here {minutes:g}")
    if failed:
        what = f"all {len(failed)} trials failed" if len(failed) == len(trials) else "no trial is complete"
        last = f"trial {failed[-1].proposal.number}: {failed[-1].reason}"
        raise UserError(f"{what}; the last failure, {last} (its run has the whole traceback.txt)")
    raise UserError(f"none of {len(trials)} trials is complete: raise max_trials or use pruner=none")
