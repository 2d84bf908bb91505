"""The learning rate of a fit: as set, or falling to zero over all of its batches."""

from typing import Any

import numpy as np
import pytest

from starcast.models import training as training_module
from starcast.models.backend import keras
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.space import Settings
from starcast.models.training import FallingRate
from tests.models.test_networks import Epochs, part

SETTINGS: Settings = {"units_1": 4, "dropout_1": 0.0, "dropout_2": 0.0, "learning_rate": 0.1}


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(48, seed=0), part(24, seed=1))


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The optimizer's rate at the end of each batch of the fits in a test."""
    seen: list[float] = []

    class Seeing(training_module.Validation):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    monkeypatch.setattr(training_module, "Validation", Seeing)
    return seen


def test_a_constant_rate_stays(corpus: Corpus, rates: list[float]) -> None:
    family_named("gru_1").fit(
        corpus,
        ModelSpec(
            "gru_1",
            SETTINGS,
            FitOptions(sampling="none", epochs=2, batch_size=16, seed=1, patience=2, schedule="constant"),
        ),
        Epochs(),
    )
    assert rates == pytest.approx([0.1] * 6)


def test_a_linear_rate_falls_batch_by_batch_and_would_be_zero_after_the_last(
    corpus: Corpus, rates: list[float]
) -> None:
    family_named("gru_1").fit(
        corpus,
        ModelSpec(
            "gru_1",
            SETTINGS,
            FitOptions(sampling="none", epochs=2, batch_size=16, seed=1, patience=2, schedule="linear"),
        ),
        Epochs(),
    )
    assert rates == pytest.approx(0.1 * np.arange(6, 0, -1) / 6)


def test_a_rate_goes_on_falling_where_a_fit_was_cut_off() -> None:
    falling = FallingRate(0.1, batches=3, epochs=2, epochs_done=1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    falling.set_model(model)
    falling.on_train_batch_begin(0)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.05)
