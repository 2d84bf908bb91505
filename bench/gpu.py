"""How long does an epoch take on this machine's GPU or processor, in 32 and in 16 bits?

    python -m bench.gpu --write=FOLDER      study A's reviews and the encoder's weights, encoded
    python -m bench.gpu FOLDER [--only NAME ...] [--epochs=3]

Each family fits once per precision with the settings a search begins with; an epoch ends with the answers to
all validation reviews. The first epoch also builds and traces the network. A machine without TensorFlow
takes another of Keras' backends, with `KERAS_BACKEND=torch`; it needs no MLflow.
"""

import argparse
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, ModelSpec, Precision, split_choices
from starcast.models.fit_report import FitReport
from starcast.search.workers import gpus

NAMES = ("lstm_2", "bilstm", "transformer")
PRECISIONS: tuple[Precision, ...] = ("float32", "mixed_bfloat16")
BATCH = 256  # of networks; the transformer's is among its settings


@dataclass
class Laps:
    """A recorder that keeps when each report came, in seconds, and its validation loss."""

    seconds: list[float] = field(default_factory=lambda: [time.perf_counter()])
    losses: list[float] = field(default_factory=list)

    def report(self, report: FitReport) -> None:
        """Keep one."""
        self.seconds.append(time.perf_counter())
        self.losses.append(report.metrics["val_loss"])


def write(folder: Path) -> None:
    """Encode study A's training and validation reviews, and the transformer's weights and word pieces."""
    from bench.stored import StepStore, artifact

    store = StepStore.open(folder / "store")
    run = store.step("splits", "preprocess", {"data": "clothing", "split": "study_a"})
    train, validation = (artifact(run, f"splits/{split}.parquet") for split in ("train", "validation"))
    corpus, transformer = Corpus.stored(train, validation), family_named("transformer")
    encoded = folder / "corpus"
    encoded.mkdir()
    corpus.save(encoded, {"words", transformer.reads})
    transformer.prepare(Corpus.open(encoded), encoded, transformer.space)


def laps_of(corpus: Corpus, name: str, precision: Precision, epochs: int) -> Laps:
    """Fit a family, and return the seconds and losses of its reports."""
    family, laps = family_named(name), Laps()
    options = FitOptions(
        sampling="none", epochs=epochs, batch_size=BATCH, seed=1, schedule="linear", precision=precision
    )
    settings, options = split_choices(family.published_under("linear"), options)
    options = replace(options, epochs=epochs)
    family.fit(corpus, ModelSpec(name, settings, options), laps)
    return laps


def rows(corpus: Corpus, names: list[str], epochs: int) -> Iterator[str]:
    """Yield the table's rows as they are measured."""
    from starcast.models.backend import keras

    where = f"{keras.backend.backend()}, {device()}"
    yield "| network | Keras on | precision | s first epoch | s an epoch | reviews/s | validation loss |"
    yield "|---|---|---|--:|--:|--:|--:|"
    for name in names:
        reports = family_named(name).reports
        for precision in PRECISIONS:
            laps = laps_of(corpus, name, precision, epochs)
            first, *later = np.diff(laps.seconds[::reports])
            pace = len(corpus.train.ratings) / np.mean(later)
            loss = min(laps.losses[reports - 1 :: reports])  # the last report of an epoch is on all reviews
            yield (
                f"| `{name}` | {where} | {precision} | {first:.1f} | {np.mean(later):.1f} | {pace:,.0f} "
                f"| {loss:.3f} |"
            )


def device() -> str:
    """Return the name of the GPU, or how many cores are used instead."""
    if not gpus():
        return f"{len(os.sched_getaffinity(0))} cores"
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main() -> None:
    """Write the reviews, or measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--write", type=Path)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    if asked.write:
        return write(asked.write.resolve())
    for line in rows(Corpus.open(asked.folder), asked.only, asked.epochs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
