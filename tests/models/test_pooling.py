"""Pooling of a review's words into one vector, without its padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as how_often
from hypothesis import strategies as st

from starcast.models.backend import keras
from starcast.models.pooling import Pooling

FEATURES = 3
REVIEWS = st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * FEATURES), min_size=1, max_size=5)


def pooled(words: np.ndarray, padding: int = 0, filler: float = 0.0) -> np.ndarray:
    """The vector of one review, followed by so many places of padding that hold `filler`."""
    places = np.concatenate([words, np.full((padding, FEATURES), filler)]).astype(np.float32)
    mask = np.arange(len(places)) < len(words)
    return np.asarray(Pooling()(places[None], mask=mask[None]))[0]


@how_often(max_examples=20)
@given(words=REVIEWS, padding=st.integers(0, 3), filler=st.sampled_from([-9.0, 0.0, 9.0]))
def test_a_vector_is_the_highest_and_the_mean_of_the_words_without_padding(
    words: list[tuple[float, ...]], padding: int, filler: float
) -> None:
    array = np.array(words)
    expected = np.concatenate([array.max(axis=0), array.mean(axis=0)])
    assert pooled(array, padding, filler) == pytest.approx(expected, abs=1e-6)


def test_its_shape_is_known_and_it_can_be_described() -> None:
    symbol = keras.KerasTensor((None, None, FEATURES))
    layer = Pooling.from_config(Pooling().get_config())
    assert layer.compute_output_shape(symbol.shape) == (None, len(pooled(np.ones((2, FEATURES)))))
