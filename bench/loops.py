"""Can a small network's loop over words be faster? Keras' loop beside unrolled steps and XLA, one core.

    python -m bench.loops

Two LSTM layers on 50 batches of 256 reviews of 32 words, as in a trial's epoch. Each way has to compile for
each architecture, and again for each width of a batch if it is unrolled or compiled by XLA: study A's reviews
have 60 widths.
"""

import os

# A worker's share on two cores. Before TensorFlow is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
os.environ.update(dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"))

import time

import numpy as np

from starcast.models.backend import keras

WORDS, BATCH, BATCHES = 32, 256, 50
UNITS = ((8, 8), (32, 128))
WAYS = {"loop": (False, False), "unrolled": (True, False), "loop, XLA": (False, True)}
WAYS |= {"unrolled, XLA": (True, True)}


def network(units: tuple[int, int], unrolled: bool, by_xla: bool) -> keras.Model:
    """Return a compiled network of a fixed number of words, unmasked."""
    layers = keras.layers
    stack = [
        keras.Input((WORDS,), dtype="int32"),
        layers.Embedding(5_000, 100),
        layers.LSTM(units[0], return_sequences=True, unroll=unrolled),
        layers.LSTM(units[1], unroll=unrolled),
        layers.Dense(5, activation="softmax"),
    ]
    built = keras.Sequential(stack)
    built.compile("adam", "sparse_categorical_crossentropy", jit_compile=by_xla)
    return built


def main() -> None:
    """Measure and print."""
    random = np.random.default_rng(0)
    words = random.integers(1, 5_000, (BATCH * BATCHES, WORDS)).astype(np.int32)
    ratings = random.integers(0, 5, len(words))
    print("| units | way | s to compile for one width | s for 50 batches |\n|---|---|--:|--:|")
    for units in UNITS:
        for way, options in WAYS.items():
            built, laps = network(units, *options), [time.perf_counter()]
            for rows in (BATCH, len(words)):
                built.fit(words[:rows], ratings[:rows], batch_size=BATCH, shuffle=False, verbose=0)
                laps.append(time.perf_counter())
            first, epoch = np.diff(laps)
            compiling = first - epoch / BATCHES
            print(f"| {units[0]}, {units[1]} | {way} | {compiling:.2f} | {epoch:.2f} |", flush=True)


if __name__ == "__main__":
    main()
