"""A trained network: its predictions and its files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.backend import keras
from starcast.models.encoding import Vocabulary
from starcast.models.pooling import Pooling
from starcast.models.texts import UNKNOWN, Sequences
from starcast.models.word_vectors import read_vectors

NETWORK, VOCABULARY = "network.keras", "vocabulary.json"
OWN_LAYERS = {"starcast>Pooling": Pooling}
PREDICTION_BATCH = 512


def predict(
    network: keras.Model,
    sequences: Sequences,
    batch: int = PREDICTION_BATCH,
    some: np.ndarray | None = None,
) -> np.ndarray:
    """Return probabilities of the ratings in the order of the sequences, shape (reviews, labels), float32.

    `some`: the sequences to answer, if not all.
    """
    asked = np.arange(len(sequences)) if some is None else some
    order = np.argsort(sequences.lengths[asked], kind="stable")
    probabilities = np.empty((len(order), network.output_shape[-1]), dtype=np.float32)
    # The small batch comes first: if the first two differ in both dimensions, TensorFlow traces only twice.
    for start in range(-(-len(order) % batch), len(order), batch):
        rows = order[max(start, 0) : start + batch]
        probabilities[rows] = network.predict_on_batch(sequences.padded(asked[rows]))
    return probabilities


def begin_with(network: keras.Model, vectors: Path, vocabulary: Vocabulary) -> None:
    """Give the embedding of a network the pretrained vectors of the words that a file has.

    Raises:
        UserError: it is no file of word vectors, or has none of these words.
    """
    embedding = network.layers[0]
    places, found = read_vectors(vectors, vocabulary.words)
    table = embedding.get_weights()[0]
    table[places + UNKNOWN + 1] = found
    embedding.set_weights([table])


@dataclass(frozen=True)
class FittedNetwork:
    """A trained network, not compiled, with its vocabulary."""

    network: keras.Model
    vocabulary: Vocabulary

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return probabilities of the ratings for cleaned texts, shape (reviews, labels)."""
        return predict(self.network, self.vocabulary.encode(texts))

    def knows(self, texts: pl.Series) -> np.ndarray:
        """Return which cleaned texts have a word of the vocabulary, shape (reviews,)."""
        read = self.vocabulary.encode(texts)
        return read.any_of(read.tokens > UNKNOWN)

    def parameters(self) -> int:
        """Return the number of weights of the network."""
        return int(self.network.count_params())

    def save(self, folder: Path) -> None:
        """Write the network, without an optimizer (two thirds of the file), and its vocabulary."""
        self.network.save(folder / NETWORK)
        self.vocabulary.save(folder / VOCABULARY)

    @classmethod
    def load(cls, folder: Path, labels: int) -> "FittedNetwork":
        """Read what `save` wrote; Keras' safe mode refuses code inside the file.

        Raises:
            ValueError: it is no network of these words and so many labels, or a weight is not finite.
        """
        vocabulary = Vocabulary.load(folder / VOCABULARY)
        network = keras.saving.load_model(folder / NETWORK, OWN_LAYERS, compile=False, safe_mode=True)
        first, words = network.layers[0], len(vocabulary.words) + UNKNOWN + 1
        if not isinstance(first, keras.layers.Embedding) or first.input_dim < words:
            raise ValueError(
                f"{NETWORK}: its first layer is no embedding of the {words:,} words of {VOCABULARY}"
            )
        if network.output_shape != (None, labels):
            raise ValueError(f"{NETWORK}: it answers {network.output_shape}, not {labels} probabilities")
        for weight in network.weights:
            if not np.isfinite(weight.numpy()).all():
                raise ValueError(f"{NETWORK}: a weight of {weight.path} is not finite")
        return cls(network, vocabulary)
