"""A plain Keras network of BERT's architecture, to be fine-tuned.

The layers are those of Devlin et al., BERT, NAACL 2019, with queries, keys and values computed at once and
without dropout inside the encoder: on a processor, random numbers for every activation take a tenth of the
time. Where only the first piece's vector is read, the last block computes no other: a seventh of all.
"""

from typing import Any

from starcast.models.backend import keras
from starcast.models.family import Precision
from starcast.models.fitted_transformer import EPSILON, MASKED, Architecture
from starcast.models.texts import PADDING

DROPOUT = 0.1  # before the ratings
layers, ops = keras.layers, keras.ops


class Embedded(keras.Layer):
    """The sum of token and position embeddings, (reviews, pieces) to (reviews, pieces, width)."""

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
    """Self-attention of several heads; padding is not attended to.

    With `first`, only the first piece learns from the others: (reviews, 1, width) is returned.
    """

    def __init__(self, width: int, heads: int, first: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._width, self._heads, self._first = width, heads, first
        self._joined = layers.Dense(3 * width, dtype=self.dtype_policy)
        self._outward = layers.Dense(width, dtype=self.dtype_policy)

    def build(self, encoded_shape: tuple[int | None, ...], numbers_shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        self._joined.build(encoded_shape)
        self._outward.build(encoded_shape)

    def call(self, encoded: Any, numbers: Any) -> Any:
        """Return what each piece learns from the others, (reviews, pieces, width)."""
        size = self._width // self._heads
        queries, keys, values = self._projected(encoded)
        masked = ops.cast(numbers == PADDING, queries.dtype)[:, None, None, :] * MASKED
        scores = ops.matmul(queries * size**-0.5, ops.transpose(keys, (0, 1, 3, 2))) + masked
        learned = ops.transpose(ops.matmul(ops.softmax(scores), values), (0, 2, 1, 3))
        return self._outward(ops.reshape(learned, (*ops.shape(learned)[:2], self._width)))

    def _projected(self, encoded: Any) -> tuple[Any, Any, Any]:
        """Return queries, keys and values, each (reviews, heads, pieces, width of a head)."""
        if not self._first:
            return tuple(ops.unstack(self._by_head(self._joined(encoded), 3)))
        weights, bias, width = self._joined.kernel, self._joined.bias, self._width
        [queries] = ops.unstack(self._by_head(encoded[:, :1] @ weights[:, :width] + bias[:width], 1))
        keys, values = ops.unstack(self._by_head(encoded @ weights[:, width:] + bias[width:], 2))
        return queries, keys, values

    def _by_head(self, projected: Any, parts: int) -> Any:
        """Return so many parts, (reviews, pieces, parts x width) to (parts, reviews, heads, pieces, ...)."""
        shape = (*ops.shape(projected)[:2], parts, self._heads, self._width // self._heads)
        return ops.transpose(ops.reshape(projected, shape), (2, 0, 3, 1, 4))

    def compute_output_shape(
        self, encoded_shape: tuple[int | None, ...], numbers_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return (reviews, pieces, width)."""
        return (encoded_shape[0], 1, encoded_shape[2]) if self._first else encoded_shape


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
        first = sizes.reads_first(i)
        attention = Attention(sizes.width, sizes.heads, first, dtype=dtype, name=f"attention_{i}")
        asking = encoded[:, :1] if first else encoded
        encoded = normalised(asking + attention(encoded, numbers), f"attention_{i}")
        inner = layers.Dense(sizes.inner, activation=gelu, dtype=dtype, name=f"inner_{i}")(encoded)
        outer = layers.Dense(sizes.width, dtype=dtype, name=f"outer_{i}")(inner)
        encoded = normalised(encoded + outer, f"outer_{i}")
    pooled = Pooled(sizes.pooling, dtype=dtype, name="pooled")(encoded, numbers)
    pooled = layers.Dense(sizes.width, activation="tanh", dtype=dtype, name="pooler")(pooled)
    ratings = layers.Dense(labels, activation="softmax", dtype="float32", name="ratings")
    return keras.Model(numbers, ratings(layers.Dropout(DROPOUT)(pooled)))
