"""The model a search ends with: fitted once more, evaluated on all three splits, packaged, registered."""

import time
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from starcast.cli.progress import WorkLines
from starcast.evaluation import intervals, scores
from starcast.evaluation.decision import Decision, DecisionData, decide, decision_text
from starcast.models.catalogue import FAMILIES
from starcast.models.corpus import Corpus, CorpusSplit, answers_of
from starcast.models.family import Fit, settings_text
from starcast.models.predictor import Predictor
from starcast.models.progress import EpochLines
from starcast.models.sampling import count_ratings, effective_shares, sampling_note
from starcast.reports import figures, files
from starcast.reviews.parquet import schema_of
from starcast.reviews.split import SPLITS
from starcast.tracking import artifacts, packaging, registry, runs, server
from starcast.tracking.recorder import recorder_of
from starcast.workflow.fit_parameters import CandidatePlan
from starcast.workflow.prepare import Prepared

HEADLINE = ("f1_weighted", "f1_macro", "harmonic_recall", "mae")


@dataclass(frozen=True)
class SplitAnswers:
    """What a model says of a split: true and chosen ratings as index 0-4, probabilities of shape (reviews, 5)."""

    ratings: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """Confusion matrix, counts."""
        return scores.count_matrix(self.ratings, self.predicted)


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
            f"hold it against the champion: mlflow run . -e promote -P model={name}",
            f"score a file: {self.next_command()}",
        ]

    def next_command(self) -> str:
        """What to do with the model; without a place in the registry, how to get one."""
        if self.registered is None:
            return f"mlflow run . -e train -P from_run={self.run_id} -P register=true"
        return f"mlflow run . -e predict -P model=models:/{self.registered.name}@{registry.CHALLENGER} -P input=<file>"


def fit_candidate(run_id: str, prepared: Prepared, plan: CandidatePlan) -> Candidate:
    """Fit a candidate on the active run, log everything about it, register it if the plan says so."""
    prepared.log_inputs(SPLITS)
    files = {
        short: prepared.split(name) for short, name in zip(("train", "val", "test"), SPLITS, strict=True)
    }
    parts = {split: CorpusSplit.stored(file) for split, file in files.items()}
    kept = artifacts.RunCheckpoints(run_id)
    fitted = _fit(run_id, plan, parts["train"], parts["val"], kept)
    decision = _decide(plan, parts, fitted)
    answers = _answers(parts, fitted, decision)
    scored = _log_scores(answers, fitted.epochs + 1)
    ends = _intervals(answers["test"], plan.spec.options.seed)
    _log_files(
        plan,
        answers,
        ends,
        {split: pl.read_parquet(file, columns=["review_id"]) for split, file in files.items()},
    )
    _log_class_counts(parts["train"], fitted)
    uses_title = "title" in schema_of(files["train"])
    uri = packaging.log_model(
        Predictor(plan.spec.family, prepared.cleaner, fitted.model, uses_title, decision)
    )
    kept.remove()
    candidate = Candidate(run_id, plan.spec.family, len(parts["test"].ratings), scored["test"], ends)
    return _describe_and_register(candidate, prepared, plan, uri)


def _fit(
    run_id: str,
    plan: CandidatePlan,
    train: CorpusSplit,
    validation: CorpusSplit,
    kept: artifacts.RunCheckpoints,
) -> Fit:
    spec, options = plan.spec, plan.spec.options
    note = sampling_note(count_ratings(train.ratings), options)
    what = f"{spec.family} on {len(train.ratings):,} reviews, sampling {options.sampling}{note}"
    print(f"fitting the candidate: {what}", flush=True)
    start = time.monotonic()
    recorder = EpochLines(recorder_of(run_id, validation.ratings), options.epochs)
    corpus = Corpus(train, validation, show=WorkLines().show)
    fitted = FAMILIES[spec.family].fit(corpus, spec.settings, options, recorder, kept)
    seconds = time.monotonic() - start
    runs.log_metrics(
        {"fit_seconds": seconds, "best_epoch": fitted.best_epoch, "parameters": fitted.model.parameters()}
    )
    return fitted


def _decide(plan: CandidatePlan, parts: dict[str, CorpusSplit], fitted: Fit) -> Decision:
    true_shares = effective_shares(parts["train"].ratings, "none")
    trained_shares = effective_shares(fitted.trained_on, plan.spec.options.sampling)
    seen = DecisionData(parts["val"].ratings, fitted.validation_probabilities, true_shares, trained_shares)
    return decide(plan.decision, plan.decision_metric, seen)


def _answers(parts: dict[str, CorpusSplit], fitted: Fit, decision: Decision) -> dict[str, SplitAnswers]:
    show = WorkLines().show
    probabilities = {split: answers_of(fitted.model, parts[split].texts, show) for split in ("train", "test")}
    probabilities["val"] = fitted.validation_probabilities
    predicted = {split: decision.choose(values) for split, values in probabilities.items()}
    return {
        split: SplitAnswers(part.ratings, predicted[split], probabilities[split])
        for split, part in parts.items()
    }


def _log_scores(answers: dict[str, SplitAnswers], step: int) -> dict[str, dict[str, float]]:
    # One step past the last epoch: the model as it was kept, which is that of the best epoch, with its decision.
    scored = {
        split: scores.score(answer.ratings, answer.probabilities, answer.predicted)
        for split, answer in answers.items()
    }
    for split, answer in answers.items():
        runs.log_metrics({f"{split}_{name}": value for name, value in scored[split].items()}, step)
        most_probable = scores.score(answer.ratings, answer.probabilities)
        runs.log_metrics({f"{split}_argmax_{name}": most_probable[name] for name in HEADLINE})
    return scored


def _intervals(test: SplitAnswers, seed: int) -> intervals.Intervals:
    auc = intervals.auc_interval(test.ratings, [test.probabilities], seed)
    return {**intervals.bootstrap_intervals(test.matrix, seed), "auc": (auc.low, auc.high)}


def _log_files(
    plan: CandidatePlan,
    answers: dict[str, SplitAnswers],
    ends: intervals.Intervals,
    ids: dict[str, pl.DataFrame],
) -> None:
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "settings.json", plan.spec.settings)
        files.write_json(folder / "intervals_test.json", ends)
        for split, answer in answers.items():
            files.write_split_files(folder, split, answer.ratings, answer.predicted)
            files.write_predictions(
                folder, split, ids[split]["review_id"], answer.ratings, answer.predicted, answer.probabilities
            )
        matrices = {split: answers[split].matrix for split in ("train", "val")}
        figures.confusion_figure(matrices).savefig(folder / "confusion_matrices_train_val.png", dpi=90)
        shares = {split: (answers[split].ratings, answers[split].predicted) for split in ("val", "test")}
        figures.share_figure(shares).savefig(folder / "rating_shares.png", dpi=90)


def _log_class_counts(train: CorpusSplit, fitted: Fit) -> None:
    runs.log_metrics({"rows_used": len(fitted.trained_on)})
    with runs.artifacts_of_run() as folder:
        files.write_class_counts(folder, count_ratings(train.ratings), count_ratings(fitted.trained_on))


def _describe_and_register(
    candidate: Candidate, prepared: Prepared, plan: CandidatePlan, uri: str
) -> Candidate:
    matrix = server.page_within(candidate.run_id, "confusion_matrix_test.png")
    facts = {
        "repeat it": f"`mlflow run . -e reproduce -P run={candidate.run_id}`",
        "candidate run": f"{_link(candidate.run_id)}, its [confusion matrix]({matrix})",
        "data": f"{prepared.report['file']}, preprocessed by {_link(prepared.run_id)}",
        "settings": settings_text(plan.spec.settings),
        "sampling": plan.spec.options.sampling,
        "decision": decision_text(plan.decision, plan.decision_metric),
    }
    description = "\n".join(
        [f"{candidate.summary()}.\n", *(f"- {name}: {fact}" for name, fact in facts.items())]
    )
    runs.describe(
        description, {"role": "candidate", "family": plan.spec.family, "sampling": plan.spec.options.sampling}
    )
    if not plan.register_as:
        return candidate
    tags = {
        "family": plan.spec.family,
        "data": prepared.report["file"],
        "data_digest": prepared.report["digests"]["file"],
        "test_digest": prepared.report["digests"]["test"],
        **{f"test_{name}": f"{candidate.test[name]:.4f}" for name in HEADLINE},
    }
    return replace(
        candidate, registered=registry.register_challenger(uri, plan.register_as, description, tags)
    )


def _link(run_id: str) -> str:
    return f"[run `{run_id}`]({server.page_within(run_id)})"
