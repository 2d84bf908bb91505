"""A fit that is kept in a folder: what is read again, and when it is not taken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from starcast.models.catalogue import family_named
from starcast.models.corpus import Corpus, CorpusSplit
from starcast.models.family import FitOptions, ModelSpec
from starcast.models.fit_report import CurveRecorder
from starcast.models.kept_fit import keep_fit, kept_fit

OPTIONS = FitOptions(sampling="none", epochs=1, batch_size=32, seed=1, patience=1)
SPEC = ModelSpec(
    "logistic_regression", {**family_named("logistic_regression").published, "ngrams": 1}, OPTIONS
)
RATINGS = np.arange(40) % 5
TEXTS = pl.Series([f"word{rating} dress" for rating in RATINGS])
CORPUS = Corpus(CorpusSplit(TEXTS, RATINGS), CorpusSplit(TEXTS[:10], RATINGS[:10]))


def test_a_kept_fit_is_read_as_it_was(tmp_path: Path) -> None:
    curve = CurveRecorder(CORPUS.validation.ratings, CORPUS.scale)
    fit = family_named(SPEC.family).fit(CORPUS, SPEC, curve)
    keep_fit(fit, SPEC, tmp_path / "3", curve.points, 40.5)
    kept = kept_fit(tmp_path / "3", SPEC, 5)
    assert kept is not None
    assert (kept.seconds, kept.curve) == (40.5, curve.points)
    assert kept.fit.validation_probabilities.tolist() == fit.validation_probabilities.tolist()
    assert kept.fit.trained_on.tolist() == fit.trained_on.tolist()
    assert (kept.fit.epochs, kept.fit.best_epoch) == (1, 1)
    texts = CORPUS.validation.texts
    np.testing.assert_allclose(kept.fit.model.probabilities(texts), fit.validation_probabilities, atol=1e-6)


def test_a_fit_of_another_specification_is_not_taken(tmp_path: Path) -> None:
    fit = family_named(SPEC.family).fit(CORPUS, SPEC, CurveRecorder(CORPUS.validation.ratings, CORPUS.scale))
    keep_fit(fit, SPEC, tmp_path / "3")
    assert kept_fit(tmp_path / "4", SPEC, 5) is None
    assert kept_fit(tmp_path / "3", replace(SPEC, settings={**SPEC.settings, "c": 3.0}), 5) is None
    assert kept_fit(tmp_path / "3", replace(SPEC, options=replace(OPTIONS, seed=2)), 5) is None
    longer = replace(SPEC, options=replace(OPTIONS, patience=9))  # without effect: there is one epoch
    assert kept_fit(tmp_path / "3", longer, 5) is not None
