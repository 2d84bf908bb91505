"""The peers' arrays: a network that masks nothing forgets a review behind which padding follows."""

import numpy as np
import polars as pl
import pytest

from bench import clothing
from starcast.models.corpus import Corpus, CorpusSplit


def test_peers_get_reviews_padded_on_the_left(monkeypatch: pytest.MonkeyPatch) -> None:
    train = CorpusSplit(pl.Series("cleaned", ["good and warm", "bad"]), np.array([4, 0]))
    validation = CorpusSplit(pl.Series("cleaned", ["warm"]), np.array([3]))
    monkeypatch.setattr(clothing, "load_corpus", lambda: Corpus(train, validation))
    arrays = clothing.load_arrays()
    assert ((arrays.train != 0) == [[True, True, True], [False, False, True]]).all()
    assert ((arrays.validation != 0) == [[False, False, True]]).all()
    assert arrays.train_labels.argmax(axis=1).tolist() == [4, 0]
