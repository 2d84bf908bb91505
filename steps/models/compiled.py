"""Compiled networks, kept: TensorFlow takes seconds to trace one, and many trials of a search share their architecture.

A kept network differs from a family's own in its dropouts: their rates are variables, as the learning rate is. So it serves
every point of the space that has its layers and units; which of them it served before makes no difference to a fit.
"""

import json
from functools import lru_cache
from typing import Any

from steps.models.backend import keras

KEPT = 8  # architectures; a search comes back to those it likes
DROPOUTS = ("Dropout", "SpatialDropout1D")


class VariableDropout(keras.layers.Layer):
    """A dropout whose rate is a variable; `spatial` drops a feature from all words of a review, as SpatialDropout1D does."""

    def __init__(self, spatial: bool, **options: Any) -> None:
        super().__init__(**options)
        self._spatial, self.supports_masking = spatial, True
        self.seed_generator = keras.random.SeedGenerator(0)
        self.rate = self.add_weight(shape=(), initializer="zeros", trainable=False, name="rate")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Inputs of shape (reviews, words, features) or (reviews, features), in training some of them 0, the others larger."""
        if not training:
            return inputs
        ops = keras.ops
        reviews, *words, features = ops.shape(inputs)
        shape = (reviews, *(1 if self._spatial else length for length in words), features)
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= self.rate
        return ops.where(kept, inputs / (1 - self.rate), 0.0)


def compiled_like(network: keras.Model, learning_rate: float) -> keras.Model:
    """A compiled network in the state of an untrained one: its weights, dropouts and generators, Adam at its beginning."""
    kept = _compiled(_architecture(network))
    for ours, theirs in zip(kept.layers, network.layers, strict=True):
        if isinstance(ours, VariableDropout):
            ours.rate.assign(theirs.rate)
            ours.seed_generator.state.assign(theirs.seed_generator.state if theirs.rate else (0, 0))
        else:
            _assign(ours.variables, theirs.variables)
    optimizer = kept.optimizer
    _assign(optimizer.variables, [keras.ops.zeros_like(variable) for variable in optimizer.variables])
    optimizer.learning_rate = learning_rate
    return kept


def copy_weights(trained: keras.Model, network: keras.Model) -> None:
    """Give a family's network the weights of the compiled one that was trained in its place."""
    for ours, theirs in zip(trained.layers, network.layers, strict=True):
        if not isinstance(ours, VariableDropout):
            theirs.set_weights(ours.get_weights())


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
def _compiled(architecture: str) -> keras.Model:
    network = keras.models.clone_model(keras.models.model_from_json(architecture), clone_function=_open)
    # By its name alone Keras makes a metric in the first step, and TensorFlow then traces that step twice.
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    network.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy", metrics=[accuracy])
    network.optimizer.build(network.trainable_variables)
    return network


def _open(layer: keras.Layer) -> keras.Layer:
    if layer.__class__.__name__ in DROPOUTS:
        return VariableDropout(isinstance(layer, keras.layers.SpatialDropout1D), name=layer.name)
    return layer.__class__.from_config(layer.get_config())
