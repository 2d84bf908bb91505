"""Does a network wait for its data? One epoch from a corpus on the disk: the share of its time spent on
waiting, and its memory.

    python -m bench data_wait --splits=FOLDER [--rows=2000000] [--batch_sizes=256,1024] [--family=gru_1]
        [--settings='{"units_1": 32}'] [--out=bench/results/data_wait.png]

The folder holds a preprocess run's `train.parquet` and `validation.parquet`. Their words are encoded into
files once, and mapped into memory by a new process for each batch size, which trains as a fit does: the same
batches, made ahead by Keras' own adapter of them, the same compiled step. Only the loop is ours, because
within `fit` the wait is part of the step. A small network is the hard case: it takes batches faster. Draws
resident and anonymous memory (that which is not pages of files) over the epoch.
"""

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter
from matplotlib.figure import Figure

from starcast.models.batches import TrainingBatches
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.compiled import compiled_like
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.recurrent_families import NetworkFamily
from starcast.models.sampling import TrainingRows
from starcast.models.space import Settings
from starcast.reviews.sources import PROJECT

WARM = 50  # batches before the clock counts: TensorFlow traces its step in the first of them
ALONE = 200  # batches made without a network, for the rate of the making
COLUMNS = (
    "batch",
    "reviews",
    "seconds",
    "reviews/s",
    "waiting",
    "batches alone, reviews/s",
    "anonymous MB at the end",
    "at most",
)


@dataclass
class Memory:
    """A thread that looks at this process's memory every second.

    Seconds, resident and anonymous megabytes.
    """

    seconds: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    anonymous: list[float] = field(default_factory=list)

    def watch(self, end: threading.Event) -> None:
        """Look until the end."""
        begin = time.perf_counter()
        while not end.wait(1):
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            self.seconds.append(time.perf_counter() - begin)
            self.resident.append(int(status["VmRSS"].split()[0]) / 1024)
            self.anonymous.append(int(status["RssAnon"].split()[0]) / 1024)


@dataclass(frozen=True)
class EpochTimes:
    """What one epoch took: reviews and seconds after the first batches, of them waiting.

    The rate of making batches alone.
    """

    batch_size: int
    reviews: int
    seconds: float
    waited: float
    alone: float
    memory: Memory

    def cells(self) -> list[str]:
        """Return a row of the table."""
        needed = [f"{self.memory.anonymous[-1]:,.0f}", f"{max(self.memory.anonymous):,.0f}"]
        rates = [
            f"{self.reviews / self.seconds:,.0f}",
            f"{self.waited / self.seconds:.2%}",
            f"{self.alone:,.0f}",
        ]
        return [str(self.batch_size), f"{self.reviews:,}", f"{self.seconds:.0f}", *rates, *needed]


def save_corpus(splits: Path, rows: int, folder: Path) -> None:
    """Encode the first so many reviews of the training split, and a few of the validation split, which
    nothing here reads.
    """
    train, validation = (
        CorpusSplit.stored(splits / f"{name}.parquet", np.arange(n))
        for name, n in (("train", rows), ("validation", 1_000))
    )
    Corpus(train, validation).save(folder)


def train_epoch(folder: Path, family: NetworkFamily, settings: Settings, batch_size: int) -> EpochTimes:
    """Train one epoch in this process, which should be a new one."""
    corpus = Corpus.open(folder)
    network = compiled_like(family.build(settings), float(settings["learning_rate"]))
    ratings = corpus.train.ratings
    weights = np.ones(len(ratings), dtype=np.float32)
    batches = TrainingBatches(TrainingRows(corpus.train_sequences, ratings), weights, batch_size, seed=0)
    alone = _rate_alone(batches)
    memory, end = Memory(), threading.Event()
    watch = threading.Thread(target=memory.watch, args=(end,))
    watch.start()
    coming, waited, reviews = iter(PyDatasetAdapter(batches).get_tf_dataset()), 0.0, 0
    begin = asked = time.perf_counter()
    for number, (words, rated, weights) in enumerate(coming):
        waited += time.perf_counter() - asked
        if number == WARM:
            begin, waited, reviews = time.perf_counter(), 0.0, 0
        network.train_on_batch(words, rated, weights)
        reviews += len(rated)
        asked = time.perf_counter()
    seconds = time.perf_counter() - begin
    end.set()
    watch.join()
    return EpochTimes(batch_size, reviews, seconds, waited, alone, memory)


def _rate_alone(batches: TrainingBatches) -> float:
    begin, made = time.perf_counter(), min(ALONE, len(batches))
    return sum(len(batches[number][1]) for number in range(made)) / (time.perf_counter() - begin)


def draw(epochs: list[EpochTimes], title: str, out: Path) -> None:
    """Memory over each epoch."""
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    for epoch in epochs:
        [line] = axes.plot(
            epoch.memory.seconds, epoch.memory.resident, label=f"batch {epoch.batch_size}: resident"
        )
        axes.plot(
            epoch.memory.seconds, epoch.memory.anonymous, "--", color=line.get_color(), label="anonymous"
        )
    axes.set(xlabel="seconds", ylabel="MB", title=title, ylim=(0, None))
    axes.legend()
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=90)


def main() -> None:
    """Train, print a table, draw the memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--splits", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--batch_sizes", default="256,1024")
    parser.add_argument(
        "--family",
        default="gru_1",
        choices=[name for name, f in FAMILIES.items() if isinstance(f, NetworkFamily)],
    )
    parser.add_argument("--settings", type=json.loads, default={})
    parser.add_argument("--out", type=Path, default=PROJECT / "bench" / "results" / "data_wait.png")
    asked = parser.parse_args()
    family = family_named(asked.family)
    assert isinstance(family, NetworkFamily)
    settings = family.check(asked.settings)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        save_corpus(asked.splits, asked.rows, Path(folder))
        print(
            f"encoded in {time.perf_counter() - begin:.0f} s\n\n| {' | '.join(COLUMNS)} "
            f"|\n|{'--:|' * len(COLUMNS)}",
            flush=True,
        )
        epochs = []
        for batch_size in map(int, asked.batch_sizes.split(",")):
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
                epochs.append(apart.submit(train_epoch, Path(folder), family, settings, batch_size).result())
            print(f"| {' | '.join(epochs[-1].cells())} |", flush=True)
    draw(epochs, f"{asked.family}, one epoch of {asked.rows:,} reviews", asked.out)
    print(f"\ndrawn: {asked.out}")


if __name__ == "__main__":
    main()
