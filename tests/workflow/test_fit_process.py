"""One fit in a process of its own: what comes back, and what becomes of the process when it goes wrong."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from starcast.cli.errors import UserError
from starcast.evaluation.scores import val_scores
from starcast.models.family import FitOptions, ModelSpec
from starcast.workflow import fit_process
from starcast.workflow.fit_process import FitJob, FitResult, fit, fit_alone

HINTS = ("awful torn", "poor itchy", "okay plain", "nice soft", "gorgeous perfect")
SETTINGS = {"ngrams": 1, "features": 2_000, "sublinear": False, "c": 1.0}


def table(counts: tuple[int, ...], seed: int) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    ratings = random.permutation(np.repeat(np.arange(5), counts))
    texts = [
        f"{HINTS[i]} {' '.join(random.choice(['dress', 'blue', 'size', 'it', 'fits'], 3))}" for i in ratings
    ]
    return pl.DataFrame({"cleaned": texts, "rating": ratings + 1})


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FitJob:
    folder = tmp_path_factory.mktemp("splits")
    counts = {"train": (6, 8, 10, 12, 24), "validation": (3,) * 5, "test": (4, 3, 3, 3, 6)}
    for seed, (split, reviews) in enumerate(counts.items()):
        table(reviews, seed).write_parquet(folder / f"{split}.parquet")
    options = FitOptions(sampling="random_over", epochs=1, batch_size=16, seed=3)
    return FitJob(folder, ModelSpec("logistic_regression", SETTINGS, options))


def sampled(job: FitJob, sampling: str, rows: np.ndarray | None = None) -> FitJob:
    options = replace(job.spec.options, sampling=sampling)
    return replace(job, spec=replace(job.spec, options=options), rows=rows)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[psutil.Popen]:
    """Every process that a fit was given."""
    processes = []

    def popen(*given: object, **named: object) -> psutil.Popen:
        processes.append(opened(*given, **named))
        return processes[-1]

    opened = psutil.Popen
    monkeypatch.setattr(fit_process.psutil, "Popen", popen)
    return processes


def assert_gone(processes: list[psutil.Popen]) -> None:
    [process] = processes
    assert not psutil.pid_exists(process.pid)


def in_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, statement: str) -> None:
    """Let the process do this before it imports anything of ours."""
    (tmp_path / "sitecustomize.py").write_text(statement)
    monkeypatch.syspath_prepend(tmp_path)


def without_cost(fitted: FitResult) -> dict[str, object]:
    return {name: value for name, value in vars(fitted).items() if name not in ("seconds", "peak_memory_mb")}


def test_a_fit_alone_is_the_fit_it_would_be_here(job: FitJob, started: list[psutil.Popen]) -> None:
    alone, here = fit_alone(job), fit(job)
    np.testing.assert_equal(without_cost(alone), without_cost(here))
    assert alone.peak_memory_mb > 20
    assert here.peak_memory_mb == 0
    assert alone.seconds > 0
    assert_gone(started)


def test_what_came_of_a_fit_is_told(job: FitJob) -> None:
    fitted = fit(job)
    assert {split: values.shape for split, values in fitted.probabilities.items()} == {
        "val": (15, 5),
        "test": (19, 5),
    }
    assert fitted.class_counts.tolist() == [[6, 8, 10, 12, 24], [24] * 5]
    assert fitted.true_shares == pytest.approx(np.array([6, 8, 10, 12, 24]) / 60)
    assert fitted.trained_shares == pytest.approx([0.2] * 5)
    assert (len(fitted.curve), fitted.best_epoch) == (1, 1)
    ratings = pl.read_parquet(job.folder / "validation.parquet")["rating"].to_numpy() - 1
    assert fitted.curve[0] == val_scores(ratings, fitted.probabilities["val"])
    weighted = fit(sampled(job, "class_weight"))
    assert weighted.class_counts.tolist() == [[6, 8, 10, 12, 24]] * 2
    assert weighted.trained_shares == pytest.approx([0.2] * 5)


def test_rows_of_the_training_split_are_those_asked_for(job: FitJob) -> None:
    rows = np.arange(0, 60, 2)
    fitted = fit(sampled(job, "none", rows))
    kept = pl.read_parquet(job.folder / "train.parquet")[rows]["rating"].to_numpy() - 1
    assert fitted.class_counts.tolist() == [np.bincount(kept, minlength=5).tolist()] * 2
    assert fitted.probabilities["test"].shape == (19, 5)


def test_a_mistake_of_the_user_crosses_the_pipe(job: FitJob, started: list[psutil.Popen]) -> None:
    ratings = pl.read_parquet(job.folder / "train.parquet")["rating"].to_numpy()
    rows = np.append(np.flatnonzero(ratings > 1), np.flatnonzero(ratings == 1)[:1])
    with pytest.raises(
        UserError,
        match=r"^sampling smote: rating 1 has 1 review in the training split, at least 2 are needed",
    ):
        fit_alone(sampled(job, "smote", rows))
    assert_gone(started)


def test_anything_else_comes_with_its_traceback(
    job: FitJob, started: list[psutil.Popen], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)^a fit failed:\nTraceback.*train\.parquet"):
        fit_alone(replace(job, folder=tmp_path / "nowhere"))
    assert_gone(started)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9, id="killed"),
        pytest.param("import os; os._exit(3)", 3, id="exits"),
    ],
)
def test_a_process_that_ends_without_an_answer_is_named(
    job: FitJob,
    started: list[psutil.Popen],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ends: str,
    code: int,
) -> None:
    in_worker(monkeypatch, tmp_path, ends)
    with pytest.raises(UserError) as refused:
        fit_alone(job)
    assert (
        str(refused.value)
        == f"fitting logistic_regression: its process ended with code {code}; did memory run out?"
    )
    assert_gone(started)


def looked(process: psutil.Popen, does: Callable[[], object]) -> Callable[[], object]:
    """Do something when the memory of the process is looked at."""
    look = process.memory_info

    def memory_info() -> object:
        does()
        return look()

    return memory_info


def test_a_process_killed_in_the_middle_is_named_and_leaves_nothing(
    job: FitJob, started: list[psutil.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fit_process.psutil.Popen

    def popen(*given: object, **named: object) -> psutil.Popen:
        process = opened(*given, **named)
        monkeypatch.setattr(
            process, "memory_info", looked(process, lambda: os.kill(process.pid, signal.SIGKILL))
        )
        return process

    monkeypatch.setattr(fit_process.psutil, "Popen", popen)
    with pytest.raises(
        UserError,
        match=r"^fitting logistic_regression: its process ended with code -9; did memory run out",
    ):
        fit_alone(job)
    assert_gone(started)


def test_an_interrupt_while_a_fit_is_waited_for_ends_its_process(
    job: FitJob, started: list[psutil.Popen], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = fit_process.psutil.Popen

    def interrupt() -> None:
        raise KeyboardInterrupt

    def popen(*given: object, **named: object) -> psutil.Popen:
        process = opened(*given, **named)
        monkeypatch.setattr(process, "memory_info", looked(process, interrupt))
        return process

    monkeypatch.setattr(fit_process.psutil, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        fit_alone(job)
    assert_gone(started)
