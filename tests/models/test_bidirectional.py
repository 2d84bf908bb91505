"""Networks that read a review in both directions and pool all its words, with ordinal heads."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.space import Settings
from tests.models.test_networks import Epochs, part

HEADED: list[tuple[str, Settings]] = [
    ("bigru", {"pooling": "attention", "head": "corn", "label_smoothing": 0.05}),
    ("bilstm", {"pooling": "max_mean", "head": "emd", "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "settings"), HEADED, ids=[name for name, _ in HEADED])
def test_an_ordinal_network_of_two_directions_learns_and_answers_the_same_when_loaded(
    tmp_path: Path, name: str, settings: Settings
) -> None:
    family, recorder, corpus = family_named(name), Epochs(), Corpus(part(48, seed=0), part(24, seed=1))
    settings = {**family.check({**settings, "learning_rate": 5e-3}), "units": 4, "learning_rate": 0.05}
    how = FitOptions(sampling="none", epochs=10, batch_size=16, seed=1, patience=10)
    fitted = family.fit(corpus, ModelSpec(name, settings, how), recorder)
    assert fitted.best_epoch > 1
    assert recorder.metrics[-1]["train_accuracy"] > 0.7
    fitted.model.save(tmp_path)
    loaded = family.load(tmp_path)
    texts = corpus.validation.texts
    np.testing.assert_allclose(loaded.probabilities(texts), fitted.validation_probabilities, atol=1e-6)
    short = pl.Series(["gorgeous", "awful dress", "", "okay it is"])
    among_long = loaded.probabilities(
        pl.concat([short, pl.Series(["the dress is nice and fits and is " * 9])])
    )
    alone = np.concatenate([loaded.probabilities(short.slice(i, 1)) for i in range(len(short))])
    np.testing.assert_allclose(among_long[:4], alone, atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 0.1
