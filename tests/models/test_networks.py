"""Recurrent networks, tiny and on a CPU: what a fit keeps, reports and saves."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import log_loss

from starcast.models import training as networks_training
from starcast.models.catalogue import FAMILIES, family_named
from starcast.models.compiled import compiled_like
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Fit, FitOptions, ModelSpec, Sampling
from starcast.models.fit_report import FitReport
from starcast.models.networks import FittedNetwork
from starcast.models.recurrent_families import NetworkFamily
from starcast.models.sampling import count_ratings
from starcast.models.space import Value
from starcast.models.texts import Sequences

WORDS = ("awful", "poor", "okay", "nice", "gorgeous")
FILLERS = ("the", "dress", "it", "is", "and", "fits")
NETWORKS = [name for name, family in FAMILIES.items() if isinstance(family, NetworkFamily)]
SMALL: dict[str, Value] = {"units_1": 4, "dropout_1": 0.3, "dropout_2": 0.0, "learning_rate": 0.1}
EPOCHS = 12


class Epochs:
    """Keeps what a fit reports."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.metrics: list[Mapping[str, float]] = []
        self.probabilities: list[np.ndarray] = []

    def report(self, report: FitReport) -> None:
        self.numbers.append(report.number)
        self.metrics.append(report.metrics)
        self.probabilities.append(report.probabilities)


def part(reviews: int, seed: int, wrong: int = 0) -> CorpusSplit:
    """Reviews of 1 to 7 words, the first of which tells the rating; the first `wrong` ratings are false."""
    random = np.random.default_rng(seed)
    ratings = np.minimum(np.arange(reviews) % 8, 4)
    texts = [" ".join([WORDS[i], *random.choice(FILLERS, size=random.integers(0, 7))]) for i in ratings]
    ratings[:wrong] = (ratings[:wrong] + 2) % 5
    return CorpusSplit(pl.Series(texts), ratings)


def fit(training: FitOptions, corpus: Corpus, **settings: Value) -> tuple[Fit, Epochs]:
    recorder = Epochs()
    family = family_named("gru_1")
    return family.fit(
        corpus, ModelSpec(family.name, {**family.published, **SMALL, **settings}, training), recorder
    ), recorder


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Some validation ratings lie, so that the validation loss falls, then rises."""
    return Corpus(part(48, seed=0), part(24, seed=1, wrong=6))


@pytest.fixture(scope="module")
def overfitted(corpus: Corpus) -> tuple[Fit, Epochs]:
    return fit(FitOptions(sampling="none", epochs=EPOCHS, batch_size=16, seed=1, patience=2), corpus)


def test_a_fit_tells_how_much_of_an_epoch_is_done(corpus: Corpus) -> None:
    told: list[tuple[str, float]] = []
    fit(
        FitOptions(sampling="none", epochs=2, batch_size=16, seed=1, patience=2),
        replace(corpus, show=lambda what, share: told.append((what, share))),
    )
    assert [each for each in told if each[0].startswith("epoch")] == [
        (f"epoch {n}", i / 3) for n in (1, 2) for i in range(3)
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_each_family_fits_an_epoch_and_answers_rows_that_sum_to_1(name: str, corpus: Corpus) -> None:
    family, recorder = family_named(name), Epochs()
    units = {name: values for name, values in family.space.items() if name.startswith("units")}
    small = {name: values[0] for name, values in units.items() if isinstance(values, tuple)}
    fitted = family.fit(
        corpus,
        ModelSpec(
            family.name,
            family.check(small),
            FitOptions(sampling=family.sampling, epochs=1, batch_size=16, seed=1, patience=1),
        ),
        recorder,
    )
    # As many and as long as the validation reviews: a batch of another shape would cost seconds to compile.
    answers = fitted.model.probabilities(
        pl.Series(["a gorgeous dress", "", "unheard of words", "it " * 400] * 6)
    )
    assert answers.shape == (24, 5)
    assert (answers > 0).all()
    assert answers.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert fitted.validation_probabilities.shape == (24, 5)
    assert recorder.numbers == [1]


def test_a_fit_keeps_the_weights_of_its_best_epoch(corpus: Corpus, overfitted: tuple[Fit, Epochs]) -> None:
    fitted, recorder = overfitted
    losses = [metrics["val_loss"] for metrics in recorder.metrics]
    assert fitted.best_epoch == int(np.argmin(losses)) + 1
    assert 1 < fitted.best_epoch < fitted.epochs  # else this test would show nothing
    kept = recorder.probabilities[fitted.best_epoch - 1]
    assert fitted.validation_probabilities.tolist() == kept.tolist()
    answers = fitted.model.probabilities(corpus.validation.texts)
    assert answers == pytest.approx(kept, abs=1e-6)
    assert np.abs(answers - recorder.probabilities[-1]).max() > 0.01


def test_a_fit_stops_when_patience_ends(overfitted: tuple[Fit, Epochs]) -> None:
    fitted, _ = overfitted
    assert fitted.epochs == fitted.best_epoch + 2
    assert fitted.epochs < EPOCHS


def test_every_epoch_is_reported_with_its_losses(corpus: Corpus, overfitted: tuple[Fit, Epochs]) -> None:
    fitted, recorder = overfitted
    assert recorder.numbers == list(range(1, fitted.epochs + 1))
    for metrics, probabilities in zip(recorder.metrics, recorder.probabilities, strict=True):
        assert metrics.keys() == {"train_loss", "train_accuracy", "val_loss"}
        assert metrics["val_loss"] == pytest.approx(
            log_loss(corpus.validation.ratings, probabilities, labels=range(5))
        )
    assert recorder.metrics[-1]["train_loss"] < recorder.metrics[0]["train_loss"]
    assert recorder.metrics[-1]["train_accuracy"] > 0.7


def test_equal_fits_give_equal_metrics(corpus: Corpus, overfitted: tuple[Fit, Epochs]) -> None:
    fitted, recorder = overfitted
    again, seen = fit(FitOptions(sampling="none", epochs=EPOCHS, batch_size=16, seed=1, patience=2), corpus)
    assert seen.metrics == recorder.metrics
    assert again.validation_probabilities.tolist() == fitted.validation_probabilities.tolist()


def test_another_seed_gives_another_fit(corpus: Corpus, overfitted: tuple[Fit, Epochs]) -> None:
    _, seen = fit(FitOptions(sampling="none", epochs=1, batch_size=16, seed=2, patience=1), corpus)
    assert seen.metrics[0]["train_loss"] != pytest.approx(overfitted[1].metrics[0]["train_loss"], abs=1e-3)


def test_class_weight_takes_probability_from_the_frequent_rating(
    corpus: Corpus, overfitted: tuple[Fit, Epochs]
) -> None:
    _, weighted = fit(
        FitOptions(sampling="class_weight", epochs=2, batch_size=16, seed=1, patience=2), corpus
    )
    plain = overfitted[1]
    for epoch in (0, 1):
        assert weighted.probabilities[epoch][:, 4].mean() < plain.probabilities[epoch][:, 4].mean() - 0.02


def test_an_answer_does_not_depend_on_the_other_reviews_of_the_batch(overfitted: tuple[Fit, Epochs]) -> None:
    model = overfitted[0].model
    texts = ["gorgeous", "awful dress", "", "okay it is"]
    alone = np.concatenate([model.probabilities(pl.Series([text])) for text in texts])
    among_long = model.probabilities(pl.Series([*texts, "the dress is nice and fits and is poor"]))[:4]
    reversed_order = model.probabilities(pl.Series(texts[::-1]))[::-1]
    assert among_long == pytest.approx(alone, abs=1e-5)
    assert reversed_order == pytest.approx(alone, abs=1e-5)
    assert np.abs(alone[0] - alone[1]).max() > 0.1


def test_more_reviews_than_a_batch_of_prediction_keep_their_order(overfitted: tuple[Fit, Epochs]) -> None:
    model = overfitted[0].model
    texts = pl.Series(["gorgeous dress", "awful", "okay it is", ""] * 150)
    few = model.probabilities(texts[:4])
    assert model.probabilities(texts) == pytest.approx(np.tile(few, (150, 1)), abs=1e-5)


def test_saved_network_answers_the_same_when_loaded(
    corpus: Corpus, overfitted: tuple[Fit, Epochs], tmp_path: Path
) -> None:
    fitted, _ = overfitted
    fitted.model.save(tmp_path)
    loaded = family_named("gru_1").load(tmp_path)
    texts = corpus.validation.texts
    assert loaded.probabilities(texts) == pytest.approx(fitted.model.probabilities(texts), abs=1e-7)
    assert loaded.parameters() == fitted.model.parameters()
    assert {path.name for path in tmp_path.iterdir()} == {"network.keras", "vocabulary.json"}


def test_the_file_holds_no_state_of_the_optimizer(overfitted: tuple[Fit, Epochs], tmp_path: Path) -> None:
    model = overfitted[0].model
    assert isinstance(model, FittedNetwork)
    model.save(tmp_path)
    compiled_like(model.network, 0.1).save(tmp_path / "with_optimizer.keras")
    groups = {}
    for name in ("network.keras", "with_optimizer.keras"):
        with (
            zipfile.ZipFile(tmp_path / name) as archive,
            archive.open("model.weights.h5") as file,
            h5py.File(file) as weights,
        ):
            groups[name] = set(weights)
    assert "optimizer" in groups["with_optimizer.keras"]  # so the next line can fail
    assert "optimizer" not in groups["network.keras"]
    # Adam holds two more numbers per weight of 4 bytes.
    assert model.parameters() * 4 < (tmp_path / "network.keras").stat().st_size < model.parameters() * 6


def test_training_that_diverges_says_so(corpus: Corpus) -> None:
    with pytest.raises(FloatingPointError, match="not finite after epoch 1: the learning rate is too high"):
        fit(
            FitOptions(sampling="none", epochs=3, batch_size=16, seed=1, patience=3),
            corpus,
            learning_rate=1e38,
        )


def test_training_that_diverges_late_keeps_its_best_epoch_and_says_so(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    how = FitOptions(sampling="none", epochs=5, batch_size=16, seed=1, patience=5)
    whole, epochs = fit(how, corpus)
    asked = 0

    def predict(network: keras.Model, sequences: Sequences) -> np.ndarray:
        nonlocal asked
        asked += 1
        return answers(network, sequences) if asked <= 2 else np.full((24, 5), np.nan, np.float32)

    answers = networks_training.predict
    with monkeypatch.context() as patched:
        patched.setattr(networks_training, "predict", predict)
        fitted, recorder = fit(how, corpus)
    assert asked == 3  # it went no further
    assert (fitted.epochs, fitted.best_epoch, whole.epochs) == (2, 2, 5)
    assert recorder.metrics == epochs.metrics[:2]
    why = "not finite after epoch 3: the learning rate is too high for these settings"
    assert f"{why}; the best epoch, 2, is kept" in capsys.readouterr().out
    np.testing.assert_array_equal(fitted.validation_probabilities, epochs.probabilities[1])
    assert fitted.model.probabilities(corpus.validation.texts) == pytest.approx(
        epochs.probabilities[1], abs=1e-6
    )


SAMPLINGS: dict[Sampling, list[int]] = {
    "none": [6, 6, 6, 6, 24],
    "class_weight": [6, 6, 6, 6, 24],
    "random_under": [6] * 5,
    "random_over": [24] * 5,
    "smote": [24] * 5,
    "nearmiss_2": [6] * 5,
    "adasyn": [24] * 5,
    "adasyn_token_ids": [24] * 5,
}


@pytest.mark.parametrize("family", ["gru_1", "logistic_regression"])
def test_every_sampling_trains_a_model_of_its_own(family: str, corpus: Corpus) -> None:
    answers: dict[str, np.ndarray] = {}
    for sampling in family_named(family).samplings:
        small = SMALL if family == "gru_1" else {"c": 10.0}
        how = FitOptions(sampling=sampling, epochs=2, batch_size=16, seed=1, patience=2, neighbours=3)
        fitted = family_named(family).fit(
            corpus, ModelSpec(family, {**family_named(family).published, **small}, how), Epochs()
        )
        probabilities = fitted.model.probabilities(corpus.validation.texts)
        np.testing.assert_allclose(probabilities, fitted.validation_probabilities, atol=1e-6)
        counts = count_ratings(fitted.trained_on).tolist()
        assert counts == pytest.approx(SAMPLINGS[sampling], abs=6 if sampling.startswith("adasyn") else 0)
        assert all(np.abs(probabilities - others).max() > 1e-3 for others in answers.values()), sampling
        answers[sampling] = probabilities
    assert len(answers) == (8 if family == "gru_1" else 7)


def test_settings_change_the_network() -> None:
    family = family_named("gru_4")
    assert isinstance(family, NetworkFamily)
    given = {
        "units_1": 8,
        "units_2": 16,
        "units_3": 32,
        "units_4": 64,
        **{f"dropout_{i}": i / 20 for i in range(1, 6)},
    }
    layers = family.build(family.check(given)).layers
    assert [layer.units for layer in layers if hasattr(layer, "units")] == [8, 16, 32, 64, 5]
    assert [layer.rate for layer in layers if hasattr(layer, "rate")] == [0.05, 0.1, 0.15, 0.2, 0.25]
    kinds = ["Embedding", *["Dropout", "GRU"] * 4, "Dropout", "Dense"]
    assert [type(layer).__name__ for layer in layers] == kinds


def test_study_b_has_spatial_dropout_and_300_features() -> None:
    family = family_named("lstm_1")
    assert isinstance(family, NetworkFamily)
    layers = family.build(family.published).layers
    assert [type(layer).__name__ for layer in layers] == ["Embedding", "SpatialDropout1D", "LSTM", "Dense"]
    assert (layers[0].input_dim, layers[0].output_dim, layers[1].rate, layers[2].units) == (
        5_000,
        300,
        0.2,
        64,
    )
