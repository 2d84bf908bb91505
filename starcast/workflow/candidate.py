"""Fit a candidate, evaluate it on all three splits, package and register it."""

import json
import time
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from starcast.cli.errors import UserError
from starcast.cli.progress import Progress
from starcast.evaluation import intervals, scores
from starcast.evaluation.answer_rule import Answers, FittedRule, fit_rule
from starcast.evaluation.decision import RatingShares, decision_text
from starcast.evaluation.names import HEADLINE, PREFIXES
from starcast.evaluation.resampling import SEED, Estimate, Intervals, bootstrap_intervals
from starcast.evaluation.scale import Scale
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit, answers_of
from starcast.models.ensemble import FittedEnsemble
from starcast.models.epoch_lines import EpochLines
from starcast.models.family import Fit, FittedModel, settings_text
from starcast.models.fit_report import NoCurve
from starcast.models.predictor import Predictor
from starcast.models.sampling import count_ratings, effective_shares, sampling_note
from starcast.reports import files
from starcast.reviews.parquet import schema_of
from starcast.reviews.split import SPLITS
from starcast.tracking import artifacts, commands, history, packaging, registry, runs, store
from starcast.tracking.access import DAMAGED, explained
from starcast.tracking.lineage import Input
from starcast.tracking.logged_model import LoggedModel
from starcast.tracking.scored_runs import read_matrix
from starcast.workflow.fit_parameters import CandidatePlan
from starcast.workflow.log_errors import AnswersOnSplit, log_errors
from starcast.workflow.log_files import log_files
from starcast.workflow.log_probabilities import log_probabilities
from starcast.workflow.log_words import log_words
from starcast.workflow.model_card import CARD, log_card
from starcast.workflow.prepare import Prepared

EXAMPLE = "Lovely colour, but it runs small"  # a review, in a command that uses the model


class CandidateAnswers(NamedTuple):
    """The rule fitted on validation, its answers by split, and raw test probabilities (reviews, labels)."""

    rule: FittedRule
    splits: dict[str, Answers]
    uncalibrated: np.ndarray


@dataclass(frozen=True)
class Candidate:
    """A candidate's test scores with 95% confidence intervals, and its registered version, if any."""

    run_id: str
    family: str
    reviews: int
    test: dict[str, float]
    intervals: Intervals
    registered: registry.Version | None = None
    left_out: str = ""

    def summary(self) -> str:
        """Return the main test scores with their 95% confidence intervals as a sentence."""
        shown = []
        for name in HEADLINE:
            low, high = self.intervals[name]
            shown.append(f"{name} {self.test[name]:.3f} ({low:.3f} to {high:.3f})")
        said = f"{self.family} on {self.reviews:,} test reviews: {', '.join(shown)}; 95% bootstrap intervals"
        return f"{said}; {self.left_out}" if self.left_out else said

    @property
    def answer(self) -> str:
        """Return it as in the names of runs, with its first score: `gru_1 0.653 (0.61-0.69) v3`."""
        score = Estimate(self.test[HEADLINE[0]], *self.intervals[HEADLINE[0]])
        version = f" v{self.registered.version}" if self.registered else ""
        return f"{self.family} {score.short}{version}"

    def headline(self) -> dict[str, float]:
        """Return the main test scores, as metrics of the runs above its own."""
        return {f"test_{name}": self.test[name] for name in HEADLINE}

    def lines(self) -> list[str]:
        """Return the answer, and the run with its version, to print."""
        if self.registered is None:
            return [self.summary(), f"candidate run {self.run_id}, not registered"]
        name, version, called = self.registered.name, self.registered.version, self.registered.called
        return [
            self.summary(),
            f"candidate run {self.run_id} is {name} version {version}{', ' if called else ''}{called}",
        ]

    def next_line(self) -> str:
        """Return the next command, and what it does, to print."""
        if self.registered is None:
            return f"register it: {self.next_command()}"
        return (
            f"judge it against the champion: {commands.command_line('promote', model=self.registered.name)}"
        )

    def next_command(self) -> str:
        """Return the command that uses the model or, if it is not registered, the one that registers it."""
        if self.registered is None:
            return commands.command_line("train", from_run=self.run_id, register="true")
        return commands.command_line("predict", model=self.registered.uri, text=EXAMPLE)


def candidate_of(trial_id: str) -> Candidate | None:
    """Return the candidate that an earlier process fitted with the settings of a trial, if it did."""
    run = history.candidate_of(trial_id)
    if run is None:
        return None
    run_id, metrics = run.info.run_id, run.data.metrics
    try:
        with explained(f"candidate {run_id} is damaged ({{reason}})", *DAMAGED):
            ends = json.loads(artifacts.fetch(run_id, "intervals_test.json").read_text(encoding="utf-8"))
            matrix, scale = read_matrix(artifacts.fetch(run_id, "confusion_matrix_test.json"))
            test = {name: metrics[f"test_{name}"] for name in HEADLINE}
            absent, reviews = scores.left_out(matrix.sum(axis=1), scale), int(matrix.sum())
            known = Candidate(run_id, run.data.tags["family"], reviews, test, ends, left_out=absent)
            known.summary()
    except UserError as why:
        print(f"tune: {why}: it is fitted again", flush=True)
        return None
    return replace(known, registered=registry.version_of(run_id))


def fit_candidate(
    run_id: str, prepared: Prepared, plan: CandidatePlan, done: tuple[Fit, float] | None = None
) -> Candidate:
    """Fit a candidate on the active run, log everything about it, and register it if the plan says so.

    Args:
        done: the fit and its seconds, where it is made already.
    """
    inputs = dict(zip(PREFIXES, prepared.log_inputs(SPLITS).values(), strict=True))
    stored = dict(zip(PREFIXES, map(prepared.split, SPLITS), strict=True))
    splits = {name: CorpusSplit.stored(file) for name, file in stored.items()}
    checkpoints, family, seed = artifacts.RunCheckpoints(run_id), plan.spec.family, plan.spec.options.seed
    scale = prepared.scale
    prepared.check_score("decision_metric", plan.decision_metric)
    facts = family_named(family).facts(plan.spec.settings)
    runs.log_parameters({name: str(value) for name, value in facts.items()})
    fitted, seconds = done or _fit(run_id, plan, splits, checkpoints, scale)
    answered = _answer(plan, splits, fitted, scale)
    answers, test = answered.splits, answered.splits["test"]
    rule = answered.rule.rule
    predictor = Predictor(
        family,
        prepared.cleaner,
        fitted.model,
        uses_title="title" in schema_of(stored["train"]),
        decision=rule.decision,
        columns=prepared.columns,
        scale=scale,
        calibration=rule.calibration,
        threshold=rule.threshold,
    )
    # The scores of the model as kept (that of the best epoch, with its decision) come after the last epoch's.
    after = fitted.epochs * family_named(family).reports + 1
    logged = packaging.log_model(predictor, f"{family} on {prepared.report['file']}", after)
    scored = _log_scores(answers, logged, inputs, scale)
    _log_costs(plan, fitted, seconds)
    auc = intervals.auc_interval(test.ratings, [test.probabilities], SEED)
    ends = {**bootstrap_intervals(test.matrix, scale=scale), "auc": (auc.low, auc.high)}
    ends |= intervals.probability_intervals(*test, SEED)
    log_files(plan, answers, ends, stored, fitted.trained_on, scale)
    told = _log_shares(fitted.model)
    told += log_probabilities(answered.rule, test, answered.uncalibrated, scale)
    held_out = AnswersOnSplit(answered.rule.held_out, stored["val"])
    told += log_errors(AnswersOnSplit(test, stored["test"]), held_out, ends["accuracy"], seed, scale)
    print(*told, sep="\n", flush=True)
    log_words(predictor, test.ratings, stored["test"], seed)
    checkpoints.remove()
    absent = scores.left_out(test.matrix.sum(axis=1), scale)
    candidate = Candidate(run_id, family, len(test.ratings), scored["test"], ends, left_out=absent)
    return _describe_and_register(candidate, prepared, plan, logged, told)


def _log_shares(model: FittedModel) -> list[str]:
    """Log the shares of an ensemble's members and return them as a line; none for any other model."""
    if not isinstance(model, FittedEnsemble):
        return []
    with runs.artifacts_of_run() as folder:
        files.write_json(folder / "ensemble.json", {"shares": model.shares()})
    text = ", ".join(f"{name} {share:.0%}" for name, share in model.shares().items())
    return [f"the ensemble's members: {text}"]


def _fit(
    run_id: str,
    plan: CandidatePlan,
    splits: dict[str, CorpusSplit],
    checkpoints: artifacts.RunCheckpoints,
    scale: Scale,
) -> tuple[Fit, float]:
    """Return the fit and its seconds."""
    spec, options, train, validation = plan.spec, plan.spec.options, splits["train"], splits["val"]
    note = sampling_note(count_ratings(train.ratings, len(scale)), options, scale)
    what = f"{spec.family} on {len(train.ratings):,} reviews, sampling {options.sampling}{note}"
    print(f"fitting the candidate: {what}", flush=True)
    start = time.monotonic()
    family, logs = family_named(spec.family), artifacts.RunRecorder(run_id, validation.ratings, scale)
    recorder = EpochLines(logs, options.epochs, family.reports) if family.iterative else NoCurve()
    corpus = Corpus(train, validation, show=Progress().show, scale=scale)
    try:
        fitted = family.fit(corpus, spec, recorder, checkpoints)
    except FloatingPointError as error:
        raise UserError(f"{spec.family}: {error}; give a lower learning_rate") from None
    return fitted, time.monotonic() - start


def _answer(
    plan: CandidatePlan, splits: dict[str, CorpusSplit], fitted: Fit, scale: Scale
) -> CandidateAnswers:
    """Fit calibration, decision and threshold on the validation set, and predict all splits with them."""
    shares = RatingShares(
        true=effective_shares(splits["train"].ratings, "none", len(scale)),
        trained=effective_shares(fitted.trained_on, plan.spec.options.sampling, len(scale)),
    )
    known, show, answers, raw = fitted.validation_probabilities, Progress().show, {}, {}
    validation = splits["val"].ratings, known
    decided, seed = (plan.decision, plan.decision_metric), plan.spec.options.seed
    fitted_rule = fit_rule(validation, shares, decided, plan.review_accuracy, seed, scale)
    reads = family_named(plan.spec.family).reads
    for name, split in splits.items():
        raw[name] = known if name == "val" else answers_of(fitted.model, split.texts_read(reads), show)
        calibrated = fitted_rule.rule.calibration.apply(raw[name])
        answers[name] = Answers(split.ratings, fitted_rule.rule.decision.choose(calibrated), calibrated)
    return CandidateAnswers(fitted_rule, answers, raw["test"])


def _log_scores(
    answers: dict[str, Answers], logged: LoggedModel, inputs: dict[str, Input], scale: Scale
) -> dict[str, dict[str, float]]:
    """Log all scores of all splits, the test split's first: MLflow lists metrics in this order."""
    scored, most_probable = {}, dict[str, float]()
    for split in reversed(PREFIXES):
        answer = answers[split]
        scored[split] = scores.score(answer.ratings, answer.probabilities, answer.predicted, scale)
        logged.log_scores(split, scored[split], inputs[split])
        matrix = scores.count_matrix(answer.ratings, answer.probabilities.argmax(axis=1), len(scale))
        argmax = scores.matrix_scores(matrix, scale)
        most_probable |= {f"{split}_argmax_{name}": float(argmax[name]) for name in HEADLINE}
    runs.log_metrics(most_probable)
    return scored


def _log_costs(plan: CandidatePlan, fitted: Fit, seconds: float) -> None:
    costs = {"fit_seconds": seconds, "parameters": fitted.model.parameters()}
    if family_named(plan.spec.family).iterative:
        costs["best_epoch"] = fitted.best_epoch
    runs.log_metrics(costs)


def _describe_and_register(
    candidate: Candidate, prepared: Prepared, plan: CandidatePlan, logged: LoggedModel, told: list[str]
) -> Candidate:
    matrix, card = (store.page_within(candidate.run_id, name) for name in ("confusion_matrix_test.png", CARD))
    facts = {
        "repeat it": f"`{commands.command_line('reproduce', run=candidate.run_id)}`",
        "candidate run": f"{_link(candidate.run_id)}, its [confusion matrix]({matrix}), [model card]({card})",
        "data": f"{prepared.report['file']}, preprocessed by {_link(prepared.run_id)}",
        "settings": settings_text(plan.spec.settings),
        "sampling": plan.spec.options.sampling,
        "decision": decision_text(plan.decision, plan.decision_metric),
        "probabilities and errors": "; ".join(told),
    }
    lines = [f"{candidate.summary()}.\n", *(f"- {name}: {fact}" for name, fact in facts.items())]
    description, kind = "\n".join(lines), {"family": plan.spec.family, "sampling": plan.spec.options.sampling}
    runs.describe(description, {"role": "candidate", **kind})
    logged.describe(description, {**kind, "data": prepared.report["file"]})
    log_card(candidate.run_id, prepared, facts)
    if not plan.register_as:
        return candidate
    tags = {
        "family": plan.spec.family,
        "data": prepared.report["file"],
        "data_digest": prepared.report["digests"]["file"],
        "test_digest": prepared.report["digests"]["test"],
        **{f"test_{name}": f"{candidate.test[name]:.4f}" for name in HEADLINE},
    }
    runs.check_own()
    version = registry.register_challenger(logged.uri, plan.register_as, description, tags)
    return replace(candidate, registered=version)


def _link(run_id: str) -> str:
    return f"[run `{run_id}`]({store.page_within(run_id)})"
