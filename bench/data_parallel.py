"""Does one fit become faster over two processes? The same training step in one process and, its batch halved
and the gradients averaged (`MultiWorkerMirroredStrategy`), in two of a core each; also two replicas in one
process (`MirroredStrategy`).

    python -m bench.data_parallel [--batches=50]

Two LSTM layers on batches of 256 reviews of 32 words, the vocabulary of study A. Keras 3's own `fit` refuses
values that are spread over processes, so the step is written out here; both ways use it. Two processes on one
machine exchange gradients through its memory: a network's time comes on top.
"""

import argparse
import json
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WORDS, BATCH, VOCABULARY, EMBEDDING = 32, 256, 5_000, 100
UNITS = ((8, 8), (32, 128), (128, 128))
WARM = 5  # batches before the clock counts
WAYS = {  # processes, cores of each, replicas in each
    "one process, one core": (1, 1, 1),
    "one process, both cores": (1, 2, 1),
    "one process, two replicas": (1, 2, 2),
    "two processes, a core each": (2, 1, 1),
}


def train(
    units: tuple[int, int], batches: int, place: int, addresses: list[str], cores: int, replicas: int
) -> float:
    """Train in this process, the `place`-th of those at the addresses; return milliseconds a batch."""
    os.sched_setaffinity(0, range(place, place + cores))
    step = averaged_step(units, place, addresses, replicas)
    random, rows = np.random.default_rng(place), BATCH // len(addresses) // replicas
    words = random.integers(1, VOCABULARY, (rows, WORDS), dtype=np.int32)
    ratings = random.integers(0, 5, rows)
    for _ in range(WARM):
        step(words, ratings)
    begin = time.perf_counter()
    for _ in range(batches):
        step(words, ratings)
    return (time.perf_counter() - begin) / batches * 1000


def averaged_step(
    units: tuple[int, int], place: int, addresses: list[str], replicas: int
) -> Callable[..., Any]:
    """Return what goes down the slope of a batch, averaged over processes and replicas."""
    os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"})
    cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": place}}
    os.environ["TF_CONFIG"] = json.dumps(cluster if len(addresses) > 1 else {})
    import tensorflow as tf

    distribute = tf.distribute  # asked before anything else of TensorFlow, or it refuses
    strategy = distribute.get_strategy()
    if len(addresses) > 1:
        strategy = distribute.MultiWorkerMirroredStrategy()
    elif replicas > 1:
        halves = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], halves)
        strategy = distribute.MirroredStrategy([f"CPU:{number}" for number in range(replicas)])
    from starcast.models.backend import keras

    layers = keras.layers
    with strategy.scope():
        stack = [keras.Input((WORDS,), dtype="int32"), layers.Embedding(VOCABULARY, EMBEDDING)]
        stack += [layers.LSTM(units[0], return_sequences=True), layers.LSTM(units[1]), layers.Dense(5)]
        network = keras.Sequential(stack)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    variables = [variable.value for variable in network.trainable_variables]

    def replica(words: Any, ratings: Any) -> None:
        """Take one step of plain gradient descent."""
        with tf.GradientTape() as tape:
            cost = loss(ratings, network(words, training=True))
        slopes = [tf.convert_to_tensor(slope) for slope in tape.gradient(cost, variables)]
        context = distribute.get_replica_context()
        averaged = context.all_reduce(distribute.ReduceOp.MEAN, slopes)
        for variable, slope in zip(variables, averaged, strict=True):
            variable.assign_sub(0.01 * slope)

    return tf.function(lambda words, ratings: strategy.run(replica, (words, ratings)))


def free_addresses(count: int) -> list[str]:
    """Return addresses of this machine that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=50)
    asked = parser.parse_args()
    print("| units | way | ms a batch of 256 | of one process with both cores |\n|---|---|--:|--:|")
    for units in UNITS:
        taken = {}
        for way, (processes, cores, replicas) in WAYS.items():
            addresses = free_addresses(processes)
            # Processes of their own: a strategy and the threads of TensorFlow are set once in each.
            with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
                jobs = [
                    (units, asked.batches, place, addresses, cores, replicas) for place in range(processes)
                ]
                taken[way] = max(pool.starmap(train, jobs, chunksize=1))
        for way, milliseconds in taken.items():
            ratio = milliseconds / taken["one process, both cores"]
            print(f"| {units[0]}, {units[1]} | {way} | {milliseconds:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
