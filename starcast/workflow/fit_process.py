"""Fit in a separate process, so that the fit's own time and peak memory can be measured."""

import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import psutil

from starcast.cli.errors import UserError
from starcast.cli.interrupts import catch_interrupts, withheld_from_children
from starcast.cli.progress import Progress
from starcast.cli.refusals import refusals_told
from starcast.evaluation.scale import STARS, Scale
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit, answers_of
from starcast.models.epoch_lines import EpochLines
from starcast.models.family import ModelSpec
from starcast.models.fit_report import CurveRecorder
from starcast.models.sampling import count_ratings, effective_shares
from starcast.models.texts import StoredTexts
from starcast.reviews.split import SPLITS

LOOK_EVERY = 0.05  # seconds between looks at the memory of a fit


@dataclass(frozen=True)
class FitJob:
    """What to fit: `folder` holds the splits as Parquet, `rows` selects rows of the training set (or all)."""

    folder: Path
    spec: ModelSpec
    rows: np.ndarray | None = None
    scale: Scale = STARS


@dataclass(frozen=True)
class FitResult:
    """The result of a fit.

    Attributes:
        probabilities: for `val` and `test`, shape (reviews, labels).
        class_counts: training rows per rating before and after sampling, shape (2, labels).
        true_shares, trained_shares: of each rating, before and after sampling and weights, shape (labels,).
        curve: metrics per epoch.
        seconds: of encoding, sampling and fitting.
        peak_memory_mb: of the whole process, libraries included.
    """

    probabilities: dict[str, np.ndarray]
    class_counts: np.ndarray
    true_shares: np.ndarray
    trained_shares: np.ndarray
    curve: list[dict[str, float]]
    best_epoch: int
    parameters: int
    seconds: float
    peak_memory_mb: float = 0.0


def fit_alone(job: FitJob) -> FitResult:
    """Fit in a new process, which has ended when this returns or raises.

    Raises:
        UserError: the job is impossible with these reviews, or the process was killed.
        RuntimeError: any other error in the process, with its traceback.
    """
    ours, theirs = Pipe()
    command = [sys.executable, "-m", "starcast.workflow.fit_process", str(theirs.fileno())]
    inherited = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with withheld_from_children():
        process = psutil.Popen(command, env=inherited, pass_fds=[theirs.fileno()])
    theirs.close()
    peak = 0
    try:
        ours.send(job)
        while not ours.poll(LOOK_EVERY):
            peak = max(peak, process.memory_info().rss)
        received: FitResult | UserError | str = ours.recv()
    except (EOFError, ConnectionError, psutil.NoSuchProcess):
        what = f"its process ended with code {process.wait()}; did memory run out?"
        raise UserError(f"fitting {job.spec.family}: {what}") from None
    finally:
        ours.close()
        with suppress(psutil.NoSuchProcess):  # it may already have ended and been waited for
            process.kill()
        process.wait()
    if isinstance(received, UserError):
        raise received
    if isinstance(received, str):
        raise RuntimeError(f"a fit failed:\n{received}")
    return replace(received, peak_memory_mb=peak / 1e6)


def fit(job: FitJob) -> FitResult:
    """Fit in this process."""
    train, validation, test = (job.folder / f"{split}.parquet" for split in SPLITS)
    show = Progress().show
    splits, labels = (CorpusSplit.stored(train, job.rows), CorpusSplit.stored(validation)), len(job.scale)
    corpus = Corpus(*splits, show=show, scale=job.scale)
    curve, start = CurveRecorder(corpus.validation.ratings, job.scale), time.monotonic()
    family = family_named(job.spec.family)
    recorder = EpochLines(curve, job.spec.options.epochs, family.reports) if family.iterative else curve
    fitted = family.fit(corpus, job.spec, recorder)
    seconds = time.monotonic() - start
    answered = answers_of(fitted.model, StoredTexts(test, reads=family.reads), show)
    ratings = corpus.train.ratings
    return FitResult(
        probabilities={"val": fitted.validation_probabilities, "test": answered},
        class_counts=np.stack([count_ratings(each, labels) for each in (ratings, fitted.trained_on)]),
        true_shares=effective_shares(ratings, "none", labels),
        trained_shares=effective_shares(fitted.trained_on, job.spec.options.sampling, labels),
        curve=[metrics for _, metrics in curve.points],
        best_epoch=fitted.best_epoch,
        parameters=fitted.model.parameters(),
        seconds=seconds,
    )


def work(pipe: Connection) -> None:
    """Do the one job that arrives over the pipe and send its result."""
    try:
        with refusals_told():
            answer: FitResult | UserError | str = fit(pipe.recv())
    except UserError as error:
        answer = error
    except Exception:  # sent to the experiment, which raises it
        answer = traceback.format_exc()
    pipe.send(answer)


if __name__ == "__main__":
    from starcast.workflow import fit_process  # classes of this module, not of `__main__`, can be sent

    catch_interrupts()
    fit_process.work(Connection(int(sys.argv[1])))
