"""The training of one trial, with a family that fits nothing, over a real pipe."""

import errno
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from starcast.evaluation.scores import multilabel_auc, val_scores
from starcast.models.catalogue import FAMILIES
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Fit, FitOptions, ModelSpec, Recorder
from starcast.models.fit_report import FitReport
from starcast.models.kept_fit import kept_fit
from starcast.models.linear_families import LOGISTIC_REGRESSION
from starcast.models.space import Settings
from starcast.search.loop import Done, Event, Failed, Reported
from starcast.search.trial_worker import TrialOptions, train_trial, work
from starcast.search.trials import Objective, Proposal

RATINGS = np.array([0, 1, 2, 3, 4, 4, 4, 3])
TEXTS = pl.Series("cleaned", [f"word{i % 3} dress" for i in range(len(RATINGS))])
CORPUS = Corpus(CorpusSplit(TEXTS, RATINGS), CorpusSplit(TEXTS, RATINGS))
TRAINING = TrialOptions(
    Path("unused"),
    Objective("val_auc", lower_is_better=False),
    FitOptions(sampling="none", epochs=3, batch_size=128, seed=42, schedule="linear"),
    executions=1,
    prunes=True,
)
SPARE = [False] * 4


def probabilities(seed: int, epoch: int = 0) -> np.ndarray:
    drawn = np.random.default_rng([seed, epoch]).random((len(RATINGS), 5)) + 0.01
    return drawn / drawn.sum(axis=1, keepdims=True)


@dataclass
class FakeFamily:
    """Reports made-up probabilities, which depend on seed and epoch; raises where it is told to."""

    name: str = "fake"
    sampling: str = "class_weight"
    iterative: bool = True
    reports: int = 1
    error: Exception | None = None
    raises_at: int = 0
    fitted: list[tuple[Settings, FitOptions]] = field(default_factory=list)
    rows: np.ndarray = field(
        default_factory=lambda: np.repeat(np.arange(5), 4)
    )  # learned from, whatever was there

    def check_sampling(self, sampling: str) -> str:
        return self.sampling if sampling == "default" else sampling

    def facts(self, settings: Settings) -> Settings:
        return {}

    def fit(self, corpus: Corpus, spec: ModelSpec, recorder: Recorder) -> Fit:
        options = spec.options
        self.fitted.append((spec.settings, options))
        for epoch in range(1, options.epochs + 1):
            if self.error and epoch >= self.raises_at:
                raise self.error
            recorder.report(FitReport(epoch, {"train_loss": 1 / epoch}, probabilities(options.seed, epoch)))
        model = SimpleNamespace(parameters=lambda: 7)
        return Fit(model, probabilities(options.seed), options.epochs, options.seed % 10, self.rows)


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> FakeFamily:
    made = FakeFamily()
    monkeypatch.setitem(FAMILIES, "fake", made)
    return made


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = Pipe()
    with ours, theirs:
        yield ours, theirs


def train(
    training: TrialOptions,
    ends: tuple[Connection, Connection],
    *answers: bool,
    proposal: Proposal | None = None,
) -> tuple[Event, list[Reported], list[int]]:
    """Train one trial: how it ended, its epochs, and the memory that was sent with each.

    All answers lie ready, and some to spare, which must be left: a trial that asks once more does not block.
    """
    ours, theirs = ends
    for answer in (*answers, *SPARE):
        ours.send(answer)
    ended = train_trial(training, CORPUS, proposal or Proposal(3, "fake", {"x": 1}), theirs)
    epochs, memories = [], []
    while ours.poll():
        event, memory = ours.recv()
        epochs.append(event)
        memories.append(memory)
    left = []
    while theirs.poll():
        left.append(theirs.recv())
    assert left == SPARE or not isinstance(ended, Done)
    return ended, epochs, memories


def test_every_epoch_is_sent_with_its_scores_and_the_memory_held(family: FakeFamily, pipe: tuple) -> None:
    ended, epochs, memories = train(TRAINING, pipe, True, True)
    assert [(e.number, e.report, e.waits) for e in epochs] == [(3, 1, True), (3, 2, True), (3, 3, False)]
    for each in epochs:
        assert each.metrics == {
            "train_loss": 1 / each.report,
            **val_scores(RATINGS, probabilities(42, each.report)),
        }
    assert all(memory > 10**7 for memory in memories)
    assert isinstance(ended, Done)


def test_the_weights_kept_are_scored_and_not_the_last_epoch_s(family: FakeFamily, pipe: tuple) -> None:
    ended, *_ = train(TRAINING, pipe, True, True)
    assert isinstance(ended, Done)
    assert ended.number == 3
    assert ended.metrics == pytest.approx(val_scores(RATINGS, probabilities(42)))
    assert ended.result
    facts = dict(ended.result.facts)
    assert facts.pop("worker_memory_mb") > 1
    assert facts == {"best_epoch": 2.0, "epochs_run": 3.0, "parameters": 7.0, "rows_used": 20.0}
    assert ended.result.further_curves == []
    (predicted,) = ended.result.predicted
    assert predicted.tolist() == probabilities(42).argmax(axis=1).tolist()


def test_rows_per_rating_are_counted_before_and_after_sampling(family: FakeFamily, pipe: tuple) -> None:
    ended, *_ = train(TRAINING, pipe, True, True)
    assert isinstance(ended, Done)
    assert ended.result
    assert ended.result.class_counts.tolist() == [[1, 1, 1, 2, 3], [4] * 5]


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_stopped_trial_ends_without_a_result(family: FakeFamily, pipe: tuple, epoch: int) -> None:
    ended, epochs, _ = train(TRAINING, pipe, *[True] * (epoch - 1), False)
    assert len(epochs) == epoch
    assert ended == Done(3, epochs[-1].metrics, None)


def test_without_a_pruner_no_epoch_waits(family: FakeFamily, pipe: tuple) -> None:
    ended, epochs, _ = train(replace(TRAINING, prunes=False), pipe)
    assert [each.waits for each in epochs] == [False] * 3
    assert isinstance(ended, Done)
    assert ended.result


def test_a_single_epoch_is_the_last_and_waits_for_nothing(family: FakeFamily, pipe: tuple) -> None:
    family.iterative = False
    ended, epochs, _ = train(TRAINING, pipe)
    assert [(each.report, each.waits) for each in epochs] == [(1, False)]
    assert isinstance(ended, Done)


def test_a_proposal_s_own_epochs_count(family: FakeFamily, pipe: tuple) -> None:
    _, epochs, _ = train(TRAINING, pipe, True, proposal=Proposal(3, "fake", {}, epochs=2))
    assert [(each.report, each.waits) for each in epochs] == [(1, True), (2, False)]
    assert family.fitted[0][1].patience == family.fitted[0][1].epochs == 2


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("no such thing\nand more"), "ValueError: no such thing"),
        (FloatingPointError("not finite"), "FloatingPointError: not finite"),
        (RuntimeError(), "RuntimeError: "),
        (MemoryError("too big"), "MemoryError: too big"),
    ],
)
def test_what_a_family_raises_is_a_failure_with_one_line_and_its_traceback(
    family: FakeFamily, pipe: tuple, error: Exception, reason: str
) -> None:
    family.error, family.raises_at = error, 2
    ended, epochs, _ = train(TRAINING, pipe, True, True)
    assert len(epochs) == 1
    assert isinstance(ended, Failed)
    assert (ended.number, ended.reason) == (3, reason)
    assert ended.traceback.startswith("Traceback")
    assert "in fit" in ended.traceback


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/x"), True),
        (RuntimeError("can't start new thread"), True),
        (MemoryError(), False),
        (OSError(errno.ENOENT, "No such file or directory", "/tmp/x"), False),
    ],
    ids=["no room", "no thread", "no memory", "no file"],
)
def test_what_every_trial_would_be_refused_ends_the_search(
    family: FakeFamily, pipe: tuple, error: Exception, ends: bool
) -> None:
    family.error, family.raises_at = error, 2
    ended, *_ = train(TRAINING, pipe, True, True)
    assert isinstance(ended, Failed)
    assert ended.ends_search == ends


def test_an_interrupt_is_no_failure_of_the_trial(family: FakeFamily, pipe: tuple) -> None:
    family.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        train(TRAINING, pipe)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_an_objective_that_is_not_a_number_is_a_failure(family: FakeFamily, pipe: tuple) -> None:
    one_class = CorpusSplit(TEXTS, np.full(len(RATINGS), 4))
    for objective, fails in (("val_auc", True), ("val_accuracy", False)):
        training = replace(TRAINING, objective=Objective(objective, lower_is_better=False), prunes=False)
        ended = train_trial(training, Corpus(one_class, one_class), Proposal(1, "fake", {}), pipe[1])
        assert isinstance(ended, Failed) == fails
        if isinstance(ended, Failed):
            assert ended.reason == "ArithmeticError: val_auc is not a number on this validation split"
    assert all(math.isfinite(event.metrics["val_accuracy"]) for event, _ in iter_sent(pipe[0]))


def iter_sent(pipe: Connection) -> Iterator[tuple[Reported, int]]:
    while pipe.poll():
        yield pipe.recv()


def test_executions_count_up_their_seeds_and_only_the_first_reports(family: FakeFamily, pipe: tuple) -> None:
    ended, epochs, _ = train(replace(TRAINING, executions=3), pipe, True, True)
    assert [how.seed for _, how in family.fitted] == [42, 43, 44]
    assert [each.report for each in epochs] == [1, 2, 3]
    assert isinstance(ended, Done)
    assert ended.result
    curves = ended.result.further_curves
    assert [epoch for epoch, _ in curves] == [1, 2, 3, 1, 2, 3]
    for (epoch, scores), execution in zip(curves, (2, 2, 2, 3, 3, 3), strict=True):
        expected = {"train_loss": 1 / epoch, **val_scores(RATINGS, probabilities(41 + execution, epoch))}
        assert scores == {f"execution_{execution}/{name}": value for name, value in expected.items()}


def test_executions_pool_their_answers_and_average_their_aucs(family: FakeFamily, pipe: tuple) -> None:
    ended, *_ = train(replace(TRAINING, executions=3), pipe, True, True)
    assert isinstance(ended, Done)
    assert ended.result
    every = [probabilities(seed) for seed in (42, 43, 44)]
    pooled = val_scores(np.tile(RATINGS, 3), np.concatenate(every))
    mean = float(np.mean([multilabel_auc(RATINGS, values) for values in every]))
    assert abs(pooled["val_auc"] - mean) > 1e-6  # else nothing is told apart
    assert ended.metrics == pytest.approx({**pooled, "val_auc": mean})
    assert [each.tolist() for each in ended.result.predicted] == [
        values.argmax(axis=1).tolist() for values in every
    ]
    facts = dict(ended.result.facts)
    assert facts.pop("worker_memory_mb") > 1
    assert facts == {"best_epoch": 3.0, "epochs_run": 9.0, "parameters": 7.0, "rows_used": 20.0}


def test_the_first_execution_alone_can_be_stopped(family: FakeFamily, pipe: tuple) -> None:
    ended, epochs, _ = train(replace(TRAINING, executions=3), pipe, False)
    assert len(family.fitted) == len(epochs) == 1
    assert ended == Done(3, epochs[0].metrics, None)


def test_a_failure_of_a_further_execution_is_the_trial_s(family: FakeFamily, pipe: tuple) -> None:
    first = family.fit

    def fit(corpus: Corpus, spec: ModelSpec, recorder: Recorder) -> Fit:
        if spec.options.seed == 43:
            raise ValueError("the second one")
        return first(corpus, spec, recorder)

    family.fit = fit  # type: ignore[method-assign]
    ended, epochs, _ = train(replace(TRAINING, executions=2), pipe, True, True)
    assert len(epochs) == 3
    assert isinstance(ended, Failed)
    assert ended.reason == "ValueError: the second one"


def test_sampling_and_batch_size_of_the_settings_go_before_those_of_the_search(
    family: FakeFamily, pipe: tuple
) -> None:
    proposal = Proposal(1, "fake", {"x": 1, "sampling": "class_weight", "batch_size": 32})
    train(TRAINING, pipe, True, True, proposal=proposal)
    options = replace(TRAINING.options, sampling="class_weight", batch_size=32, patience=3)
    assert family.fitted == [({"x": 1}, options)]


@pytest.mark.parametrize(
    ("sampling", "meant"), [("none", "none"), ("class_weight", "class_weight"), ("default", "class_weight")]
)
def test_the_search_s_sampling_holds_elsewhere_and_default_is_the_family_s(
    family: FakeFamily, sampling: str, meant: str
) -> None:
    trials = replace(TRAINING, options=replace(TRAINING.options, sampling=sampling))
    assert trials.spec(Proposal(1, "fake", {})).options == replace(trials.options, sampling=meant, patience=3)


def test_a_family_without_epochs_is_fitted_in_one(family: FakeFamily) -> None:
    family.iterative = False
    assert TRAINING.spec(Proposal(1, "fake", {}, epochs=2)).options.epochs == 1


def test_parameters_are_family_settings_and_how_they_were_fitted(family: FakeFamily) -> None:
    proposal = Proposal(1, "fake", {"x": 1, "sampling": "class_weight", "batch_size": 32}, epochs=2)
    assert replace(TRAINING, executions=2).parameters(proposal) == {
        "family": "fake",
        "x": 1,
        "sampling": "class_weight",
        "batch_size": 32,
        "schedule": "linear",
        "epochs": 2,
        "executions": 2,
    }


def test_a_worker_opens_the_corpus_trains_what_comes_and_ends_with_the_pipe(
    family: FakeFamily, pipe: tuple, tmp_path: Path
) -> None:
    CORPUS.save(tmp_path)
    ours, theirs = pipe
    worker = threading.Thread(target=work, args=(theirs,))
    worker.start()
    options = replace(TRAINING.options, epochs=1)
    ours.send(replace(TRAINING, folder=tmp_path, prunes=False, options=options))
    ended = []
    for number in (1, 2):
        ours.send(Proposal(number, "fake", {"x": number}))
        event, memory = next(sent for sent in iter(ours.recv, None) if isinstance(sent[0], Done))
        ended.append(event.number)
        assert memory > 10**7
    ours.close()
    worker.join(30)
    assert not worker.is_alive()
    assert ended == [1, 2]
    assert [settings for settings, _ in family.fitted] == [{"x": 1}, {"x": 2}]


def test_a_worker_whose_search_goes_away_while_it_waits_ends_too(
    family: FakeFamily, pipe: tuple, tmp_path: Path
) -> None:
    CORPUS.save(tmp_path)
    ours, theirs = pipe
    worker = threading.Thread(target=work, args=(theirs,))
    worker.start()
    ours.send(replace(TRAINING, folder=tmp_path))
    ours.send(Proposal(1, "fake", {}))
    assert isinstance(ours.recv()[0], Reported)
    ours.close()
    worker.join(30)
    assert not worker.is_alive()


@pytest.mark.parametrize(("worth", "executions", "kept"), [(0.0, 1, True), (60.0, 1, False), (0.0, 2, False)])
def test_a_long_fit_is_kept_with_its_curve(
    pipe: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth: float, executions: int, kept: bool
) -> None:
    monkeypatch.setattr("starcast.search.trial_worker.WORTH_KEEPING", worth)
    training = replace(TRAINING, keeps=tmp_path, executions=executions)
    proposal = Proposal(3, "logistic_regression", {**LOGISTIC_REGRESSION.published, "ngrams": 1})
    ended, epochs, _ = train(training, pipe, proposal=proposal)
    assert isinstance(ended, Done)
    found = kept_fit(tmp_path / "3", training.spec(proposal), 5)
    assert bool(found) == kept
    if found:
        assert found.curve == [(1, dict(epochs[0].metrics))]
        expected = val_scores(RATINGS, found.fit.validation_probabilities)
        assert ended.metrics == pytest.approx(expected)
