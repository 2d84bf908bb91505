"""Log the trials of a search on the tracking server from a thread, so that training never waits for it."""

import queue
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
import polars as pl
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from starcast.cli.errors import UserError
from starcast.cli.masking import without_secrets
from starcast.evaluation.scale import STARS, Scale
from starcast.models.family import without_choices
from starcast.models.space import Settings, Value
from starcast.reports import files
from starcast.search.loop import Done, Failed, Reported, Result
from starcast.search.trials import Proposal, Trial
from starcast.tracking.commands import command_line
from starcast.tracking.failures import failure_tags
from starcast.tracking.limits import run_parameters, run_tags
from starcast.tracking.liveness import check_own
from starcast.tracking.patience import Patience, ServerGoneError

BUDGET = "epochs_given"  # tag of a trial that the algorithm gave fewer epochs than the search's maximum
Write = Callable[[bool], object]
STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}
FLUSH_SECONDS = 15.0  # after an interrupt, for what is still to be written


class TrialLog:
    """Watches a search (`starcast.search.loop.Watcher`); every trial becomes a run below its parent.

    `seconds` is the time spent on writing, `cpu_seconds` the CPU time that this took from training.
    """

    def __init__(
        self,
        parent_id: str,  # the search's run
        engine: str,  # tag of every trial
        parameters: Callable[[Proposal], Mapping[str, Value]],  # the parameters of a proposal's run
        ratings: np.ndarray,  # true ratings of the validation split as index from 0
        patience: Patience,
        run_ids: Mapping[int, str],  # trial number to run, for trials that are already on the server
        scale: Scale = STARS,
        review_ids: pl.Series | None = None,  # of the validation split, to keep the trials' answers with
    ) -> None:
        self._client = mlflow.MlflowClient()
        parent = self._client.get_run(parent_id)
        self._experiment = parent.info.experiment_id
        self._inputs = parent.inputs.dataset_inputs if parent.inputs else []
        self._parent, self._engine, self._parameters, self._ratings = parent_id, engine, parameters, ratings
        self._patience, self._scale, self._review_ids = patience, scale, review_ids
        self._last: dict[int, Reported] = {}
        self.run_ids = dict(run_ids)
        self.seconds = self.cpu_seconds = 0.0
        self._open: set[int] = set()
        self._error: Exception | None = None
        self._writes: queue.Queue[Write | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write_all, name="tracking", daemon=True)
        self._thread.start()

    def begin(self, proposal: Proposal) -> None:
        """Create the run of a trial, with its parameters."""
        parameters = self._parameters(proposal)
        self._open.add(proposal.number)
        self._writes.put(partial(self._create, proposal, parameters, _now()))

    def report(self, event: Reported) -> None:
        """Log all metrics of an epoch in one request, and keep what it predicted, should it be the last."""
        self._last[event.number] = event
        batch = _metrics(event.metrics, event.report)
        self._writes.put(lambda _: self._client.log_batch(self.run_ids[event.number], metrics=batch))

    def end(self, trial: Trial, event: Done | Failed) -> None:
        """Log the end of a trial: outcome, kept scores one step past the last epoch, files, status."""
        now, number = _now(), trial.proposal.number
        said: dict[str, str] = {"outcome": trial.outcome}
        if isinstance(event, Failed):
            said |= {"reason": trial.reason, **failure_tags(_name(trial.proposal), trial.reason)}
        elif trial.outcome == "pruned":
            said |= _pruned_tags(trial)
        tags = [RunTag(name, value) for name, value in run_tags(said).items()]
        metrics = _metrics({"epochs_run": trial.epochs}, 0)
        if isinstance(event, Done) and event.result:
            metrics = _metrics(event.metrics, len(trial.curve) + 1) + _metrics(event.result.facts, 0)
            for epoch, further in event.result.further_curves:
                metrics += _metrics(further, epoch)
        self._writes.put(lambda _: self._log_end(number, metrics, tags))
        last = self._last.pop(number, None)
        self._writes.put(lambda _: self._log_files(number, trial.proposal.settings, event, last))
        status = STATUS[trial.outcome]
        self._writes.put(partial(self._close, number, status, now))

    def check(self) -> None:
        """Raise the error that stopped the writing, if there was one."""
        if self._error:
            raise self._error

    def flush(self) -> None:
        """Wait until everything is written.

        Raises:
            ServerGoneError: the server stayed unreachable.
        """
        self._writes.put(None)
        self._thread.join()
        self.check()

    def interrupt(self) -> None:
        """Close the runs of unfinished trials as KILLED, and give the writing a moment to end.

        If it ended early, by an error of one write, the trials are closed without those that came after.
        """
        now = _now()
        for number in sorted(self._open):
            self._writes.put(partial(self._kill, number, now))
        self._writes.put(None)
        self._thread.join(FLUSH_SECONDS)
        if self._error and not isinstance(self._error, UserError):  # the server is there, and the search ours
            for number in sorted(self._open & self.run_ids.keys()):
                with suppress(MlflowException, OSError, UserError):
                    self._kill(number, now, True)

    def _write_all(self) -> None:
        while write := self._writes.get():
            began, cpu_began = time.monotonic(), time.thread_time()
            try:
                self._do(write)
            except ServerGoneError as error:
                lost = f"{self._writes.qsize() + 1} writes are lost with it"
                advice = f"Continue when it is back: {command_line('tune', resume=self._parent)}"
                self._error = ServerGoneError(f"{error}; {lost}. {advice}")
                return
            except Exception as error:  # the search raises it at its next check
                self._error = error
                return
            self.seconds += time.monotonic() - began
            self.cpu_seconds += time.thread_time() - cpu_began

    def _do(self, write: Write) -> None:
        """Do a write; again if an interrupt broke it off.

        Polars raises the main thread's interrupt in every thread that runs a query, too.
        """
        try:
            self._patience.through(write)
        except KeyboardInterrupt:
            self._patience.through(lambda _: write(True))

    def _create(self, proposal: Proposal, parameters: Mapping[str, Value], began: int, again: bool) -> None:
        number = proposal.number
        check_own(self._parent)
        tags = {
            MLFLOW_PARENT_RUN_ID: self._parent,
            MLFLOW_RUN_NAME: _name(proposal),
            "family": proposal.family,
            "engine": self._engine,
            "trial_number": str(number),
        }
        if proposal.epochs is not None:
            tags[BUDGET] = str(proposal.epochs)
        found: list[Run] = []
        if again:  # the server may have created the run, and died before it answered
            wanted = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{self._parent}' and tags.trial_number = '{number}'"
            found = self._client.search_runs([self._experiment], wanted)
        run = found[0] if found else self._client.create_run(self._experiment, began, tags)
        self.run_ids[number] = run.info.run_id
        params = [Param(name, value) for name, value in run_parameters(parameters).items()]
        self._client.log_batch(run.info.run_id, params=params)
        if self._inputs:
            self._client.log_inputs(run.info.run_id, self._inputs)

    def _log_end(self, number: int, metrics: list[Metric], tags: list[RunTag]) -> None:
        check_own(self._parent)  # whoever took the search over has closed this trial, and counts without it
        self._client.log_batch(self.run_ids[number], metrics=metrics, tags=tags)

    def _kill(self, number: int, now: int, _: bool) -> None:
        if number in self._open:  # else its end was still to be written, and has been by now
            check_own(self._parent)
            self._client.set_tag(self.run_ids[number], "outcome", "interrupted")
            self._close(number, "KILLED", now)

    def _close(self, number: int, status: str, now: int, _: bool = False) -> None:
        self._client.set_terminated(self.run_ids[number], status, now)
        self._open.discard(number)

    def _log_files(
        self, number: int, settings: Settings, event: Done | Failed, last: Reported | None
    ) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            files.write_json(folder / "settings.json", without_choices(settings))
            if isinstance(event, Failed):
                told = without_secrets(event.traceback or event.reason)
                (folder / "traceback.txt").write_text(told, encoding="utf-8", errors="backslashreplace")
            elif event.result:
                self._write_result(folder, event.result)
            elif last is not None and last.predicted is not None:
                ratings = self._ratings if last.places is None else self._ratings[last.places]
                files.write_split_files(folder, "val", ratings, last.predicted, self._scale)
            self._client.log_artifacts(self.run_ids[number], temporary)

    def _write_result(self, folder: Path, result: Result) -> None:
        if result.class_counts is not None:
            before, after = result.class_counts
            files.write_class_counts(folder, before, after, self._scale)
        predicted, ratings = np.concatenate(result.predicted), np.tile(self._ratings, len(result.predicted))
        files.write_split_files(folder, "val", ratings, predicted, self._scale)
        if result.probabilities is not None and self._review_ids is not None:
            answers = ratings, predicted, result.probabilities
            files.write_predictions(folder, "val", self._review_ids, *answers, scale=self._scale)


def _pruned_tags(trial: Trial) -> dict[str, str]:
    """Return the name and the description of a trial that was stopped early, as tags."""
    at = f"epoch {trial.epochs:g}"
    named = {MLFLOW_RUN_NAME: f"{_name(trial.proposal)}: pruned at {at}"}
    return {**named, "reason": trial.reason, MLFLOW_RUN_NOTE: f"**Pruned** after {at}: {trial.reason}."}


def _name(proposal: Proposal) -> str:
    return f"trial {proposal.number:03d} {proposal.family}"


def _now() -> int:
    return int(time.time() * 1000)


def _metrics(values: Mapping[str, float], step: int) -> list[Metric]:
    now = _now()
    return [Metric(name, float(value), now, step) for name, value in values.items()]
