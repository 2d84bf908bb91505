"""One search put together: data, engine, pruner, workers, and the log of its trials."""

import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.models.corpus import Corpus
from starcast.models.family import ModelSpec, Settings, split_choices
from starcast.models.sampling import check_members, count_ratings, warning_of
from starcast.reviews.split import LEARNED_FROM
from starcast.search.loop import Search
from starcast.search.progress import TrialLines, say
from starcast.search.pruning import make_pruner
from starcast.search.trial_worker import TrialOptions, work_on_spark
from starcast.search.trials import Proposal, Trial, best_of
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
    from pyspark.sql import SparkSession

WORKER = "starcast.search.trial_worker"


@dataclass(frozen=True)
class Searched:
    """All trials of a search, also those of earlier processes, and their runs by number."""

    trials: list[Trial]
    run_ids: dict[int, str]


def search(parameters: TuneParameters, prepared: Prepared, parent_id: str, finished: Finished) -> Searched:
    """Run the trials that are still to do, below the active run, which is the parent."""
    missing = parameters.max_trials - len(finished.trials)
    if missing <= 0:
        return Searched(finished.trials, finished.run_ids)
    prepared.log_inputs(LEARNED_FROM)
    corpus = Corpus.stored(*(prepared.split(name) for name in LEARNED_FROM))
    _check_samplings(parameters, corpus)
    with scratch_folder() as scratch, _session(parameters) as session:
        workers = min(
            parameters.workers or (session.sparkContext.defaultParallelism if session else carried_workers()),
            missing,
        )
        _announce(parameters, missing, workers)
        folder = scratch / "corpus"
        folder.mkdir()
        corpus.save(folder)
        training = _training(parameters, folder)
        patience = Patience(parameters.server_patience_minutes * 60, say)
        log = TrialLog(
            parent_id,
            parameters.engine,
            training.parameters,
            corpus.validation.ratings,
            patience,
            finished.run_ids,
        )
        pool = _spark_pool(session, training, workers) if session else WorkerPool(WORKER, training, workers)
        return _run(parameters, log, finished, pool)


def _session(parameters: TuneParameters) -> AbstractContextManager["SparkSession | None"]:
    if parameters.executor == "local":
        return nullcontext()
    # A task that runs twice would be two trainings of one trial.
    return spark_session(
        parameters.spark_master, f"starcast {parameters.data}", {"spark.speculation": "false"}
    )


def _spark_pool(session: "SparkSession", training: TrialOptions, workers: int) -> SparkPool:
    folder = training.folder
    # The folder itself is in the archive: Spark refuses one whose first entry is `./`.
    archive = Path(shutil.make_archive(str(folder), "tar", folder.parent, folder.name))
    return SparkPool(session, work_on_spark, training, archive, workers)


def _check_samplings(parameters: TuneParameters, corpus: Corpus) -> None:
    """See that no trial is bound to fail for want of neighbours."""
    counts, how = count_ratings(corpus.train.ratings), _training(parameters, Path())
    for family in parameters.families:
        for sampling in parameters.samplings_of(family):
            check_members(counts, how.training(Proposal(0, family, {"sampling": sampling})))


def _announce(parameters: TuneParameters, missing: int, workers: int) -> None:
    engine = parameters.chosen_engine()
    where = f" on {parameters.spark_master}" if parameters.executor == "spark" else ""
    how = f"{engine.name} {engine.algorithm}, pruner {engine.pruner}, {workers} worker{'s' if workers > 1 else ''}{where}"
    say(f"{missing} trials of {', '.join(parameters.families)} by {how}")
    for sampling in filter(warning_of, parameters.sampling):
        say(f"sampling {sampling}{warning_of(sampling)}")


def _training(parameters: TuneParameters, folder: Path) -> TrialOptions:
    return TrialOptions(
        folder,
        parameters.goal(),
        parameters.sampling[0],
        parameters.batch_size[0],
        parameters.schedule,
        parameters.max_epochs,
        parameters.seed,
        parameters.executions_per_trial,
        prunes=parameters.chosen_engine().pruner != "none",
        neighbours=parameters.neighbours,
        fewer_neighbours=parameters.fewer_neighbours,
        precision=parameters.precision,
    )


def _run(
    parameters: TuneParameters, log: TrialLog, finished: Finished, where: WorkerPool | SparkPool
) -> Searched:
    start, goal, engine = time.monotonic(), parameters.goal(), parameters.chosen_engine()
    # Draws that no earlier process made: an equal seed would replay the ones it did.
    seed = (parameters.seed, len(finished.trials)) if finished.trials else (parameters.seed,)
    first = still_to_try(parameters.first_points(), finished.trials)
    proposals = engine.proposals(
        parameters.spaces(), parameters.max_trials, parameters.max_epochs, seed, first
    )
    pruner = make_pruner(engine.pruner)
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
    seconds = {
        "search_seconds": time.monotonic() - start,
        "tracking_seconds": log.seconds,
        "tracking_cpu_seconds": log.cpu_seconds,
    }
    runs.log_metrics(seconds)
    return Searched(trials, log.run_ids)


def still_to_try(first: Sequence[tuple[str, Settings]], done: Sequence[Trial]) -> list[tuple[str, Settings]]:
    """The first points without those that trials were made of."""
    left = list(first)
    for trial in done:
        made_of = (
            (f, s)
            for f, s in left
            if f == trial.proposal.family and s.items() <= trial.proposal.settings.items()
        )
        point = next(made_of, None)
        if point:
            left.remove(point)
    return left


def _check_best(searched: Searched) -> Proposal:
    best = best_of(searched.trials)
    if best:
        return best.proposal
    failed = [trial for trial in searched.trials if trial.outcome == "failed"]
    if failed:
        what = (
            f"all {len(failed)} trials failed"
            if len(failed) == len(searched.trials)
            else "no trial is complete"
        )
        raise UserError(f"{what}, the last failure being {failed[-1].reason}; see its traceback.txt")
    raise UserError(
        f"none of {len(searched.trials)} trials is complete: raise max_trials, or use pruner=none"
    )


def _fit_best(parameters: TuneParameters, prepared: prepare.Prepared, best: Proposal) -> candidate.Candidate:
    settings, sampling, batch_size = split_choices(
        best.settings, parameters.sampling[0], parameters.batch_size[0]
    )
    epochs = best.epochs or parameters.max_epochs
    near = parameters.neighbours, parameters.fewer_neighbours
    recipe = ModelSpec(
        best.family, settings, sampling, batch_size, parameters.schedule, epochs, *near, parameters.precision
    )
    plan = parameters.plan(recipe)
    logged = {"family": best.family, **settings, **plan.training.logged()}
    with runs.child_run(f"candidate {best.family}", {"family": best.family}, logged) as run_id:
        return candidate.fit_candidate(run_id, prepared, plan)
