"""Fine-tuning a tiny encoder of random weights: reports, resumption, files, samplings, what is missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from starcast.cli.errors import UserError
from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Fit, FitOptions, KnowsWords, ModelSpec, Precision, split_choices
from starcast.models.fit_report import FitReport
from starcast.models.space import Settings, Value
from tests.tiny_encoder import WORDS, needs_extra, write_weights

TRANSFORMER = family_named("transformer")


class CutOffError(Exception):
    """The process ended."""


class Reports:
    """Keeps what is reported; ends the process at report `until`."""

    def __init__(self, until: int = 0) -> None:
        self.until, self.seen, self.reviews = until, {}, []

    def report(self, report: FitReport) -> None:
        if report.number == self.until:
            raise CutOffError
        assert report.places is None or len(report.places) == len(report.probabilities)
        self.seen[report.number] = report.metrics
        self.reviews.append(len(report.probabilities))


class Folder:
    """Checkpoints in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.times = folder, 0

    def keep(self, folder: Path) -> None:
        self.times += 1
        shutil.copytree(folder, self.folder, dirs_exist_ok=True)

    def kept(self) -> Path | None:
        return self.folder if self.times else None


def part(reviews: int, seed: int) -> CorpusSplit:
    random = np.random.default_rng(seed)
    ratings = random.permutation(np.arange(reviews) % 5)
    texts = [f"{WORDS[4 - each]} the dresss {' very' * int(random.integers(0, 9))}" for each in ratings]
    return CorpusSplit(pl.Series(texts), ratings)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(160, 0), part(60, 1))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder that KerasHub wrote: two layers of random weights."""
    return write_weights(tmp_path_factory.mktemp("weights"))


def spec(weights: str, sampling: str = "none", epochs: int = 2, **settings: Value) -> ModelSpec:
    given: Settings = {"weights": weights, "learning_rate": 2e-4, "epochs": epochs, **settings}
    options = FitOptions(sampling=sampling, epochs=3, batch_size=256, seed=3, schedule="linear")
    return ModelSpec("transformer", *split_choices(TRANSFORMER.check(given), options))


def fit(corpus: Corpus, spec: ModelSpec, reports: Reports | None = None, kept: Folder | None = None) -> Fit:
    return TRANSFORMER.fit(corpus, spec, reports or Reports(), kept)


@needs_extra
def test_each_epoch_reports_four_times_on_a_sample_and_at_its_end_on_all(
    corpus: Corpus, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starcast.models.transformer_training.SAMPLE", 20)
    reports = Reports()
    fitted = fit(corpus, spec(weights), reports)
    assert list(reports.seen) == list(range(1, 9))
    assert [count == 60 for count in reports.reviews] == [False, False, False, True] * 2
    assert all(20 <= count <= 45 for count in reports.reviews if count != 60)
    assert fitted.epochs == 2
    assert fitted.validation_probabilities.shape == (60, 5)
    np.testing.assert_allclose(fitted.validation_probabilities.sum(axis=1), 1, atol=1e-5)


@needs_extra
def test_a_report_s_training_loss_is_the_mean_over_its_batches(
    corpus: Corpus, weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras forgets the batches before."""
    from starcast.models.backend import keras

    train, seen = keras.Model.train_on_batch, []

    def noted(network: keras.Model, *example: np.ndarray, return_dict: bool) -> dict[str, float]:
        seen.append(train(network, *example, return_dict=return_dict))
        return seen[-1]

    monkeypatch.setattr(keras.Model, "train_on_batch", noted)
    reports = Reports()
    fit(corpus, spec(weights, epochs=1, batch_size=16), reports)  # 10 batches
    assert len(seen) == 10
    for number, batches in enumerate(np.array_split(np.arange(10), 4), start=1):
        for name in ("loss", "accuracy"):
            mean = np.mean([float(seen[batch][name]) for batch in batches])
            assert reports.seen[number][f"train_{name}"] == pytest.approx(mean)


@needs_extra
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_network_with_the_pretrained_weights_encodes_as_kerashub_does(weights: str, pooling: str) -> None:
    from keras_hub.models import BertBackbone

    from starcast.models.backend import keras
    from starcast.models.transformer import build
    from starcast.models.transformer_weights import Pretrained

    pretrained = Pretrained.read(weights)
    network = build(replace(pretrained.architecture, pooling=pooling), 5)
    pretrained.into(network)
    numbers = np.array([[2, 5, 10, 3, 0, 0], [2, 9, 8, 7, 6, 3]])
    theirs = BertBackbone.from_preset(weights)(
        {"token_ids": numbers, "padding_mask": numbers != 0, "segment_ids": np.zeros_like(numbers)}
    )
    ours = keras.Model(network.input, network.get_layer("outer_1_norm").output)(numbers)
    read = slice(0, 1) if pooling == "cls" else slice(None)  # of the last block's output
    there, expected = numbers[:, read] != 0, theirs["sequence_output"][:, read]
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours[there], expected[there], atol=2e-3)  # GELU approximated


@needs_extra
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_fit_learns_and_its_saved_model_answers_alike(
    pooling: str, corpus: Corpus, weights: str, tmp_path: Path
) -> None:
    fitted = fit(corpus, spec(weights, epochs=3, embeddings="trained", batch_size=16, pooling=pooling))
    assert fitted.model.parameters() > 0
    fitted.model.save(tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix in (".pkl", ".pickle")]
    texts = corpus.validation.texts
    assert isinstance(texts, pl.Series)
    loaded = TRANSFORMER.load(tmp_path, 5)
    np.testing.assert_allclose(loaded.probabilities(texts), fitted.validation_probabilities, atol=1e-5)
    assert np.isfinite(loaded.probabilities(pl.Series(["", "?", "love " * 500]))).all()
    assert isinstance(loaded, KnowsWords)
    assert loaded.knows(pl.Series([texts[0], "", "\U0001f9ff \U0001f9ff"])).tolist() == [True, False, False]


@needs_extra
@pytest.mark.parametrize("until", [2, 6])
def test_a_fit_that_is_cut_off_within_an_epoch_ends_as_if_it_had_not_been(
    until: int, corpus: Corpus, weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starcast.models.transformer_training.CHECKPOINT_EVERY", 0)
    whole, wanted = Reports(), spec(weights, frozen=1, batch_size=16)
    expected = fit(corpus, wanted, whole)
    kept, rest = Folder(tmp_path), Reports()
    with pytest.raises(CutOffError):
        fit(corpus, wanted, Reports(until), kept)
    resumed = fit(corpus, wanted, rest, kept)
    assert list(rest.seen) == list(range(until, 9))
    assert rest.seen == {number: pytest.approx(whole.seen[number], abs=1e-6) for number in rest.seen}
    np.testing.assert_allclose(resumed.validation_probabilities, expected.validation_probabilities, atol=1e-6)


@needs_extra
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_a_fit_in_16_bits_is_judged_by_the_answers_of_the_saved_model(
    corpus: Corpus, weights: str, precision: Precision
) -> None:
    asked = spec(weights)
    fitted = fit(corpus, replace(asked, options=replace(asked.options, precision=precision)))
    answers = fitted.model.probabilities(corpus.validation.texts)
    np.testing.assert_allclose(answers, fitted.validation_probabilities, atol=1e-5)


@needs_extra
def test_a_fit_that_diverges_late_keeps_its_best_epoch(
    corpus: Corpus, weights: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from starcast.models import transformer_training

    answered, answer = list[np.ndarray](), transformer_training.predict

    def diverging(*given: Any) -> np.ndarray:
        answered.append(answer(*given))
        return answered[-1] if len(answered) <= good else np.full_like(answered[-1], np.nan)

    monkeypatch.setattr(transformer_training, "predict", diverging)
    good = 5
    fitted = fit(corpus, spec(weights))
    assert (fitted.best_epoch, fitted.epochs, len(answered)) == (1, 2, 6)
    assert "not finite: the learning rate is too high for these settings; the best epoch, 1, is" in (
        capsys.readouterr().out
    )
    good = 0
    with pytest.raises(FloatingPointError, match="not finite"):
        fit(corpus, spec(weights))


@needs_extra
def test_frozen_layers_and_embeddings_stay_as_pretrained(corpus: Corpus, weights: str) -> None:
    from starcast.models.transformer_weights import Pretrained

    before, after = Pretrained.read(weights).weights, fit(corpus, spec(weights, frozen=1)).model.weights
    same = {name: all(map(np.array_equal, after[name], arrays)) for name, arrays in before.items()}
    assert same["embedded"]
    assert same["outer_0"]
    assert not same["outer_1"]


@needs_extra
def test_what_a_search_prepares_gives_the_same_fit(corpus: Corpus, weights: str, tmp_path: Path) -> None:
    folder, wanted = tmp_path / "corpus", spec(weights, epochs=1)
    stored = Corpus(*(split_stored(each, tmp_path) for each in ("train", "validation")))
    folder.mkdir()
    stored.save(folder, {"raw"})
    TRANSFORMER.prepare(stored, folder, {"weights": (weights,)})
    ours, theirs = fit(Corpus.open(folder), wanted), fit(stored, wanted)
    np.testing.assert_allclose(ours.validation_probabilities, theirs.validation_probabilities, atol=1e-6)


def split_stored(name: str, folder: Path) -> CorpusSplit:
    split = part(40, len(name))
    texts = split.texts
    table = pl.DataFrame({"rating": split.ratings + 1, "text": texts, "cleaned": texts})
    table.write_parquet(folder / f"{name}.parquet")
    return CorpusSplit.stored(folder / f"{name}.parquet")


@needs_extra
@pytest.mark.parametrize("sampling", TRANSFORMER.samplings)
def test_each_sampling_that_makes_no_reviews_works(sampling: str, corpus: Corpus, weights: str) -> None:
    assert set(fit(corpus, spec(weights, sampling, epochs=1)).trained_on) == set(range(5))


@pytest.mark.parametrize("sampling", ["smote", "adasyn", "adasyn_token_ids"])
def test_a_sampling_that_makes_reviews_is_refused(sampling: str) -> None:
    with pytest.raises(UserError, match="not for transformer, which takes none, class_weight"):
        TRANSFORMER.check_sampling(sampling)


@needs_extra
def test_the_digest_is_of_all_files(weights: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(weights, copy)
    digest = TRANSFORMER.facts({"weights": weights})
    assert TRANSFORMER.facts({"weights": str(copy)}) == digest
    config = json.loads((copy / "config.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(weights, other)
    (other / "config.json").write_text(json.dumps(config))
    assert TRANSFORMER.facts({"weights": str(other)}) != digest


@needs_extra
def test_missing_weights_are_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"weights .*: no such folder"):
        TRANSFORMER.check_ready({"weights": (str(tmp_path / "absent"),)})
    with pytest.raises(UserError, match=r"lacks config\.json and model\.safetensors and vocab\.txt"):
        TRANSFORMER.check_ready({"weights": (str(tmp_path),)})


def test_a_missing_package_is_refused_with_the_command_that_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starcast.models.transformer_files.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"keras-hub and .*tokenizers .*requirements-transformer\.txt"):
        TRANSFORMER.check_ready(TRANSFORMER.space)


@pytest.mark.parametrize("given", [{"weights": ""}, {"weights": 3}, {"pooling": "max"}, {"layers": 0}])
def test_impossible_settings_are_refused(given: Settings) -> None:
    with pytest.raises(UserError, match="settings: transformer"):
        TRANSFORMER.check(given)
