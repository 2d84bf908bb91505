"""The fits of an experiment, one after the other, each in its own process and child run."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.cli.progress import Progress, clock
from starcast.evaluation import scores
from starcast.evaluation.decision import Decision, RatingShares, decide
from starcast.evaluation.names import COMPARED, DecisionName
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import logged
from starcast.models.sampling import count_ratings, sampling_note
from starcast.reports import files
from starcast.reviews.split import SPLITS
from starcast.tracking import runs
from starcast.workflow.fit_process import FitJob, FitResult, fit_alone
from starcast.workflow.prepare import Prepared


@dataclass(frozen=True)
class ExperimentData:
    """What all fits of an experiment share: splits, the score to compare, decisions (the main one first)."""

    folder: Path
    train_ratings: np.ndarray  # index from 0, as are the others
    validation_ratings: np.ndarray
    test_ratings: np.ndarray
    test_ids: pl.Series
    metric: str
    decisions: Sequence[DecisionName]
    scale: Scale = STARS

    @classmethod
    def read(cls, prepared: Prepared, metric: str, decisions: Sequence[DecisionName]) -> "ExperimentData":
        """Read the splits and log them as inputs of the active run."""
        folder = prepared.folder
        prepared.log_inputs(SPLITS)
        prepared.check_score("metric", metric, SPLITS)
        stored = (pl.read_parquet(folder / f"{split}.parquet", columns=["rating"]) for split in SPLITS)
        train, validation, test = (table["rating"].to_numpy().astype(np.int64) - 1 for table in stored)
        ids = pl.read_parquet(folder / "test.parquet", columns=["review_id"])["review_id"]
        return cls(folder, train, validation, test, ids, metric, decisions, prepared.scale)


@dataclass(frozen=True)
class ScoredFit:
    """A fit: job, run, result, and the predicted test ratings (from 0) under each decision."""

    job: FitJob
    run_id: str
    fitted: FitResult
    predicted: dict[DecisionName, np.ndarray]

    @property
    def kind(self) -> tuple[str, str]:
        """Return the family and the sampling."""
        return self.job.spec.family, self.job.spec.options.sampling


def fit_all(jobs: Sequence[FitJob], data: ExperimentData, step: str) -> Iterator[ScoredFit]:
    """Fit one job after the other, printing each with its score, cost and the time left."""
    progress, ratings, notes = Progress(), data.train_ratings, {}
    for job in jobs:
        counts = count_ratings(ratings if job.rows is None else ratings[job.rows], len(data.scale))
        notes[_sampled(job)] = sampling_note(counts, job.spec.options, data.scale)
    for name, note in notes.items():
        if note:
            print(f"{step}: {name}{note}", flush=True)
    for number, job in enumerate(jobs, start=1):
        name = f"{job.spec.family} {_sampled(job)} seed {job.spec.options.seed}"
        print(f"{step}: [{number}/{len(jobs)}] {name}", flush=True)
        fitting = _fit(job, data, name)
        left = progress.left(number / len(jobs))
        predicted = fitting.predicted[data.decisions[0]]
        probabilities = fitting.fitted.probabilities["test"]
        score = scores.score(data.test_ratings, probabilities, predicted, data.scale)
        cost = f"{clock(fitting.fitted.seconds)}, {fitting.fitted.peak_memory_mb:,.0f} MB"
        print(f"  {data.metric} {score[data.metric]:.4f} in {cost}{left}", flush=True)
        yield fitting


def _sampled(job: FitJob) -> str:
    return job.spec.options.sampling + ("" if job.rows is None else f" {len(job.rows):,} rows")


def _fit(job: FitJob, data: ExperimentData, name: str) -> ScoredFit:
    tags = {"family": job.spec.family, "sampling": job.spec.options.sampling, "role": "fit"}
    asked = {**logged(job.spec), "seed": job.spec.options.seed}
    if job.rows is not None:
        asked["train_reviews"] = len(job.rows)
    with runs.child_run(name, tags, asked) as run_id:
        fitted = fit_alone(job)
        validation = data.validation_ratings, fitted.probabilities["val"]
        shares = RatingShares(fitted.true_shares, fitted.trained_shares)
        decisions = {
            name: decide(name, data.metric, validation, shares, data.scale) for name in data.decisions
        }
        chosen = {decision: rule.choose(fitted.probabilities["test"]) for decision, rule in decisions.items()}
        fitting = ScoredFit(job, run_id, fitted, chosen)
        _log_metrics(fitting, data, decisions[data.decisions[0]])
        _log_files(fitting, data, decisions)
    return fitting


def _log_metrics(fitting: ScoredFit, data: ExperimentData, main: Decision) -> None:
    fitted = fitting.fitted
    for epoch, metrics in enumerate(fitted.curve, start=1):
        runs.log_metrics(metrics, epoch)
    costs = {"fit_seconds": fitted.seconds, "peak_memory_mb": fitted.peak_memory_mb}
    facts = {"best_epoch": fitted.best_epoch, "parameters": fitted.parameters}
    runs.log_metrics({**costs, **facts, "rows_used": int(fitted.class_counts[1].sum())})
    for split, ratings in (("val", data.validation_ratings), ("test", data.test_ratings)):
        probabilities = fitted.probabilities[split]
        scored = scores.score(ratings, probabilities, main.choose(probabilities), data.scale)
        runs.log_metrics({f"{split}_{name}": value for name, value in scored.items()}, len(fitted.curve) + 1)
    for decision, chosen in fitting.predicted.items():
        scored = scores.score(data.test_ratings, fitted.probabilities["test"], chosen, data.scale)
        runs.log_metrics({f"test_{decision}_{name}": scored[name] for name in {*COMPARED, data.metric}})


def _log_files(fitting: ScoredFit, data: ExperimentData, decisions: dict[DecisionName, Decision]) -> None:
    ratings, predicted, scale = data.test_ratings, fitting.predicted[data.decisions[0]], data.scale
    told = {}
    for name, rule in decisions.items():
        matrix = scores.count_matrix(ratings, fitting.predicted[name], len(scale)).tolist()
        told[name] = {**asdict(rule), "confusion_matrix_test": matrix}
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "settings.json", fitting.job.spec.settings)
        files.write_json(folder / "decisions.json", told)
        before, after = fitting.fitted.class_counts
        files.write_class_counts(folder, before, after, scale)
        files.write_split_files(folder, "test", ratings, predicted, scale)
        probabilities = fitting.fitted.probabilities["test"]
        files.write_predictions(folder, "test", data.test_ids, ratings, predicted, probabilities, scale)


def by_kind(fittings: Iterable[ScoredFit]) -> dict[tuple[str, str], list[ScoredFit]]:
    """Group fits by family and sampling, in the order in which they were made."""
    kinds: dict[tuple[str, str], list[ScoredFit]] = {}
    for fitting in fittings:
        kinds.setdefault(fitting.kind, []).append(fitting)
    return kinds
