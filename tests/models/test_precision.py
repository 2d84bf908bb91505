"""Training in 16 bits, on a CPU: the weights, what is watched and what is saved stay in 32."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from starcast.models import compiled
from starcast.models.backend import keras
from starcast.models.catalogue import family_named
from starcast.models.compiled import compiled_like
from starcast.models.corpus import Corpus
from starcast.models.family import Fit, FitOptions, ModelSpec, Precision, Sampling
from starcast.models.recurrent_families import NetworkFamily
from tests.models.test_networks import Epochs, part

HOW = FitOptions(sampling="none", epochs=6, batch_size=16, seed=1, patience=6)
SETTINGS = {"units_1": 8, "dropout_1": 0.3, "dropout_2": 0.1, "learning_rate": 0.03}
MIXED: tuple[Precision, ...] = ("mixed_bfloat16", "mixed_float16")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(160, seed=0), part(48, seed=1))


def fit(corpus: Corpus, precision: Precision = "float32", sampling: Sampling = "none") -> tuple[Fit, Epochs]:
    recorder = Epochs()
    how = replace(HOW, precision=precision, sampling=sampling)
    return family_named("gru_1").fit(corpus, ModelSpec("gru_1", SETTINGS, how), recorder), recorder


def untrained() -> keras.Model:
    family = family_named("gru_1")
    assert isinstance(family, NetworkFamily)
    return family.build(SETTINGS)


@pytest.mark.parametrize(("precision", "sampling"), [("mixed_bfloat16", "none"), ("mixed_float16", "smote")])
def test_a_network_learns_in_16_bits_as_in_32(
    corpus: Corpus, precision: Precision, sampling: Sampling
) -> None:
    _, mixed = fit(corpus, precision, sampling)
    _, full = fit(corpus, "float32", sampling)
    assert mixed.metrics[-1]["val_loss"] < 0.5 * mixed.metrics[0]["val_loss"]
    assert mixed.metrics[-1]["val_loss"] == pytest.approx(full.metrics[-1]["val_loss"], rel=0.5)
    assert mixed.metrics[-1]["train_loss"] != full.metrics[-1]["train_loss"]  # else it was trained in 32


@pytest.mark.parametrize("precision", MIXED)
def test_every_layer_but_the_probabilities_computes_in_16_bits_with_weights_of_32(
    precision: Precision,
) -> None:
    *layers, last = compiled_like(untrained(), 1e-3, precision=precision).layers
    assert {layer.compute_dtype for layer in layers} == {precision.removeprefix("mixed_")}
    assert last.compute_dtype == "float32"
    assert {weight.dtype for layer in (*layers, last) for weight in layer.weights} - {"uint32"} == {"float32"}


@pytest.mark.parametrize("precision", MIXED)
def test_what_is_watched_in_a_mixed_fit_is_what_the_saved_model_answers(
    corpus: Corpus, tmp_path: Path, precision: Precision
) -> None:
    fitted, _ = fit(corpus, precision)
    fitted.model.save(tmp_path)
    loaded = family_named("gru_1").load(tmp_path)
    assert {layer.dtype_policy.name for layer in loaded.network.layers} == {"float32"}
    answers = loaded.probabilities(corpus.validation.texts)
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, fitted.validation_probabilities, atol=1e-6)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("precision", MIXED)
def test_a_mixed_fit_changes_no_fit_after_it_mixed_or_not(corpus: Corpus, precision: Precision) -> None:
    compiled._compiled.cache_clear()
    full, mixed = fit(corpus)[1], fit(corpus, precision)[1]
    assert fit(corpus)[1].metrics == full.metrics
    # A loss scale left by the fit before would show.
    assert fit(corpus, precision)[1].metrics == mixed.metrics


def test_the_scale_of_float16_begins_anew_with_every_fit() -> None:
    network = compiled_like(untrained(), 1e-3, precision="mixed_float16")
    scale = network.optimizer.dynamic_scale
    began = float(scale)
    assert began > 1
    scale.assign(1.0)
    assert float(compiled_like(untrained(), 1e-3, precision="mixed_float16").optimizer.dynamic_scale) == began


def test_the_precision_is_a_parameter_of_a_run_where_it_is_not_the_usual_one() -> None:
    assert "precision" not in HOW.logged()
    assert replace(HOW, precision="mixed_bfloat16").logged()["precision"] == "mixed_bfloat16"
