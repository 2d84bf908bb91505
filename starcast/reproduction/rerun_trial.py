"""Train one trial of a search again as the search did.

In a worker with its share of the cores, pruned where it was.
"""

from dataclasses import dataclass

from starcast.cli.errors import UserError
from starcast.cli.processes import scratch_folder
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions
from starcast.reviews.split import LEARNED_FROM
from starcast.search.loop import Search
from starcast.search.progress import say
from starcast.search.pruning import Pruner
from starcast.search.trial_worker import TrialOptions
from starcast.search.trials import Proposal, Trial
from starcast.search.workers import WorkerPool, carried_workers
from starcast.tracking.patience import Patience, quick_failures
from starcast.tracking.trial_log import TrialLog
from starcast.workflow.prepare import Prepared
from starcast.workflow.search import WORKER
from starcast.workflow.search_parameters import TuneParameters


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
    """Stops a trial after the epoch at which it was pruned originally."""

    last: int

    def goes_on(self, number: int, family: str, epoch: int, score: float) -> bool:
        return epoch < self.last


def train_again(
    proposal: Proposal,
    options: FitOptions,
    pruned_after: int | None,
    parameters: TuneParameters,
    prepared: Prepared,
    run_id: str,
) -> None:
    """Train a proposal on a run below `run_id`, the active one; `parameters` are those of its search.

    Args:
        pruned_after: the epoch after which the trial was pruned originally, if it was.

    Raises:
        UserError: it failed this time.
    """
    prepared.log_inputs(LEARNED_FROM)
    corpus = Corpus.stored(*(prepared.split(name) for name in LEARNED_FROM))
    goal = parameters.goal()
    # Each worker had its share of the threads.
    workers = min(parameters.workers or carried_workers(), parameters.max_trials)
    with scratch_folder() as folder:
        corpus.save(folder)
        prunes = pruned_after is not None
        trials = TrialOptions(folder, goal, options, parameters.executions_per_trial, prunes)
        patience = Patience(parameters.server_patience_minutes * 60, say)
        log = TrialLog(run_id, parameters.engine, trials.parameters, corpus.validation.ratings, patience, {})
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
