"""An encoder of BERT's architecture as a plain Keras network, its word pieces, its predictions, its files.

The layers are those of Devlin et al., BERT, NAACL 2019, with queries, keys and values computed at once and
without dropout inside the encoder: on a processor, random numbers for every activation take a tenth of the
time.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tokenizers import Tokenizer

from starcast.models.backend import keras
from starcast.models.family import Precision
from starcast.models.networks import predict
from starcast.models.texts import PADDING, Sequences

ENCODER, WEIGHTS, TOKENIZER = "encoder.json", "encoder.npz", "tokenizer.json"
PREDICTION_BATCH = 32  # reviews; larger ones are slower, as their activations leave the processor's cache
EPSILON = 1e-12  # BERT's, of layer normalisation
DROPOUT = 0.1  # before the ratings
MASKED = -1e4  # added to the score of padding: no attention, and a number in 16 bits too
layers, ops = keras.layers, keras.ops


@dataclass(frozen=True)
class Architecture:
    """The sizes of an encoder, and what its head does with the encoded pieces."""

    vocabulary: int
    positions: int
    width: int
    inner: int
    heads: int
    layers: int
    pooling: str = "cls"
    length: int = 128


class Embedded(keras.Layer):
    """The sum of the vectors of a piece and of its place, (reviews, pieces) to (reviews, pieces, width)."""

    def __init__(self, architecture: Architecture, **options: Any) -> None:
        super().__init__(**options)
        self._sizes = architecture

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the two tables of vectors."""
        sizes = self._sizes
        self.pieces = self.add_weight((sizes.vocabulary, sizes.width), name="pieces")
        self.places = self.add_weight((sizes.positions, sizes.width), name="places")

    def call(self, numbers: Any) -> Any:
        """Look the vectors up and add them."""
        return ops.take(self.pieces, numbers, axis=0) + self.places[: ops.shape(numbers)[1]]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return (reviews, pieces, width)."""
        return (*shape, self._sizes.width)


class Attention(keras.Layer):
    """Self-attention of several heads; padding is not attended to."""

    def __init__(self, width: int, heads: int, **options: Any) -> None:
        super().__init__(**options)
        self._width, self._heads = width, heads
        self._joined = layers.Dense(3 * width, dtype=self.dtype_policy)
        self._outward = layers.Dense(width, dtype=self.dtype_policy)

    def build(self, encoded_shape: tuple[int | None, ...], numbers_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self._joined.build(encoded_shape)
        self._outward.build(encoded_shape)

    def call(self, encoded: Any, numbers: Any) -> Any:
        """Return what each piece learns from the others, (reviews, pieces, width)."""
        reviews, pieces = ops.shape(numbers)[0], ops.shape(numbers)[1]
        size = self._width // self._heads
        parts = ops.reshape(self._joined(encoded), (reviews, pieces, 3, self._heads, size))
        queries, keys, values = ops.unstack(ops.transpose(parts, (2, 0, 3, 1, 4)))
        masked = ops.cast(numbers == PADDING, queries.dtype)[:, None, None, :] * MASKED
        scores = ops.matmul(queries * size**-0.5, ops.transpose(keys, (0, 1, 3, 2))) + masked
        learned = ops.transpose(ops.matmul(ops.softmax(scores), values), (0, 2, 1, 3))
        return self._outward(ops.reshape(learned, (reviews, pieces, self._width)))

    def compute_output_shape(
        self, encoded_shape: tuple[int | None, ...], numbers_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return (reviews, pieces, width)."""
        return encoded_shape


class Pooled(keras.Layer):
    """One vector for a review: that of its first piece (`cls`), or the mean over all its pieces."""

    def __init__(self, pooling: str, **options: Any) -> None:
        super().__init__(**options)
        self._pooling = pooling

    def call(self, encoded: Any, numbers: Any) -> Any:
        """Pool, (reviews, pieces, width) to (reviews, width)."""
        if self._pooling == "cls":
            return encoded[:, 0]
        there = ops.cast(numbers != PADDING, encoded.dtype)[:, :, None]
        return ops.sum(encoded * there, axis=1) / ops.sum(there, axis=1)


def gelu(values: Any) -> Any:
    """Return GELU by its approximation with tanh, which is faster (Hendrycks, Gimpel, 2016)."""
    return ops.gelu(values, approximate=True)


def build(sizes: Architecture, labels: int, precision: Precision = "float32") -> keras.Model:
    """Return the network from numbers of word pieces to so many probabilities, with random weights."""
    dtype = keras.DTypePolicy(precision)
    numbers = keras.Input((None,), dtype="int32")

    def normalised(values: Any, name: str) -> Any:
        """Return values after layer normalisation."""
        return layers.LayerNormalization(epsilon=EPSILON, dtype=dtype, name=f"{name}_norm")(values)

    encoded = normalised(Embedded(sizes, dtype=dtype, name="embedded")(numbers), "embedded")
    for i in range(sizes.layers):
        attention = Attention(sizes.width, sizes.heads, dtype=dtype, name=f"attention_{i}")
        encoded = normalised(encoded + attention(encoded, numbers), f"attention_{i}")
        inner = layers.Dense(sizes.inner, activation=gelu, dtype=dtype, name=f"inner_{i}")(encoded)
        outer = layers.Dense(sizes.width, dtype=dtype, name=f"outer_{i}")(inner)
        encoded = normalised(encoded + outer, f"outer_{i}")
    pooled = Pooled(sizes.pooling, dtype=dtype, name="pooled")(encoded, numbers)
    pooled = layers.Dense(sizes.width, activation="tanh", dtype=dtype, name="pooler")(pooled)
    ratings = layers.Dense(labels, activation="softmax", dtype="float32", name="ratings")
    return keras.Model(numbers, ratings(layers.Dropout(DROPOUT)(pooled)))


def encode(texts: pl.Series, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the texts' word pieces one after the other, and how many each text has."""
    pieces = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts.to_list())]
    counts = np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces))
    return np.concatenate([np.empty(0, dtype=np.int32), *pieces]).astype(np.int32), counts


@dataclass(frozen=True)
class FittedTransformer:
    """A fine-tuned encoder, not compiled, with its word pieces as the package `tokenizers` writes them."""

    network: keras.Model
    architecture: Architecture
    pieces: str

    def probabilities(self, texts: pl.Series) -> np.ndarray:
        """Return probabilities of the ratings for texts as written, shape (reviews, labels)."""
        tokenizer = Tokenizer.from_str(self.pieces)
        tokenizer.enable_truncation(self.architecture.length)
        numbers, counts = encode(texts, tokenizer)
        sequences = Sequences(numbers, np.concatenate([[0], np.cumsum(counts)]))
        return predict(self.network, sequences, PREDICTION_BATCH)

    def parameters(self) -> int:
        """Return the number of weights of the network."""
        return int(self.network.count_params())

    def save(self, folder: Path) -> None:
        """Write the sizes, the weights and the word pieces."""
        (folder / ENCODER).write_text(json.dumps(asdict(self.architecture), indent=2), encoding="utf-8")
        (folder / TOKENIZER).write_text(self.pieces, encoding="utf-8")
        np.savez(folder / WEIGHTS, *self.network.get_weights())

    @classmethod
    def load(cls, folder: Path, labels: int) -> "FittedTransformer":
        """Read what `save` wrote.

        Raises:
            ValueError: it is no encoder of so many labels, or a weight is not finite.
        """
        try:
            sizes = Architecture(**json.loads((folder / ENCODER).read_text(encoding="utf-8")))
            network = build(sizes, labels)
        except (TypeError, ZeroDivisionError) as error:
            raise ValueError(f"{ENCODER}: {error}") from None
        with np.load(folder / WEIGHTS, allow_pickle=False) as stored:
            weights = [stored[name] for name in stored.files]
        if [weight.shape for weight in weights] != [weight.shape for weight in network.weights]:
            raise ValueError(f"{WEIGHTS}: not the weights of the encoder of {ENCODER} for {labels} labels")
        if not all(np.isfinite(weight).all() for weight in weights):
            raise ValueError(f"{WEIGHTS}: a weight is not finite")
        network.set_weights(weights)
        pieces = (folder / TOKENIZER).read_text(encoding="utf-8")
        if Tokenizer.from_str(pieces).get_vocab_size() > sizes.vocabulary:
            raise ValueError(f"{TOKENIZER}: it has more pieces than the encoder, {sizes.vocabulary:,}")
        return cls(network, sizes, pieces)
