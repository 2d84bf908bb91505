"""Run steps on a store in a folder, each in an experiment of its own, and read what they left there.

A step that is finished there is not run again: a benchmark that was interrupted goes on, and no test split is
read twice.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
from mlflow.entities import Run

from starcast.reviews.sources import PROJECT
from starcast.tracking.scored_runs import Predictions, read_answers


@dataclass(frozen=True)
class StepStore:
    """A SQLite store in a folder, which MLflow uses from now on."""

    folder: Path
    minutes: list[float] = field(default_factory=list)  # that each step took, now or earlier

    @classmethod
    def open(cls, folder: Path) -> "StepStore":
        """Use the store of a folder, a new one if there is none."""
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
        os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
        mlflow.set_tracking_uri(os.environ["MLFLOW_TRACKING_URI"])
        return cls(folder)

    def step(self, experiment: str, step: str, options: Mapping[str, str]) -> Run:
        """Return the finished run of a step, such as `study-a`; run it first if there is none.

        Raises:
            SystemExit: it failed.
        """
        wanted = f"tags.step = '{step}'"
        if not (found := self.runs(experiment, wanted)):
            arguments = [f"--{name}={value}" for name, value in options.items()]
            command = [sys.executable, "-m", f"steps.{step.replace('-', '_')}", *arguments]
            print(f"{experiment}: {' '.join(command[1:])}", file=sys.stderr, flush=True)
            named = {"MLFLOW_EXPERIMENT_NAME": experiment, "PYTHONPATH": str(PROJECT)}
            with (self.folder / f"{experiment}.log").open("w", encoding="utf-8") as log:
                subprocess.run(command, cwd=self.folder, env={**os.environ, **named}, stdout=log, stderr=log)
            found = self.runs(experiment, wanted)
        if not found:
            raise SystemExit(f"{experiment}: {step} failed, see {self.folder / experiment}.log")
        _check(found[0], experiment, options)
        self.minutes.append(minutes_of(found[0]))
        return found[0]

    def took(self) -> str:
        """Return the minutes of all steps as a line, which is kept with the tables."""
        return f"steps took {sum(self.minutes):.1f} minutes"

    def runs(self, experiment: str, wanted: str) -> Sequence[Run]:
        """Return the finished runs of an experiment that MLflow's filter finds, the newest first."""
        if (found := mlflow.get_experiment_by_name(experiment)) is None:
            return []
        condition = f"{wanted} and attributes.status = 'FINISHED'"
        return list(mlflow.search_runs([found.experiment_id], condition, output_format="list"))


def _check(run: Run, experiment: str, options: Mapping[str, str]) -> None:
    """Refuse a run that was made with other options than are asked for now.

    Raises:
        SystemExit: it was.
    """
    for name, value in options.items():
        if not _same(there := run.data.params.get(name, value), value):
            raise SystemExit(f"{experiment} is there with {name}={there}, not {value}: give another folder")


def _same(there: str, value: str) -> bool:
    """Return whether two values are one, also if they are numbers that are written otherwise."""
    with suppress(ValueError):
        return float(there) == float(value)
    return there == value


def artifact(run: Run, name: str) -> Path:
    """Return where a file of a run is on this machine."""
    return Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=name))


def answers_of(run: Run) -> Predictions:
    """Return what a run predicted for the test split."""
    return read_answers(artifact(run, "predictions_test.parquet"))


def minutes_of(run: Run) -> float:
    """Return how long a run took."""
    return (run.info.end_time - run.info.start_time) / 60_000
