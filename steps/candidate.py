"""The model a search ends with: fitted once more, evaluated on all three splits, packaged, registered."""

import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from steps.evaluation import figures, files, intervals, scores
from steps.models.catalogue import FAMILIES
from steps.models.corpus import Corpus, Part
from steps.models.family import Fit, Settings, Training
from steps.models.predictor import Predictor
from steps.preprocess import Prepared
from steps.progress import EpochLines
from steps.tracking import packaging, registry, runs
from steps.tracking.recorder import recorder_of

HEADLINE = ("f1_weighted", "f1_macro", "harmonic_recall", "mae")
Answers = dict[str, tuple[np.ndarray, np.ndarray]]  # split -> (true index 0-4, probabilities)


@dataclass(frozen=True)
class Plan:
    """What to fit, and the name to register it under (empty: not at all)."""

    family: str
    settings: Settings
    training: Training
    register_as: str


@dataclass(frozen=True)
class Candidate:
    """What a candidate scored on the test split, and its place in the registry, if it has one."""

    run_id: str
    family: str
    reviews: int
    test: dict[str, float]
    intervals: intervals.Intervals
    registered: registry.Version | None = None

    def summary(self) -> str:
        """The main test scores with their 95% intervals, on how many reviews."""
        shown = []
        for name in HEADLINE:
            low, high = self.intervals[name]
            shown.append(f"{name} {self.test[name]:.3f} ({low:.3f} to {high:.3f})")
        return f"{self.family} on {self.reviews:,} test reviews: {', '.join(shown)}; 95% bootstrap intervals"

    def lines(self) -> list[str]:
        """What to tell the user, ending with what to do next."""
        if self.registered is None:
            return [self.summary(), f"candidate run {self.run_id}, not registered"]
        name, version = self.registered.name, self.registered.version
        return [
            self.summary(),
            f"candidate run {self.run_id} is {name} version {version}, alias {registry.CHALLENGER}",
            f"score a file: mlflow run . -e predict -P model=models:/{name}@{registry.CHALLENGER} -P input=<file>",
        ]


def fit_candidate(run_id: str, prepared: Prepared, plan: Plan) -> Candidate:
    """Fit a candidate on the active run, log everything about it, register it if the plan says so."""
    tables = {"train": prepared.table("train"), "val": prepared.table("validation"), "test": prepared.table("test")}
    prepared.log_inputs({"train": tables["train"], "validation": tables["val"], "test": tables["test"]})
    parts = {split: Part.from_table(table) for split, table in tables.items()}
    fitted, answers = _fit(run_id, plan, parts)
    scored = {split: scores.score(*answer) for split, answer in answers.items()}
    # One step past the last epoch: the model as it was kept, which is that of the best epoch.
    kept = {f"{split}_{name}": value for split, values in scored.items() for name, value in values.items()}
    runs.log_metrics(kept, step=fitted.epochs + 1)
    test_matrix = scores.count_matrix(parts["test"].ratings, answers["test"][1].argmax(axis=1))
    ends = intervals.bootstrap_intervals(test_matrix, plan.training.seed)
    _log_files(plan, answers, ends, {split: table["review_id"] for split, table in tables.items()})
    uri = packaging.log_model(Predictor(plan.family, prepared.cleaner, fitted.model, "title" in tables["train"].columns))
    candidate = Candidate(run_id, plan.family, tables["test"].height, scored["test"], ends)
    return _describe_and_register(candidate, prepared, plan, uri)


def _fit(run_id: str, plan: Plan, parts: dict[str, Part]) -> tuple[Fit, Answers]:
    train, validation = parts["train"], parts["val"]
    print(f"fitting the candidate: {plan.family} on {len(train.ratings):,} reviews", flush=True)
    start = time.monotonic()
    recorder = EpochLines(recorder_of(run_id, validation.ratings), plan.training.epochs)
    fitted = FAMILIES[plan.family].fit(Corpus(train, validation), plan.settings, plan.training, recorder)
    seconds = time.monotonic() - start
    runs.log_metrics({"fit_seconds": seconds, "best_epoch": fitted.best_epoch, "parameters": fitted.model.parameters()})
    probabilities = {"val": fitted.validation_probabilities}
    probabilities |= {split: fitted.model.probabilities(parts[split].texts) for split in ("train", "test")}
    return fitted, {split: (part.ratings, probabilities[split]) for split, part in parts.items()}


def _log_files(plan: Plan, answers: Answers, ends: intervals.Intervals, review_ids: dict[str, pl.Series]) -> None:
    predicted = {split: (ratings, probabilities.argmax(axis=1)) for split, (ratings, probabilities) in answers.items()}
    matrices = {split: scores.count_matrix(*predicted[split]) for split in ("train", "val")}
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "settings.json", plan.settings)
        files.write_json(folder / "intervals_test.json", ends)
        for split, (ratings, probabilities) in answers.items():
            files.write_split_files(folder, split, ratings, probabilities)
            files.write_predictions(folder, split, review_ids[split], ratings, probabilities)
        figures.confusion_figure(matrices).savefig(folder / "confusion_matrices_train_val.png", dpi=90)
        shares = {split: predicted[split] for split in ("val", "test")}
        figures.share_figure(shares).savefig(folder / "rating_shares.png", dpi=90)


def _describe_and_register(candidate: Candidate, prepared: Prepared, plan: Plan, uri: str) -> Candidate:
    settings = ", ".join(f"{name} {value}" for name, value in plan.settings.items())
    description = (
        f"**{candidate.summary()}**\n\n- data: {prepared.report['file']}, preprocessed by run {prepared.run_id}\n"
        f"- settings: {settings}\n- sampling: {plan.training.sampling}\n- candidate run: {candidate.run_id}"
    )
    runs.describe(description, {"role": "candidate", "family": plan.family})
    if not plan.register_as:
        return candidate
    tags = {
        "family": plan.family,
        "data": prepared.report["file"],
        "data_digest": prepared.report["digests"]["file"],
        "test_digest": prepared.report["digests"]["test"],
        **{f"test_{name}": f"{candidate.test[name]:.4f}" for name in HEADLINE},
    }
    return replace(candidate, registered=registry.register_challenger(uri, plan.register_as, description, tags))
