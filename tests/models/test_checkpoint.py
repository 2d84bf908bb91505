"""A fit that is cut off and goes on in another process ends as if it had not been."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import Fit, FitOptions, ModelSpec
from starcast.models.fit_progress import STATE, FitProgress
from starcast.models.fit_report import FitReport
from starcast.models.space import Settings

SETTINGS: Settings = {"units_1": 4, "dropout_1": 0.3, "dropout_2": 0.2, "learning_rate": 0.05}
GRU = family_named("gru_1")


class CutOffError(Exception):
    """The process ended."""


class Epochs:
    """Keeps the losses; ends the process when epoch `until` is reported."""

    def __init__(self, until: int = 0) -> None:
        self.until, self.seen = until, {}

    def report(self, report: FitReport) -> None:
        if report.number == self.until:
            raise CutOffError
        self.seen[report.number] = report.metrics


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
    ratings = random.integers(0, 5, reviews)
    texts = [
        " ".join([f"w{rating}", *random.choice(["a", "b", "c"], random.integers(1, 6))]) for rating in ratings
    ]
    return CorpusSplit(pl.Series(texts), ratings)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(part(60, 0), part(30, 1))


def fit(
    corpus: Corpus, recorder: Epochs, checkpoints: Folder | None, epochs: int = 5, patience: int = 5
) -> Fit:
    return GRU.fit(
        corpus,
        ModelSpec(
            GRU.name,
            SETTINGS,
            FitOptions(
                sampling="none", epochs=epochs, batch_size=16, seed=3, patience=patience, schedule="linear"
            ),
        ),
        recorder,
        checkpoints,
    )


@pytest.mark.parametrize("until", [1, 2, 4])
def test_a_fit_goes_on_as_if_it_had_not_been_cut_off(corpus: Corpus, tmp_path: Path, until: int) -> None:
    whole, first, second, kept = Epochs(), Epochs(until), Epochs(), Folder(tmp_path / "kept")
    expected = fit(corpus, whole, None)
    with pytest.raises(CutOffError):
        fit(corpus, first, kept)
    resumed = fit(corpus, second, kept)
    assert {**first.seen, **second.seen} == whole.seen
    assert list(second.seen) == list(range(until, 6))
    assert (resumed.epochs, resumed.best_epoch) == (expected.epochs, expected.best_epoch)
    np.testing.assert_array_equal(resumed.validation_probabilities, expected.validation_probabilities)
    answers = [fitted.model.probabilities(corpus.validation.texts) for fitted in (resumed, expected)]
    np.testing.assert_array_equal(*answers)


def test_a_fit_that_was_done_is_not_trained_further(corpus: Corpus, tmp_path: Path) -> None:
    kept, again = Folder(tmp_path / "kept"), Epochs()
    done = fit(corpus, Epochs(), kept)
    resumed = fit(corpus, again, kept)
    assert again.seen == {}
    np.testing.assert_array_equal(resumed.validation_probabilities, done.validation_probabilities)


def test_every_epoch_is_kept(corpus: Corpus, tmp_path: Path) -> None:
    kept = Folder(tmp_path / "kept")
    fit(corpus, Epochs(), kept, epochs=3)
    assert kept.times == 3


def test_a_checkpoint_from_before_reports_were_called_so_is_read(tmp_path: Path) -> None:
    progress = FitProgress(reports=2, best_epoch=1, best_loss=0.5)
    progress.save(tmp_path, [])
    state = json.loads((tmp_path / STATE).read_text())
    state["epochs"] = state.pop("reports")
    (tmp_path / STATE).write_text(json.dumps(state))
    found = FitProgress.load(tmp_path, [])
    assert (found.reports, found.best_epoch, found.best_loss) == (2, 1, 0.5)
