"""Compiled networks, kept: TensorFlow takes seconds to trace one, and many trials of a search share their architecture.

A kept network differs from a family's own in its dropouts: their rates are variables, as the learning rate is. So it serves
every point of the space that has its layers and units; which of them it served before makes no difference to a fit.

It alone may compute in 16 bits: its weights stay in 32, and so do a family's own networks, which are what is saved and answers.
"""

import json
from functools import lru_cache, partial
from typing import Any

import numpy as np

from starcast.models.backend import keras
from starcast.models.family import Precision

KEPT = 8  # architectures; a search comes back to those it likes
DROPOUTS = ("Dropout", "SpatialDropout1D")


class VariableDropout(keras.layers.Layer):
    """A dropout whose rate is a variable; `spatial` drops a feature from all words of a review, as SpatialDropout1D does."""

    def __init__(self, spatial: bool, **options: Any) -> None:
        super().__init__(**options)
        self._spatial, self.supports_masking = spatial, True
        self.seed_generator = keras.random.SeedGenerator(0)
        # In 16 bits a rate of 0.3 would be another one.
        self.rate = self.add_weight(
            shape=(), initializer="zeros", trainable=False, autocast=False, name="rate"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs of shape (reviews, words, features) or (reviews, features), in training some of them 0, the others larger."""
        if not training:
            return inputs
        ops = keras.ops
        reviews, *words, features = ops.shape(inputs)
        shape = (reviews, *(1 if self._spatial else length for length in words), features)
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
        return ops.where(kept, inputs / ops.cast(1 - self.rate, self.compute_dtype), 0.0)


class MixedEmbedding(keras.layers.Layer):
    """The words of two reviews, position by position: (1 - share) of the first's vectors and share of the second's.

    Where one review has ended, nothing of it is mixed in; a position is masked where both have (Guo et al., 2019).
    """

    def __init__(self, words: int, features: int, **options: Any) -> None:
        super().__init__(**options)
        self.vectors = self.add_weight(shape=(words, features), name="vectors")

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Word indices of shape (reviews, words, 2) and shares of shape (reviews,) to (reviews, words, features)."""
        ops, (words, share) = keras.ops, inputs
        parts = ops.stack([1 - share, share], axis=-1)[:, None, :] * ops.cast(
            ops.not_equal(words, 0), self.compute_dtype
        )
        return ops.sum(ops.take(self.vectors, words, axis=0) * parts[..., None], axis=2)

    def compute_mask(self, inputs: tuple[Any, Any], mask: Any = None) -> Any:
        """True where one of the reviews has a word, shape (reviews, words)."""
        return keras.ops.any(keras.ops.not_equal(inputs[0], 0), axis=-1)


def compiled_like(
    network: keras.Model, learning_rate: float, mixes: bool = False, precision: Precision = "float32"
) -> keras.Model:
    """A compiled network in the state of an untrained one: its weights, dropouts and generators, Adam at its beginning.

    With `mixes` it takes pairs of reviews (`MixedEmbedding`). `precision`: the policy by which it computes.
    """
    kept, optimizer_began = _compiled(_architecture(network), mixes, precision)
    for ours, theirs in zip(_layers(kept), network.layers, strict=True):
        if isinstance(ours, VariableDropout):
            ours.rate.assign(theirs.rate)
            ours.seed_generator.state.assign(theirs.seed_generator.state if theirs.rate else (0, 0))
        else:
            _assign(ours.variables, theirs.variables)
    _assign(kept.optimizer.variables, optimizer_began)
    kept.optimizer.learning_rate = learning_rate
    return kept


def copy_weights(trained: keras.Model, network: keras.Model) -> None:
    """Give a family's network the weights of the compiled one that was trained in its place."""
    for ours, theirs in zip(_layers(trained), _layers(network), strict=True):
        if not isinstance(ours, VariableDropout):
            theirs.set_weights(ours.get_weights())


def _layers(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]


def _assign(variables: list[keras.Variable], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _architecture(network: keras.Model) -> str:
    """What must be equal for one compiled network to serve: everything but names and rates."""
    config = json.loads(network.to_json())
    for layer in config["config"]["layers"]:
        layer["config"].pop("name", None)
        if layer["class_name"] in DROPOUTS:
            layer["config"]["rate"] = 0.5
    return json.dumps(config, sort_keys=True)


@lru_cache(KEPT)
def _compiled(architecture: str, mixes: bool, precision: Precision) -> tuple[keras.Model, list[np.ndarray]]:
    """A compiled network, and what the variables of its optimizer are before the first step."""
    network = keras.models.model_from_json(architecture)
    network = keras.models.clone_model(
        network, clone_function=partial(_open, last=network.layers[-1], precision=precision)
    )
    if mixes:
        network = _of_pairs(network)
    # By its name alone Keras makes a metric in the first step, and TensorFlow then traces that step twice.
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    network.compile(
        optimizer=_optimizer(precision), loss="sparse_categorical_crossentropy", metrics=[accuracy]
    )
    network.optimizer.build(network.trainable_variables)
    return network, [keras.ops.convert_to_numpy(variable) for variable in network.optimizer.variables]


def _optimizer(precision: Precision) -> keras.optimizers.Optimizer:
    adam = keras.optimizers.Adam()
    # Gradients below 6e-8 would be 0 in 16 bits with the range of `float16`; `bfloat16` has that of 32.
    return keras.optimizers.LossScaleOptimizer(adam) if precision == "mixed_float16" else adam


def _of_pairs(network: keras.Model) -> keras.Model:
    embedding, *rest = network.layers
    inputs = keras.Input((None, 2), dtype="int32"), keras.Input((), dtype="float32")
    outputs = MixedEmbedding(embedding.input_dim, embedding.output_dim, dtype=embedding.dtype_policy)(inputs)
    for layer in rest:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def _open(layer: keras.Layer, last: keras.Layer, precision: Precision) -> keras.Layer:
    policy = "float32" if layer is last else precision  # the probabilities keep their 32 bits
    if layer.__class__.__name__ in DROPOUTS:
        return VariableDropout(
            isinstance(layer, keras.layers.SpatialDropout1D), name=layer.name, dtype=policy
        )
    return layer.__class__.from_config({**layer.get_config(), "dtype": policy})
