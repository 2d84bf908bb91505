"""A network that reads a review in both directions and pools all its words."""

from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, ModelSpec
from tests.models.test_networks import Epochs, part


def test_a_network_of_two_directions_learns_and_answers_the_same_when_loaded(tmp_path: Path) -> None:
    family, recorder, corpus = family_named("bilstm"), Epochs(), Corpus(part(48, seed=0), part(24, seed=1))
    settings = {**family.published, "units": 4, "learning_rate": 0.05}
    how = FitOptions(sampling="none", epochs=10, batch_size=16, seed=1, patience=10)
    fitted = family.fit(corpus, ModelSpec("bilstm", settings, how), recorder)
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
