"""Batches of reviews of similar length: each is padded to its own longest review, not the longest of all."""

from typing import Any

import numpy as np

from starcast.models.backend import keras
from starcast.models.sampling import TrainingRows

POOL = 20  # batches that are sorted by length together: more mean less padding, fewer mean better shuffling


def similar_length(lengths: np.ndarray, batch_size: int, random: np.random.Generator) -> list[np.ndarray]:
    """Shuffle rows, sort pools of them by length, cut them into batches, shuffle the batches.

    Returns:
        Row numbers per batch; every row is in exactly one batch.
    """
    order = random.permutation(len(lengths))
    pools = np.split(order, np.arange(POOL * batch_size, len(order), POOL * batch_size))
    batches = []
    for pool in pools:
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        batches += np.split(by_length, np.arange(batch_size, len(by_length), batch_size))
    return [batches[i] for i in random.permutation(len(batches))]


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled batches of (word indices, rating index, weight), reshuffled each epoch from the seed.

    If some rows mix two reviews, a batch has the words of both, shape (rows, words, 2), and the share of the
    second, shape (rows,), instead of the word indices.
    """

    def __init__(self, rows: TrainingRows, weights: np.ndarray, batch_size: int, seed: int) -> None:
        super().__init__()
        self._sequences, self._ratings, self._weights = rows.sequences, rows.ratings, weights
        resampled = rows.resampled
        self._first = resampled.first if resampled else np.arange(len(rows.ratings))
        self._mixed = (resampled.second, resampled.share) if resampled and resampled.mixes else None
        self._lengths = self._sequences.lengths[self._first]
        if self._mixed:
            self._lengths = np.maximum(self._lengths, self._sequences.lengths[self._mixed[0]])
        self._batch_size = batch_size
        self._random = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draw the batches of the next epoch."""
        self._batches = similar_length(self._lengths, self._batch_size, self._random)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Any, np.ndarray, np.ndarray]:
        rows = self._batches[index]
        width = int(self._lengths[rows].max())
        if index == 0 and len(self._batches) > 1:
            # If the first two batches have the same width, Keras assumes it is fixed and refuses others.
            width = max(width, int(self._lengths[self._batches[1]].max()) + 2)
        words = self._sequences.padded(self._first[rows], width)
        if self._mixed is None:
            return words, self._ratings[rows], self._weights[rows]
        second, share = (values[rows] for values in self._mixed)
        both = np.stack([words, self._sequences.padded(second, width)], axis=-1)
        return (both, share), self._ratings[rows], self._weights[rows]
