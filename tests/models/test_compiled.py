"""A compiled network that serves trial after trial: no trial shows which ones came before it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as how_often
from hypothesis import strategies as st

from starcast.models import compiled, networks
from starcast.models.backend import keras
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus
from starcast.models.family import Fit, FitOptions, ModelSpec
from starcast.models.recurrent_families import NetworkFamily
from starcast.models.space import Settings
from tests.models.test_networks import Epochs, part

HOW = FitOptions(sampling="none", epochs=2, batch_size=16, seed=1, patience=2, schedule="linear")
OF_TWO_DIRECTIONS: Settings = {"units": 4, "dropout_2": 0.1}
TRIALS: list[tuple[str, Settings, Settings]] = [
    (
        "gru_1",
        {"units_1": 8, "dropout_1": 0.4, "dropout_2": 0.0, "learning_rate": 1e-2},
        {"units_1": 8, "dropout_1": 0.0, "dropout_2": 0.3, "learning_rate": 1e-3},
    ),
    (
        "lstm_1",
        {"units": 32, "spatial_dropout": 0.0, "learning_rate": 1e-3},
        {"units": 32, "spatial_dropout": 0.4, "learning_rate": 1e-2},
    ),
    (
        "bilstm",
        {**OF_TWO_DIRECTIONS, "dropout_1": 0.0, "learning_rate": 1e-2},
        {**OF_TWO_DIRECTIONS, "dropout_1": 0.4, "learning_rate": 1e-3},
    ),
]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(48, seed=0), part(24, seed=1))


def fit(corpus: Corpus, family: str, settings: Settings, how: FitOptions = HOW) -> tuple[Fit, Epochs]:
    recorder = Epochs()
    return family_named(family).fit(corpus, ModelSpec(family, settings, how), recorder), recorder


@pytest.mark.parametrize(("family", "before", "settings"), TRIALS)
def test_a_trial_does_not_depend_on_those_before_it(
    corpus: Corpus, tmp_path: Path, family: str, before: Settings, settings: Settings
) -> None:
    compiled._compiled.cache_clear()
    fresh, expected = fit(corpus, family, settings)
    compiled._compiled.cache_clear()
    _, other = fit(
        corpus,
        family,
        before,
        FitOptions(sampling="class_weight", epochs=1, batch_size=8, seed=2, patience=1),
    )
    again, seen = fit(corpus, family, settings)
    assert compiled._compiled.cache_info().hits == 1  # else this test would show nothing
    assert other.metrics[0] != expected.metrics[0]
    assert seen.metrics == expected.metrics
    np.testing.assert_array_equal(again.validation_probabilities, fresh.validation_probabilities)
    answers = [fitted.model.probabilities(corpus.validation.texts) for fitted in (again, fresh)]
    np.testing.assert_array_equal(*answers)


def test_the_model_of_a_trial_stays_when_the_next_one_is_trained(corpus: Corpus) -> None:
    family, settings, others = TRIALS[0]
    fitted, _ = fit(corpus, family, settings)
    texts = pl.Series(["a gorgeous dress", "awful"])
    before = fitted.model.probabilities(texts)
    fit(corpus, family, others)
    np.testing.assert_array_equal(fitted.model.probabilities(texts), before)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="counts the traces of TensorFlow's functions"
)
def test_a_second_trial_of_an_architecture_is_not_traced(corpus: Corpus) -> None:
    compiled._compiled.cache_clear()
    family, settings, others = TRIALS[0]
    assert isinstance(family_named(family), NetworkFamily)
    fit(corpus, family, settings)
    network = compiled.compiled_like(family_named(family).build(others), 1e-2)
    traced = network.predict_function.experimental_get_tracing_count()
    function = network.train_function
    fit(corpus, family, others)
    assert network.predict_function.experimental_get_tracing_count() == traced
    assert network.train_function is function


def test_another_architecture_is_another_network() -> None:
    family, settings, _ = TRIALS[0]
    made = [
        compiled.compiled_like(family_named(family).build({**settings, "units_1": units}), 0.1)
        for units in (8, 8, 16)
    ]
    assert made[0] is made[1] is not made[2]


def test_no_more_networks_are_kept_than_is_said() -> None:
    assert compiled._compiled.cache_info().maxsize == compiled.KEPT


@pytest.mark.parametrize("spatial", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.4])
def test_a_variable_dropout_drops_at_its_rate_and_keeps_the_mean(spatial: bool, rate: float) -> None:
    layer = compiled.VariableDropout(spatial)
    layer.rate.assign(rate)
    inputs = np.ones((200, 5, 40), dtype=np.float32)
    dropped = np.asarray(layer(inputs, training=True))
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.02)
    assert dropped.mean() == pytest.approx(1, abs=0.03)
    assert (dropped == dropped[:, :1]).all() == (spatial or rate == 0)
    np.testing.assert_array_equal(layer(inputs, training=False), inputs)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="counts the traces of TensorFlow's functions"
)
def test_a_first_trial_traces_its_step_once_and_its_predictions_twice(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = []
    step = keras.Model.train_step

    def counted(self: keras.Model, data: object) -> object:
        traces.append(self)
        return step(self, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    monkeypatch.setattr(networks, "PREDICTION_BATCH", 10)  # 24 reviews: three batches, the first of 4
    compiled._compiled.cache_clear()
    family, settings, _ = TRIALS[0]
    fit(corpus, family, settings)
    assert len(traces) == 1
    assert traces[0].predict_function.experimental_get_tracing_count() <= 2


TOKENS = st.lists(st.integers(1, 19), max_size=6)


def pairs_of(first: list[list[int]], second: list[list[int]]) -> np.ndarray:
    """Word indices of pairs of reviews, padded on the left."""
    width = max(1, *(len(words) for words in (*first, *second)))
    sides = [[[0] * (width - len(words)) + words for words in side] for side in (first, second)]
    return np.stack(sides, axis=-1).astype(np.int32)


@pytest.fixture(scope="module")
def mixing() -> compiled.MixedEmbedding:
    layer = compiled.MixedEmbedding(20, 3)
    layer.vectors.assign(np.random.default_rng(0).normal(size=(20, 3)))  # that of padding is not zero
    return layer


@how_often(max_examples=30)
@given(pairs=st.lists(st.tuples(TOKENS, TOKENS, st.floats(0, 1, width=32)), min_size=1, max_size=5))
def test_vectors_are_mixed_word_by_word_from_the_end_and_padding_adds_nothing(
    mixing: compiled.MixedEmbedding, pairs: list[tuple[list[int], list[int], float]]
) -> None:
    first, second, shares = (list(side) for side in zip(*pairs, strict=True))
    words, vectors = pairs_of(first, second), np.asarray(mixing.vectors)
    inputs = words, np.array(shares, np.float32)
    mixed, mask = np.asarray(mixing(inputs)), np.asarray(mixing.compute_mask(inputs))
    expected = np.zeros((*words.shape[:2], 3))
    for row, (one, other, share) in enumerate(pairs):
        for kept, tokens in ((1 - share, one), (share, other)):
            for place, token in enumerate(reversed(tokens), start=1):
                expected[row, -place] += kept * vectors[token]
        assert mask[row].sum() == max(len(one), len(other))
        assert (np.diff(mask[row].astype(int)) >= 0).all()
    np.testing.assert_allclose(mixed, expected, atol=1e-6)


def test_with_share_0_the_network_of_pairs_answers_as_that_of_single_reviews() -> None:
    network = family_named("gru_1").build({**TRIALS[0][1], "dropout_1": 0.0})  # type: ignore[attr-defined]
    of_pairs, single = compiled.compiled_like(network, 0.1, mixes=True), compiled.compiled_like(network, 0.1)
    first, second = [[5, 6], [7], [], [3, 4, 9]], [[7, 8], [3], [], [5, 2]]
    words = pairs_of(first, second)
    nothing, half, all_of_it = (
        of_pairs.predict_on_batch((words, np.full(4, share, np.float32))) for share in (0.0, 0.5, 1.0)
    )
    assert nothing == pytest.approx(single.predict_on_batch(words[..., 0]), abs=1e-6)
    assert all_of_it[:2] == pytest.approx(single.predict_on_batch(words[:2, :, 1]), abs=1e-6)
    assert np.abs(half[0] - nothing[0]).max() > 1e-4


SMOTE = replace(HOW, sampling="smote", neighbours=2)


def test_a_trial_under_smote_answers_single_reviews_and_depends_on_no_other_trial(corpus: Corpus) -> None:
    family, before, settings = TRIALS[0]
    compiled._compiled.cache_clear()
    fresh, expected = fit(corpus, family, settings, SMOTE)
    compiled._compiled.cache_clear()
    fit(corpus, family, before, SMOTE)
    again, seen = fit(corpus, family, settings, SMOTE)
    assert compiled._compiled.cache_info().hits == 2  # else this test would show nothing
    assert seen.metrics == expected.metrics
    np.testing.assert_array_equal(again.validation_probabilities, fresh.validation_probabilities)
    answers = fresh.model.probabilities(corpus.validation.texts)
    np.testing.assert_allclose(answers, fresh.validation_probabilities, atol=1e-6)
    np.testing.assert_array_equal(
        fresh.validation_probabilities, expected.probabilities[fresh.best_epoch - 1]
    )
    plain, _ = fit(corpus, family, settings)
    assert np.abs(plain.validation_probabilities - fresh.validation_probabilities).max() > 1e-3


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="counts the traces of TensorFlow's functions"
)
def test_trials_under_smote_trace_their_step_once(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = []
    step = keras.Model.train_step

    def counted(self: keras.Model, data: object) -> object:
        traces.append(self)
        return step(self, data)

    monkeypatch.setattr(keras.Model, "train_step", counted)
    compiled._compiled.cache_clear()
    family, settings, others = TRIALS[0]
    fit(corpus, family, settings, SMOTE)
    fit(corpus, family, others, replace(SMOTE, seed=2, batch_size=32))
    assert len(traces) == 1
