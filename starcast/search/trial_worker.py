"""Train the trials of a search in a worker process: `python -m starcast.search.trial_worker <pipe>`."""

import errno
import io
import math
import sys
import time
import traceback
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from starcast.cli.interrupts import catch_interrupts
from starcast.cli.refusals import refusal
from starcast.evaluation.scores import multilabel_auc, val_scores
from starcast.models.catalogue import family_named, logged
from starcast.models.corpus import Corpus
from starcast.models.family import Fit, FitOptions, ModelSpec, split_choices
from starcast.models.fit_report import FitReport
from starcast.models.kept_fit import keep_fit
from starcast.models.sampling import count_ratings
from starcast.models.space import Value
from starcast.search.loop import Done, Event, Failed, Reported, Result
from starcast.search.time_budget import WORTH_KEEPING
from starcast.search.trials import Objective, Proposal

OWN_CODE = "own_code"  # in the corpus's folder on an executor: the modules of families of the user's own


class PrunedError(Exception):
    """The search has stopped this trial."""


@dataclass(frozen=True)
class TrialOptions:
    """How the trials of a search are trained; only plain values, so that it can be sent to another process.

    Attributes:
        folder: of the encoded corpus.
        options: for a trial, unless its settings or its proposal override them.
        executions: how often each trial is trained, with seeds counted up; only the first can be pruned.
        prunes: whether a trial asks, after each report but the last, if it should continue.
        keeps: folder for fits that took long, each under its trial's number; None: none are kept.
    """

    folder: Path
    objective: Objective
    options: FitOptions
    executions: int
    prunes: bool
    keeps: Path | None = None

    def spec(self, proposal: Proposal, execution: int = 0) -> ModelSpec:
        """Return what one execution of a trial fits."""
        settings, options = split_choices(proposal.settings, self.options)
        family, seed = family_named(proposal.family), options.seed + execution
        epochs = (proposal.epochs or options.epochs) if family.iterative else 1
        sampling = family.check_sampling(options.sampling)
        options = replace(options, sampling=sampling, epochs=epochs, seed=seed, patience=epochs)
        return ModelSpec(proposal.family, settings, options)

    def parameters(self, proposal: Proposal) -> dict[str, Value]:
        """Return what a trial's run shows as its parameters."""
        return {**logged(self.spec(proposal)), "executions": self.executions}


class Reporter:
    """Sends the reports of a trial's first execution to the search, and keeps those of the others."""

    def __init__(self, pipe: Connection, number: int, corpus: Corpus, objective: str) -> None:
        self._pipe, self._number, self._objective = pipe, number, objective
        self._ratings, self._scale = corpus.validation.ratings, corpus.scale
        self.execution, self.last_report, self.prunes = 0, 0, False
        self.scores: dict[str, float] = {}
        self.curve: list[tuple[int, dict[str, float]]] = []
        self.further_curves: list[tuple[int, dict[str, float]]] = []

    def report(self, report: FitReport) -> None:
        """Score a report.

        Raises:
            ArithmeticError: the objective is not a number, for instance an AUC of one class.
            PrunedError: the search says stop.
        """
        self.scores, number = report.scores(self._ratings, self._scale), report.number
        if not math.isfinite(self.scores[self._objective]):
            raise ArithmeticError(f"{self._objective} is not a number on this validation split")
        if self.execution:
            prefix = f"execution_{self.execution + 1}/"
            self.further_curves.append((number, {prefix + name: v for name, v in self.scores.items()}))
            return
        self.curve.append((number, self.scores))
        waits = self.prunes and number < self.last_report
        predicted = report.probabilities.argmax(axis=1).astype(np.int8)
        send(self._pipe, Reported(self._number, number, self.scores, waits, predicted, report.places))
        if waits and not self._pipe.recv():
            raise PrunedError


def train_trial(trials: TrialOptions, corpus: Corpus, proposal: Proposal, pipe: Connection) -> Event:
    """Train one proposal in all its executions, reporting over the pipe; a failure is returned."""
    reporter = Reporter(pipe, proposal.number, corpus, trials.objective.name)
    reporter.prunes = trials.prunes
    fits, began = [], time.monotonic()
    try:
        for execution in range(trials.executions):
            spec = trials.spec(proposal, execution)
            family = family_named(spec.family)
            reporter.execution, reporter.last_report = execution, spec.options.epochs * family.reports
            fits.append(family.fit(corpus, spec, reporter))
        seconds = time.monotonic() - began
        if trials.keeps and len(fits) == 1 and seconds >= WORTH_KEEPING:
            keep_fit(fits[0], spec, trials.keeps / str(proposal.number), reporter.curve, seconds)
    except PrunedError:
        return Done(proposal.number, reporter.scores, result=None)
    except Exception as error:  # anything a model library raises: the trial failed, the search continues
        if refused := refusal(error, but=(errno.ENOMEM,)):  # other settings may need less memory
            return Failed(proposal.number, refused, traceback.format_exc(), ends_search=True)
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return Failed(proposal.number, reason, traceback.format_exc())
    return _done(proposal.number, corpus, fits, reporter.further_curves)


def _done(number: int, corpus: Corpus, fits: list[Fit], curves: list[tuple[int, dict[str, float]]]) -> Done:
    ratings = corpus.validation.ratings
    # The confusion matrix counts every execution; an AUC compares probabilities of one network only.
    probabilities = [fit.validation_probabilities for fit in fits]
    kept = val_scores(np.tile(ratings, len(fits)), np.concatenate(probabilities), corpus.scale)
    kept["val_auc"] = float(np.mean([multilabel_auc(ratings, values) for values in probabilities]))
    facts = {
        "best_epoch": float(np.mean([fit.best_epoch for fit in fits])),
        "epochs_run": float(sum(fit.epochs for fit in fits)),
        "parameters": float(fits[0].model.parameters()),
        "rows_used": float(len(fits[0].trained_on)),
        "worker_memory_mb": psutil.Process().memory_info().rss / 1e6,
    }
    predicted = [values.argmax(axis=1).astype(np.int8) for values in probabilities]
    learned = corpus.train.ratings, fits[0].trained_on
    counts = np.stack([count_ratings(each, len(corpus.scale)) for each in learned])
    whole = probabilities[0].astype(np.float16) if len(fits) == 1 else None
    return Done(number, kept, Result(predicted, facts, curves, counts, whole))


def send(pipe: Connection, event: Event) -> None:
    """Send an event together with the memory that this process holds."""
    pipe.send((event, psutil.Process().memory_info().rss))


def work(pipe: Connection) -> None:
    """Train what comes over the pipe until the search closes it."""
    try:
        trials: TrialOptions = pipe.recv()
        corpus = Corpus.open(trials.folder)
        while True:
            proposal: Any = pipe.recv()
            send(pipe, train_trial(trials, corpus, proposal, pipe))
    except (EOFError, ConnectionError):
        return


def work_on_spark(pipe: Connection, trials: TrialOptions, proposal: Proposal, shipped: Path) -> None:
    """Train one proposal on the corpus shipped to this executor, whose process keeps it open for the next."""
    folder = shipped / trials.folder.name
    if str(folder / OWN_CODE) not in sys.path:
        sys.path.append(str(folder / OWN_CODE))
    send(pipe, train_trial(trials, _opened(folder), proposal, pipe))


_opened = lru_cache(maxsize=1)(Corpus.open)
if __name__ == "__main__":
    assert isinstance(sys.stdout, io.TextIOWrapper)
    sys.stdout.reconfigure(line_buffering=True)  # it may be a pipe, and this process is killed at the end
    catch_interrupts()
    work(Connection(int(sys.argv[1])))
