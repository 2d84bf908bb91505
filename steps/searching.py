"""One search put together: data, engine, pruner, workers, and the log of its trials."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steps.models.corpus import Corpus, Part
from steps.models.family import Settings
from steps.models.sampling import check_members, count_ratings, warning_of
from steps.preprocess import Prepared
from steps.progress import TrialLines, say
from steps.scratch import scratch_folder
from steps.search.loop import Search
from steps.search.pruning import make_pruner
from steps.search.trials import Proposal, Trial
from steps.search.workers import WorkerPool, carried_workers
from steps.tracking import runs
from steps.tracking.patience import Patience, quick_failures
from steps.tracking.resumption import Finished
from steps.tracking.trial_log import TrialLog
from steps.trial import TrialTraining
from steps.tune_parameters import TuneParameters

WORKER = "steps.trial"


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
    tables = {name: prepared.table(name) for name in ("train", "validation")}
    prepared.log_inputs(tables)
    corpus = Corpus(Part.from_table(tables["train"]), Part.from_table(tables["validation"]))
    _check_samplings(parameters, corpus)
    workers = min(parameters.workers or carried_workers(), missing)
    _announce(parameters, missing, workers)
    with scratch_folder() as folder:
        corpus.save(folder)
        training = _training(parameters, folder)
        patience = Patience(parameters.server_patience_minutes * 60, say)
        log = TrialLog(parent_id, parameters.engine, training.parameters, corpus.validation.ratings, patience, finished.run_ids)
        return _run(parameters, training, log, finished, workers)


def _check_samplings(parameters: TuneParameters, corpus: Corpus) -> None:
    """See that no trial is bound to fail for want of neighbours."""
    counts, how = count_ratings(corpus.train.ratings), _training(parameters, Path())
    for family in parameters.families:
        for sampling in parameters.samplings_of(family):
            check_members(counts, how.training(Proposal(0, family, {"sampling": sampling})))


def _announce(parameters: TuneParameters, missing: int, workers: int) -> None:
    engine = parameters.chosen_engine()
    how = f"{engine.name} {engine.algorithm}, pruner {engine.pruner}, {workers} worker{'s' if workers > 1 else ''}"
    say(f"{missing} trials of {', '.join(parameters.families)} by {how}")
    for sampling in filter(warning_of, parameters.sampling):
        say(f"sampling {sampling}{warning_of(sampling)}")


def _training(parameters: TuneParameters, folder: Path) -> TrialTraining:
    return TrialTraining(
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
    )


def _run(parameters: TuneParameters, training: TrialTraining, log: TrialLog, finished: Finished, workers: int) -> Searched:
    start, goal, engine = time.monotonic(), parameters.goal(), parameters.chosen_engine()
    # Draws that no earlier process made: an equal seed would replay the ones it did.
    seed = (parameters.seed, len(finished.trials)) if finished.trials else (parameters.seed,)
    first = still_to_try(parameters.first_points(), finished.trials)
    proposals = engine.proposals(parameters.spaces(), parameters.max_trials, parameters.max_epochs, seed, first)
    pruner = make_pruner(engine.pruner)
    for trial in finished.trials:
        proposals.tell(trial)
        pruner.learn(trial)
    trials, lines = list(finished.trials), TrialLines(goal, parameters.max_trials, finished.trials)
    missing, timeout = parameters.max_trials - len(trials), parameters.timeout_minutes * 60
    try:
        with quick_failures(), WorkerPool(WORKER, training, workers) as pool:
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
        made_of = ((f, s) for f, s in left if f == trial.proposal.family and s.items() <= trial.proposal.settings.items())
        point = next(made_of, None)
        if point:
            left.remove(point)
    return left
