"""Pooling of a review's words into one vector, without its padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how_often
from hypothesis import strategies as st

from starcast.models.backend import keras
from starcast.models.pooling import Pooling
from starcast.models.recurrent_families import POOLINGS

FEATURES = 3


@pytest.fixture(scope="module")
def layers() -> dict[str, Pooling]:
    """One of each kind, with weights under which words differ in attention."""
    made = {kind: Pooling(kind) for kind in POOLINGS}
    random = np.random.default_rng(0)
    for layer in made.values():
        layer.build((None, None, FEATURES))
        for weight in layer.weights:
            weight.assign(random.normal(size=weight.shape))
    return made


def pooled(layer: Pooling, words: np.ndarray, padding: int = 0, filler: float = 0.0) -> np.ndarray:
    """The vector of one review, followed by so many places of padding that hold `filler`."""
    places = np.concatenate([words, np.full((padding, FEATURES), filler)]).astype(np.float32)
    mask = np.arange(len(places)) < len(words)
    return np.asarray(layer(places[None], mask=mask[None]))[0]


REVIEWS = st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * FEATURES), min_size=1, max_size=5)


@how_often(max_examples=20)
@given(words=REVIEWS, padding=st.integers(0, 3), filler=st.sampled_from([-9.0, 0.0, 9.0]))
def test_padding_changes_no_pooled_vector(
    layers: dict[str, Pooling], words: list[tuple[float, ...]], padding: int, filler: float
) -> None:
    for layer in layers.values():
        alone = pooled(layer, np.array(words))
        assert pooled(layer, np.array(words), padding, filler) == pytest.approx(alone, abs=1e-6)


@how_often(max_examples=20)
@given(words=REVIEWS)
def test_a_vector_is_what_its_kind_says(layers: dict[str, Pooling], words: list[tuple[float, ...]]) -> None:
    array = np.array(words)
    of_max_mean = pooled(layers["max_mean"], array, padding=2)
    assert of_max_mean == pytest.approx(np.concatenate([array.max(axis=0), array.mean(axis=0)]), abs=1e-6)
    attention = layers["attention"]
    scores = np.exp(np.tanh(array @ np.asarray(attention.layer)) @ np.asarray(attention.query))
    expected = (scores / scores.sum() * array).sum(axis=0)
    assert pooled(attention, array, padding=2) == pytest.approx(expected, abs=1e-5)


def test_untrained_attention_is_the_mean() -> None:
    words = np.random.default_rng(1).normal(size=(4, FEATURES))
    assert pooled(Pooling("attention"), words, padding=3) == pytest.approx(words.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("kind", POOLINGS)
def test_its_shape_is_known_and_it_can_be_described(kind: str) -> None:
    symbol = keras.KerasTensor((None, None, FEATURES))
    layer = Pooling.from_config(Pooling(kind).get_config())
    assert layer.kind == kind
    shape = layer.compute_output_shape(symbol.shape)
    assert shape == (None, len(pooled(layer, np.ones((2, FEATURES)))))
