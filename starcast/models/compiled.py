"""Keep compiled networks: TensorFlow takes seconds to trace one, and many trials share an architecture.

In a kept network, unlike a family's own, the dropout rates are variables, like the learning rate. It thus
serves all settings with the same layers and units, and no fit depends on earlier ones. Only kept networks
compute in 16 bits; a family's own networks, which are saved and used for prediction, compute in 32.
"""

import json
from functools import lru_cache
from typing import Any

import numpy as np

from starcast.models.backend import keras
from starcast.models.family import Precision

KEPT = 8  # architectures; a search returns to those that score well
DROPOUTS = ("Dropout", "SpatialDropout1D")


class VariableDropout(keras.layers.Layer):
    """A dropout whose rate is a variable; `spatial` drops a feature from all words of a review."""

    def __init__(self, spatial: bool, **options: Any) -> None:
        super().__init__(**options)
        self._spatial, self.supports_masking = spatial, True
        self.seed_generator = keras.random.SeedGenerator(0)
        # In 16 bits, a rate of 0.3 would be rounded.
        unlearned = {"trainable": False, "autocast": False}
        self.rate = self.add_weight(shape=(), initializer="zeros", name="rate", **unlearned)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Set some inputs to 0 in training and scale up the others; shape (reviews[, words], features)."""
        if not training:
            return inputs
        ops = keras.ops
        reviews, *words, features = ops.shape(inputs)
        shape = (reviews, *(1 if self._spatial else length for length in words), features)
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
        return ops.where(kept, inputs / ops.cast(1 - self.rate, self.compute_dtype), 0.0)


class MixedEmbedding(keras.layers.Layer):
    """Mixes the word vectors of two reviews, position by position; `share` is the weight of the second.

    Where one review has ended, nothing of it is mixed in; where both have, the position is masked (Guo et
    al., 2019).
    """

    def __init__(self, words: int, features: int, **options: Any) -> None:
        super().__init__(**options)
        self.vectors = self.add_weight(shape=(words, features), name="vectors")

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Embed word indices of shape (reviews, words, 2) with shares of shape (reviews,)."""
        ops, (words, share) = keras.ops, inputs
        parts = ops.stack([1 - share, share], axis=-1)[:, None, :]
        parts = parts * ops.cast(ops.not_equal(words, 0), self.compute_dtype)
        return ops.sum(ops.take(self.vectors, words, axis=0) * parts[..., None], axis=2)

    def compute_mask(self, inputs: tuple[Any, Any], mask: Any = None) -> Any:
        """Return True where one of the reviews has a word, shape (reviews, words)."""
        return keras.ops.any(keras.ops.not_equal(inputs[0], 0), axis=-1)


def compiled_like(
    network: keras.Model, learning_rate: float, mixes: bool = False, precision: Precision = "float32"
) -> keras.Model:
    """Return a compiled network in the state of an untrained one, with a new Adam.

    With `mixes` it takes pairs of reviews (`MixedEmbedding`). `precision`: the policy by which it computes.
    """
    config = json.loads(network.to_json())
    for layer in config["config"]["layers"]:  # one compiled network serves all names and rates
        for part in (layer, *_within(layer["config"])):
            part["config"].pop("name", None)
        if layer["class_name"] in DROPOUTS:
            layer["config"]["rate"] = 0.5
    kept, optimizer_began = _compiled(json.dumps(config, sort_keys=True), mixes, precision)
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
    """Copy the weights of the compiled network, which was trained instead, to a family's network."""
    for ours, theirs in zip(_layers(trained), _layers(network), strict=True):
        if not isinstance(ours, VariableDropout):
            theirs.set_weights(ours.get_weights())


def _within(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptions of the layers in a layer, which those of two directions have."""
    return [config[name] for name in ("layer", "backward_layer") if name in config]


def _layers(network: keras.Model) -> list[keras.Layer]:
    return [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]


def _assign(variables: list[keras.Variable], values: list[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@lru_cache(KEPT)
def _compiled(architecture: str, mixes: bool, precision: Precision) -> tuple[keras.Model, list[np.ndarray]]:
    """Return a compiled network, and the initial values of its optimizer's variables."""
    network = keras.models.model_from_json(architecture)
    last = network.layers[-1]

    def open_layer(layer: keras.Layer) -> keras.Layer:
        """Return the layer with its precision, and its dropout rate as a variable."""
        policy = "float32" if layer is last else precision  # the probabilities keep their 32 bits
        if layer.__class__.__name__ in DROPOUTS:
            spatial = isinstance(layer, keras.layers.SpatialDropout1D)
            return VariableDropout(spatial, name=layer.name, dtype=policy)
        config = {**layer.get_config(), "dtype": policy}
        for within in _within(config):
            within["config"]["dtype"] = policy
        return layer.__class__.from_config(config)

    network = keras.models.clone_model(network, clone_function=open_layer)
    if mixes:
        embedding, *rest = network.layers
        inputs = keras.Input((None, 2), dtype="int32"), keras.Input((), dtype="float32")
        words, features, policy = embedding.input_dim, embedding.output_dim, embedding.dtype_policy
        outputs = MixedEmbedding(words, features, dtype=policy)(inputs)
        for layer in rest:
            outputs = layer(outputs)
        network = keras.Model(inputs, outputs)
    # Given only a name, Keras creates the metric in the first step, and TensorFlow traces that step twice.
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    optimizer = keras.optimizers.Adam()
    if precision == "mixed_float16":  # gradients below 6e-8 would be 0; `bfloat16` has the range of 32 bits
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    network.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=[accuracy])
    network.optimizer.build(network.trainable_variables)
    return network, [keras.ops.convert_to_numpy(variable) for variable in network.optimizer.variables]
