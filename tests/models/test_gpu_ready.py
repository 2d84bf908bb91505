"""What a GPU asks of the batches, checked without one."""

import numpy as np
import polars as pl

from tests.models.vocabularies import vocabulary_of


def test_batches_are_as_cudnn_wants_them_each_review_a_word_and_words_first() -> None:
    texts = pl.Series(["a soft dress", "", "soft", "unheard of"])
    batch = vocabulary_of(texts[:1]).encode(texts).padded(np.arange(4))
    words = batch != 0
    assert words[:, 0].all()
    assert not (~words[:, :-1] & words[:, 1:]).any()
