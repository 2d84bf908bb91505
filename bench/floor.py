"""Where the time of a trial goes, beside the least it could take: lstm_2 on study A's reviews, one core, one
worker's way.

    NLTK_DATA=... python -m bench.floor

The floor is the floating-point operations of the real words (no padding), forward and backward, over what
this core does in a product of large matrices. Seconds are of one core: processor time.
"""

import os

# A worker's share on two cores. Before TensorFlow is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ.update(dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"))

import time
from dataclasses import dataclass, field
from unittest import mock

import numpy as np

from bench.clothing import load_corpus
from bench.speed import gflops
from starcast.models.backend import keras
from starcast.models.batches import similar_length
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import FitReport
from starcast.models.networks import predict
from starcast.models.recurrent_families import LSTM_2, STUDY_A_EMBEDDING
from starcast.models.space import Settings
from starcast.models.texts import Sequences

UNITS = ((8, 8), (32, 128), (64, 128), (128, 128))
EPOCHS = 3
BATCH = 256


@dataclass
class Clock:
    """Processor seconds of a fit at the end of each epoch, of predictions and of scoring."""

    ratings: np.ndarray
    epochs: list[float] = field(default_factory=lambda: [time.process_time()])
    predicting: float = 0.0
    scoring: float = 0.0

    def report(self, report: FitReport) -> None:
        """Score as a trial does."""
        start = time.process_time()
        report.scores(self.ratings)
        self.epochs.append(time.process_time())
        self.scoring += self.epochs[-1] - start


def operations(settings: Settings, words: int) -> float:
    """Count one epoch's operations.

    Three products (forward, and two backward) of each gate with its inputs, for each word.
    """
    first, second = int(settings["units_1"]), int(settings["units_2"])
    per_word = 2 * 4 * (first * (STUDY_A_EMBEDDING + first) + second * (first + second))
    return 3.0 * per_word * words


def fit(corpus: Corpus, settings: Settings) -> Clock:
    """Fit one trial and time it."""
    clock = Clock(corpus.validation.ratings)

    def timed(network: keras.Model, sequences: Sequences) -> np.ndarray:
        """Predictions, timed."""
        start = time.process_time()
        answers = predict(network, sequences)
        clock.predicting += time.process_time() - start
        return answers

    options = FitOptions(
        sampling="none", epochs=EPOCHS, batch_size=BATCH, seed=42, patience=EPOCHS, schedule="linear"
    )
    with mock.patch("starcast.models.training.predict", timed):
        LSTM_2.fit(corpus, ModelSpec(LSTM_2.name, settings, options), clock)
    return clock


def main() -> None:
    """Fit each network twice, the second time with a compiled one at hand; print a table."""
    corpus, speed = load_corpus(), gflops()
    lengths = corpus.train_sequences.lengths
    words = int(lengths.sum())
    batches = similar_length(lengths, BATCH, np.random.default_rng(0))
    padded = int(sum(lengths[rows].max() * len(rows) for rows in batches))
    print(f"{words:,} words, {padded / words - 1:.1%} more with padding; {speed:.0f} GFLOPS on one core\n")
    print(
        "| units | floor of an epoch, s | an epoch, s | of it predicting | of it scoring | tracing, first "
        "trial, s | later, s |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|")
    fit(corpus, {**LSTM_2.published, "units_1": 16, "units_2": 16})  # TensorFlow's own start
    for first, second in UNITS:
        settings = {**LSTM_2.published, "units_1": first, "units_2": second}
        new, kept = fit(corpus, settings), fit(corpus, settings)
        epoch = (kept.epochs[-1] - kept.epochs[1]) / (EPOCHS - 1)
        starts = [clock.epochs[1] - clock.epochs[0] - epoch for clock in (new, kept)]
        floor = operations(settings, words) / speed / 1e9
        parts = f"{kept.predicting / EPOCHS:.2f} | {kept.scoring / EPOCHS:.2f}"
        print(
            f"| {first}, {second} | {floor:.2f} | {epoch:.2f} | {parts} | {starts[0]:.2f} | {starts[1]:.2f} "
            "|",
            flush=True,
        )


if __name__ == "__main__":
    main()
