"""The peers' arrays: a network that masks nothing forgets a review behind which padding follows."""

import numpy as np

from bench.clothing import padded_left
from starcast.models.texts import Sequences


def test_peers_get_reviews_padded_on_the_left() -> None:
    tokens, offsets = np.array([5, 6, 7, 8, 9], dtype=np.int32), np.array([0, 2, 5])
    arrays = padded_left(Sequences(tokens, offsets), np.array([1, 0]), width=4)
    np.testing.assert_array_equal(arrays, [[0, 7, 8, 9], [0, 0, 5, 6]])
